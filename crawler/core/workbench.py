"""Host queues on a heap of due times: which leased URL may be asked for now.

Rules
- A host is on the heap if and only if it has a queued request, a free place (fewer in flight than its limit), and
  nobody is on an errand for it.
- What is taken is sent, put off for an errand, or released unsent; only what is sent moves the host's due time.
- Heap order is the earliest moment that politeness allows, so the top may be asked if anything may.
- A host stays as long as something of it is queued or in flight, or it rests; so whatever is on the heap is here.
Strategy: a due time that moved later moves its entry only when that surfaces.
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from crawler.core.models import Request
from crawler.core.politeness import Pace
from crawler.core.urls import Host


@dataclass(slots=True)
class _Bench:
    """One host's place: what waits, how many are in flight, and when the next may go."""

    pace: Pace
    due: float
    queue: deque[tuple[Request, float]] = field(default_factory=deque)  # with the moment that each was laid here
    in_flight: int = 0
    is_offered: bool = False  # it is on the heap
    on_errand: bool = False  # something else is asked of it first


class Workbench:
    """All hosts that have leased URLs; `pace_of` says how each may be asked."""

    def __init__(self, pace_of: Callable[[Host], Pace]) -> None:
        self._pace_of = pace_of
        self._hosts: dict[Host, _Bench] = {}
        self._heap: list[tuple[float, int, Host]] = []  # due, order of coming, host: equals go first come, first served
        self._order = 0
        self._queued = 0

    @property
    def queued(self) -> int:
        """How many requests wait here."""
        return self._queued

    @property
    def hosts(self) -> int:
        """How many hosts have something queued or in flight; those that only rest are not counted."""
        return sum(1 for bench in self._hosts.values() if bench.queue or bench.in_flight)

    def add(self, requests: Iterable[Request], due: Mapping[Host, float], now: float) -> None:
        """Lay leased requests under their hosts; `due` gives the stored due time of a host that is new here."""
        for request in requests:
            host = request.url.host_port
            bench = self._hosts.get(host)
            if bench is None:
                bench = self._hosts[host] = _Bench(self._pace_of(host), due.get(host, now))
            bench.queue.append((request, now))
            self._queued += 1
            self._offer(host, bench)

    def take(self, now: float) -> tuple[Request, float] | None:
        """A request that may be sent now, and the moment when it was laid here; None = nothing is due.

        Its host is not offered again before `send`, `run_errand` or `release` says what becomes of the request.
        """
        while self._heap and self._heap[0][0] <= now:
            _, _, host = heapq.heappop(self._heap)
            bench = self._hosts[host]
            bench.is_offered = False
            if bench.due <= now:
                bench.in_flight += 1
                self._queued -= 1
                return bench.queue.popleft()
            self._offer(host, bench)
        return None

    def send(self, host: Host, now: float) -> None:
        """What was taken from this host goes out: the next one is due after the delay."""
        self.sent(host, now)
        self._offer(host, self._hosts[host])

    def sent(self, host: Host, now: float) -> None:
        """It went out only now, so the delay counts from here."""
        bench = self._hosts[host]
        bench.due = now + bench.pace.delay

    def run_errand(self, request: Request, since: float) -> None:
        """The request taken goes back to the front, and its host gives nothing until `end_errand`.

        One place of the host is taken meanwhile: the errand is a request too.
        """
        bench = self._hosts[request.url.host_port]
        bench.on_errand = True
        bench.queue.appendleft((request, since))
        self._queued += 1

    def end_errand(self, host: Host, now: float) -> None:
        """What had to be asked first is answered; the delay counts from here."""
        bench = self._hosts[host]
        bench.on_errand = False
        bench.due = now + bench.pace.delay
        self.release(host, now)

    def rest(self, host: Host, now: float) -> float:
        """Seconds until this host may be asked again; 0 = now, also for a host that is not here any more."""
        bench = self._hosts.get(host)
        return max(0.0, bench.due - now) if bench else 0.0

    def delay(self, host: Host) -> float:
        """Seconds between two requests to this host."""
        return self._pace_of(host).delay

    def next_due(self) -> float | None:
        """When it is worth asking `take` again, unless something is released or added before; None = not by waiting."""
        return self._heap[0][0] if self._heap else None

    def release(self, host: Host, now: float) -> None:
        """One request of this host has ended, or is not sent after all."""
        bench = self._hosts[host]
        bench.in_flight -= 1
        if not bench.queue and not bench.in_flight and bench.due <= now:
            del self._hosts[host]
        else:
            self._offer(host, bench)

    def shares(self, now: float) -> dict[Host, int]:
        """How many more each host here can use: its pace for two seconds, at least twice its limit; a full one is 0."""
        for host in [
            host for host, bench in self._hosts.items() if bench.due <= now and not (bench.queue or bench.in_flight)
        ]:
            del self._hosts[host]
        return {host: max(0, bench.pace.stock - len(bench.queue)) for host, bench in self._hosts.items()}

    def _offer(self, host: Host, bench: _Bench) -> None:
        has_room = bench.in_flight < bench.pace.per_host and not bench.on_errand
        if bench.queue and has_room and not bench.is_offered:
            bench.is_offered = True
            self._order += 1
            heapq.heappush(self._heap, (bench.due, self._order, host))

    def __repr__(self) -> str:
        return f"<Workbench {self._queued} queued on {len(self._hosts)} hosts>"
