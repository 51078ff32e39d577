"""Host queues on a heap of due times: which leased URL may be asked for now.

Rules
- A host is on the heap if and only if it has a queued request and a free place (fewer in flight than its limit).
- Heap order is the earliest moment that politeness allows, so the top may be asked if anything may.
- A host stays as long as something of it is queued or in flight, or it rests; so an entry on the heap is never stale.
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
        """A request that may be sent now, and the seconds that it waited here; None = nothing is due.

        Its host is busy with it until `release`.
        """
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, host = heapq.heappop(self._heap)
        bench = self._hosts[host]
        bench.is_offered = False
        bench.in_flight += 1
        bench.due = now + bench.pace.delay
        self._queued -= 1
        request, since = bench.queue.popleft()
        self._offer(host, bench)
        return request, now - since

    def next_due(self) -> float | None:
        """When `take` may have something next, unless something is released or added before; None = not by waiting."""
        return self._heap[0][0] if self._heap else None

    def release(self, host: Host, now: float) -> None:
        """One request of this host has ended."""
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
        if bench.queue and bench.in_flight < bench.pace.per_host and not bench.is_offered:
            bench.is_offered = True
            self._order += 1
            heapq.heappush(self._heap, (bench.due, self._order, host))

    def __repr__(self) -> str:
        return f"<Workbench {self._queued} queued on {len(self._hosts)} hosts>"
