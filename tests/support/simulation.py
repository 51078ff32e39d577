"""A load test without a network and without waiting: time moves from one event to the next.

The loops and the connections are the real ones; the clock, the dialler and the server are simulated, so a server's
truth is known to the nanosecond and a busy machine cannot make a test flake.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, cycle

from crawler.core.protocols import Pacer
from crawler.http.framing import ResponseReader
from crawler.load.base_loop import Loop
from crawler.load.closed_loop import ClosedLoop
from crawler.load.exchange import Exchange, Request
from crawler.load.intervals import Interval
from crawler.load.loop_setup import LoopSetup, Span
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.open_loop import OpenLoop
from crawler.load.pacers import Curve, RateStage, Regular
from crawler.load.pool import Heads
from crawler.load.records import Phase, sum_up
from crawler.load.schedule import Schedule
from crawler.load.wire import Connection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Simulation:
    """Virtual time: `run` calls what is due, in order."""

    def __init__(self) -> None:
        self._now = 1
        self._events: list[tuple[int, int, Callable[[int], object]]] = []
        self._order = count()

    def now(self) -> int:
        """The virtual nanosecond."""
        return self._now

    def at(self, moment: int, callback: Callable[[int], object]) -> None:
        """Call back at this moment, or now if it has passed."""
        heapq.heappush(self._events, (moment, next(self._order), callback))

    def block(self, nanoseconds: int) -> None:
        """Do nothing else for so long, as a callback that computes does."""
        self._now += nanoseconds

    def run(self) -> None:
        """Go on until nothing is left to happen."""
        while self._events:
            moment, _, callback = heapq.heappop(self._events)
            self._now = max(self._now, moment)
            callback(moment)


class Server:
    """Answers each request after `latency(number, now)` nanoseconds; None = never, negative = it hangs up.

    It counts what it gets.
    """

    def __init__(
        self, simulation: Simulation, latency: Callable[[int, int], int | None], answer: bytes = ANSWER
    ) -> None:
        self.received = 0
        self.requests: Counter[bytes] = Counter()
        self.dialled = 0
        self.simulation = simulation
        self._latency = latency
        self.answer_to: Callable[[], bytes] = lambda: answer
        self.hangs_up_after: int | None = None  # nanoseconds after an answer

    def dial(self, connection: Connection) -> None:
        """Open the connection in the next event."""
        self.dialled += 1
        wire = Wire(self, connection)
        self.simulation.at(self.simulation.now(), lambda _: connection.connection_made(wire))

    def take(self, wire: "Wire", data: bytes) -> None:
        """A request has come."""
        latency = self._latency(self.received, self.simulation.now())
        self.received += 1
        self.requests[data] += 1
        if latency is not None and latency < 0:
            self.simulation.at(self.simulation.now(), lambda _: wire.end())
        elif latency is not None:
            answer, end = self.answer_to(), self.simulation.now() + latency
            self.simulation.at(end, lambda _: wire.deliver(answer))
            if self.hangs_up_after is not None:
                self.simulation.at(end + self.hangs_up_after, lambda _: wire.end())


class Wire(asyncio.Transport):
    """The client's end of a simulated connection."""

    def __init__(self, server: Server, connection: Connection) -> None:
        super().__init__()
        self._server = server
        self._connection = connection
        self._is_open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """A request."""
        self._server.take(self, bytes(data))

    def deliver(self, data: bytes) -> None:
        """Bytes arrive."""
        if self._is_open:
            self._connection.data_received(data)

    def end(self) -> None:
        """The server hangs up."""
        if self._is_open:
            self._is_open = False
            self._connection.connection_lost(None)

    def abort(self) -> None:
        """The client hangs up."""
        self._is_open = False

    close = abort


@dataclass(frozen=True, slots=True)
class Targets:
    """Requests that are sent one after the other, again and again, and the latencies of further hosts."""

    requests: Sequence[Request] = ()
    groups: Sequence[str] = ("",)
    others: Sequence[Callable[[int, int], int | None]] = ()

    def draw(self) -> Callable[[], Request] | None:
        """A new walk through the requests; None = there are none."""
        return cycle(self.requests).__next__ if self.requests else None


def simulated(
    latency: Callable[[int, int], int | None],
    *,
    rate: float | None = None,
    pacer: Pacer | None = None,
    seconds: float | None = 10.0,
    requests: int | None = None,
    connections: int = 64,
    warmup: float = 0.0,
    timeout: float = 10.0,
    grace: float = 1.0,
    targets: Targets | None = None,
    per_connection: int | None = None,
    servers: list[Server] | None = None,
    disturb: Callable[[Simulation, Loop], object] = lambda _simulation, _loop: None,
) -> tuple[Loop, Server]:
    """Run a load test against a simulated server and give both; `targets` adds further hosts, to `servers`."""
    simulation = Simulation()
    server = Server(simulation, latency)
    targets = targets or Targets()
    servers = [] if servers is None else servers
    servers += [server, *(Server(simulation, one) for one in targets.others)]
    end = None if seconds is None else round((warmup + seconds) * SECOND)
    before = [Span(name="warm-up", begin=0, end=round(warmup * SECOND), measured=False)] if warmup else []
    parts = LoopSetup(
        timers=simulation,
        exchange=Exchange(request=REQUEST, timeout=round(timeout * SECOND), per_connection=per_connection),
        dial=lambda connection: servers[connection.host].dial(connection),
        connections=connections,
        spans=[*before, Span(name="measured", begin=round(warmup * SECOND), end=end)],
        grace=round(grace * SECOND),
        requests=requests,
        groups=targets.groups,
        hosts=len(servers),
        draw=targets.draw(),
    )
    if rate is not None:
        pacer = Regular(Curve([RateStage(end, round(rate * 1000), round(rate * 1000))]))
    hosts = [None] if len(servers) == 1 else list(range(len(servers)))
    loop: Loop
    if pacer is not None:
        usual = Request(REQUEST)
        loop = OpenLoop(parts, [Schedule(pacer, usual=usual, draw=targets.draw(), host=host) for host in hosts])
    else:
        loop = ClosedLoop(parts)
    is_over: list[bool] = []
    loop.open(lambda: loop.start(simulation.now() + MILLISECOND, lambda: is_over.append(True)))
    disturb(simulation, loop)
    simulation.run()
    assert is_over
    return loop, server


def measured(loop: Loop) -> Phase:
    """Return the measurements, which must add up."""
    assert all(phase.is_whole for phase in loop.phases)
    return sum_up(loop.phases)


class Account:
    """A pool of one connection that only keeps accounts."""

    is_paced = False
    chains = False
    left = 0
    origin = 0

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.limit = exchange.timeout
        self.heads: Heads = {}
        self.bare_heads: Heads = {}
        self.draw: Callable[[], Request] | None = None
        self.given = [0]
        self.took: Callable[[Connection, ResponseReader], object] | None = None
        self.second = Interval(begin=0)
        self.times = self.second.times
        self.phase = Phase(name="all")
        self.cells: Sequence[Phase] = [self.phase]
        self.over = 0
        self.asked_again = 0
        self.now = lambda: 7
        self.dial: Callable[[Connection], object] = lambda _: None

    def opened(self, connection: Connection) -> None:
        """Nothing is waited for."""

    def ask_again(self, connection: Connection) -> None:
        """A kept connection has ended under its request."""
        self.asked_again += 1

    def release(self, connection: Connection, now: int) -> None:
        """A connection has nothing to do."""
        self.over += connection.is_over

    def account(self) -> dict[str, object]:
        """Return the counts, without the split into pieces."""
        phase = self.phase
        return {
            "ok": phase.ok,
            "statuses": dict(phase.reused.statuses),
            "failures": {kind: failure.count for kind, failure in phase.failures.items()},
            "over": self.over > 0,
            "surplus": phase.surplus,
        }


class Sink(asyncio.Transport):
    """A transport that takes everything and does nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""

    def abort(self) -> None:
        """Nothing to hang up."""


def connected(exchange: Exchange) -> tuple[Account, Connection]:
    """A connection that is open and has its first request."""
    pool = Account(exchange)
    connection = Connection(pool)
    connection.connection_made(Sink())
    connection.ask(Request(exchange.request, bodiless=exchange.bodiless), 1, 1)
    return pool, connection
