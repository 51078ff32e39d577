"""The part of a load test that the closed and the open loop share: connections, phases, timeouts, the end.

Strategy: no coroutine and no task. Answers and timers call back, so the same code runs on real time and, in tests, on a
simulated one, where a server that stalls for a second takes no time at all.
Rules
- A request belongs to the phase in which it was due; each phase keeps its own record.
- The test ends when its time is up, or when all its requests have ended. Requests in flight then have a short grace,
  and count as in flight after it.
- The test gives up when no connection could be opened within its first second.
Runs on: the loop that loads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crawler.load.exchange import Exchange
from crawler.load.gauges import Gauge
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Phase
from crawler.load.wire import Connection

_TICK = 5 * MILLISECOND  # how often the loop's lag is sampled
_SWEEP = 10  # ticks between two checks of the timeouts
_GIVE_UP = SECOND  # without a single connection


class TimerSource(Protocol):
    """A clock with timers: `runtime.timers`, or a simulation."""

    def now(self) -> int:
        """Return the nanoseconds of a clock that never goes back."""
        ...

    def at(self, moment: int, callback: Callable[[int], object]) -> None:
        """Call back with the moment, at that moment or soon after it, never before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A planned phase, in nanoseconds after the start; `end` None = until all are sent (closed loop only)."""

    name: str
    begin: int
    end: int | None
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSetup:
    """The parts of a loop.

    Attributes:
        dial: opens a connection, and ends in its `connection_made` or `dial_failed`.
        grace: nanoseconds for requests in flight at the end.
        requests: number of measured requests; None = as many as the time allows.
        watch: called with the loop some twenty times per second; it may call `stop`.
    """

    timers: TimerSource
    exchange: Exchange
    dial: Callable[[Connection], object]
    connections: int
    spans: Sequence[Span]
    grace: int
    requests: int | None = None
    gauge: Gauge = field(default_factory=Gauge)
    watch: Callable[["Loop"], None] = lambda _: None


class Loop:
    """A load test that runs: `open` it, then `start` it."""

    is_paced = False

    def __init__(self, setup: LoopSetup) -> None:
        self.setup = setup
        self.exchange = setup.exchange
        self.request = setup.exchange.request
        self.dial: Callable[[Connection], object] = setup.dial
        self.now: Callable[[], int] = setup.timers.now
        self.heads: dict[bytes, tuple[int, int]] = {}
        self.left = 0
        self.origin = 0
        self.phases = [Phase(name=s.name, measured=s.measured, begin=s.begin) for s in setup.spans]
        self.phase = self.phases[0]
        self.is_over = False
        self.gave_up = False
        self._due: int | None = None  # of the next request; None = no schedule, or its end
        self._current = -1  # the phase that runs by the clock
        self._is_ending = False
        self._has_begun = False
        self._ticks = 0
        self._when_open: Callable[[], None] | None = None
        self._when_over: Callable[[], None]
        self._connections: set[Connection] = set()

    # Before the start

    def open(self, when_open: Callable[[], None]) -> None:
        """Open all connections, and call `when_open` as soon as each is open or has failed."""
        self._when_open = when_open
        self.origin = self.now()
        for _ in range(self.setup.connections):
            self._connections.add(Connection(self))
        for connection in tuple(self._connections):
            self.dial(connection)
        self.setup.timers.at(self.origin + self.exchange.timeout, self._all_opened)

    def opened(self, connection: Connection) -> None:
        """Take a connection that is open, or has failed to open, before the start."""
        if self._when_open is not None and all(other.is_open or other.is_failed for other in self._connections):
            self._all_opened(0)

    def _all_opened(self, _moment: int) -> None:
        if (when_open := self._when_open) is not None:
            self._when_open = None
            when_open()

    def start(self, origin: int, when_over: Callable[[], None]) -> None:
        """Begin at this nanosecond, and call `when_over` when all requests have ended and are counted."""
        self.origin = origin
        self._when_over = when_over
        self.setup.timers.at(origin, self._begin)

    def _begin(self, moment: int) -> None:
        if self.is_over:
            return
        self._has_begun = True
        self._advance(moment)
        self.setup.timers.at(moment + _TICK, self._tick)
        self.begin_sending()

    def begin_sending(self) -> None:
        """Send the first requests."""
        for connection in tuple(self._connections):
            self.release(connection, self.now())

    # Phases

    def _advance(self, moment: int) -> None:
        """End the current phase, and begin the next one or the end."""
        if self.is_over or self._is_ending:
            return
        self.end_phase(moment)
        self._current += 1
        if self._current == len(self.phases):
            self._end(moment)
            return
        if self.phases[self._current].measured and not self.setup.gauge.is_running:
            self.setup.gauge.begin()
        self.begin_phase(self.phases[self._current])
        if (end := self.setup.spans[self._current].end) is not None:
            self.setup.timers.at(self.origin + end, self._advance)

    def begin_phase(self, phase: Phase) -> None:
        """Take a phase that begins by the clock; the phase of a request may be another one."""

    def end_phase(self, moment: int) -> None:
        """Note the end of the current phase, if there is one, and its answers so far."""
        if self._current >= 0:
            phase = self.phases[self._current]
            phase.end = moment - self.origin
            phase.answered = phase.ok + sum(phase.failed.values())

    # The end

    def stop(self, *, at_once: bool = False) -> None:
        """End now: requests in flight may finish within the grace; `at_once`, not at all."""
        if not self._is_ending:
            moment = self.now()
            self.end_phase(moment)
            self.shed_rest()
            self._end(moment)
        if at_once:
            self._finish()

    def _end(self, moment: int) -> None:
        self._is_ending = True
        self.setup.gauge.end()
        self.setup.timers.at(moment + self.setup.grace, lambda _: self._finish())
        self._finish_if_idle()

    def shed_rest(self) -> None:
        """Send nothing more, and count the requests that were due until now."""

    def _finish_if_idle(self) -> None:
        if self._is_ending and self._due is None and not self.in_flight:
            self._finish()

    def _finish(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        now = self.now()
        self.shed_rest()
        for connection in self._connections:
            if connection.is_busy:
                connection.abandon(now)
            else:
                connection.close()
        self._when_over()

    @property
    def in_flight(self) -> int:
        """Return the number of requests under way."""
        return sum(connection.is_busy for connection in self._connections)

    # While it runs

    def release(self, connection: Connection, now: int) -> None:
        """Take back a connection without a request; put a new one in the place of one that is over."""
        if self.is_over:
            return
        if connection.is_over:
            old, connection = connection, Connection(self)
            connection.is_failed = not (old.is_open and self._has_begun)
            self._connections.discard(old)
            self._connections.add(connection)
        if not self._has_begun:
            self.opened(connection)
        else:
            self.serve(connection, now)
            self._finish_if_idle()

    def serve(self, connection: Connection, now: int) -> None:
        """Give a free connection its next request, now or later."""
        raise NotImplementedError

    def _tick(self, moment: int) -> None:
        """Sample the lag of the event loop; every tenth time, end the requests that are over their timeout."""
        if self.is_over:
            return
        now = self.now()
        self.setup.gauge.lagged(now - moment)
        self.setup.timers.at(moment + _TICK, self._tick)
        self._ticks += 1
        if self._ticks % _SWEEP:
            return
        for connection in tuple(self._connections):
            if connection.is_busy and connection.sent <= now - self.exchange.timeout:
                connection.expire(now)
        if now - self.origin > _GIVE_UP and not self.gave_up and not any(phase.opened for phase in self.phases):
            self.gave_up = True
            self.stop()
        self.setup.watch(self)
