"""Host queues on heaps of due times: which leased URL may be asked for now.

Rules
- A host is offered if and only if it has a queued request, a free place (fewer in flight than its limit), and nobody is
  on an errand for it. What is offered lies on the heap of its host's standing, or is held back for a moment.
- What is taken is sent, put off for an errand, set aside, laid back, or released unsent; only what is sent moves the
  host's due time.
- Heap order is the earliest moment that politeness allows, so the top may be asked if anything may.
- Among hosts that are due, one that answers comes before an untried one, and that before one that failed
  (`core.throttle.Standing`). While one that comes first waits for a slot no other is opened, but for a share: one
  request of 8 opens an untried host, and one of 32 tries a host that failed.
- Of one host, requests that were made in vain before come after all others, here and at the frontier: pages that stay
  silent must not keep the places of its pages that do answer.
- A request to a quick host takes a slot; any other begins outside, where there is room for many.
- The last quarter of the slots is for hosts that have less than their fair share of them: a host that answers slowly
  never takes what the quick ones need, and one alone may have all.
- A host leaves memory only by `forget`, with nothing queued or in flight, and its rest over or so long that its leases
  were handed back. Whoever keeps what is known of it has been told by then, so the next lease that opens the host
  brings that back; a lease that is on its way meanwhile finds the host here, and its rest with it.
Strategy: a due time that moved later moves its entry only when that surfaces; each step costs O(log hosts).
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from crawler.core.handover import HostState
from crawler.core.messages import Request
from crawler.core.throttle import LONG_REST, HostThrottle, Standing
from crawler.core.urls import Host

_SHARES = {Standing.UNTRIED: 8, Standing.FAILED: 32}
_MOST_SHARES = 1000  # hosts that are asked for at once
_UNKNOWN = HostState()


class Taken(NamedTuple):
    """A request whose turn has come; it was laid on the workbench at `since`, and `in_slot` says where it begins."""

    request: Request
    since: float
    in_slot: bool


_Entry = tuple[float, int, "_HostQueue"]  # due, order of coming, host: equals go first come, first served


@dataclass(slots=True)
class _HostQueue:
    """One host's place: what waits, and how many are in flight."""

    host: Host
    pace: HostThrottle
    queue: deque[tuple[Request, float]] = field(default_factory=deque)  # with the moment that each was laid here
    again: deque[tuple[Request, float]] = field(default_factory=deque)  # the same, of those that were asked in vain
    aside: list[Request] = field(default_factory=list)
    in_flight: int = 0
    entry: _Entry | None = None  # on the heap of `offered_as`; others of it there count no longer
    offered_as: Standing = Standing.UNTRIED
    is_held: bool = False  # back for a moment, and not on a heap
    is_leaving: bool = False  # it is on the heap of those that may soon be forgotten
    on_errand: bool = False  # something else is asked of it first
    is_gone: bool = False  # it was forgotten; what still lies on a heap counts no longer

    @property
    def is_busy(self) -> bool:
        return bool(self.queue or self.again or self.in_flight or self.aside)

    @property
    def waiting(self) -> int:
        return len(self.queue) + len(self.again)

    @property
    def missing(self) -> int:
        """Number of requests that it can use besides; those asked in vain fill no more than another stock."""
        stock = self.pace.stock
        return stock - len(self.queue) - max(0, len(self.again) - stock)

    def line(self, request: Request) -> deque[tuple[Request, float]]:
        """The queue in which this request waits."""
        return self.again if request.attempts else self.queue

    def pop(self) -> tuple[Request, float]:
        """The next request: one that was asked in vain only where no other waits."""
        return (self.queue or self.again).popleft()

    @property
    def may_give(self) -> bool:
        return bool(self.queue or self.again) and self.in_flight < self.pace.limit and not self.on_errand


class Workbench:
    """All hosts that have leased URLs, for `capacity` slots; `pace_of` says how each may be asked."""

    def __init__(self, pace_of: Callable[[Host, HostState], HostThrottle], capacity: int) -> None:
        self._pace_of = pace_of
        self._capacity = capacity
        self._hosts: dict[Host, _HostQueue] = {}
        self._heaps: dict[Standing, list[_Entry]] = {standing: [] for standing in Standing}
        self._since = dict.fromkeys(_SHARES, 0)  # requests since the last one of each
        self._held: dict[Host, None] = {}
        self._leaving: list[_Entry] = []
        self._hungry: dict[Host, None] = {}  # they run low, and there may be more of them to lease
        self._drained: set[Host] = set()  # all of them that could be leased is here
        self._asked: dict[Host, int] = {}  # what the lease that is under way was asked for
        self._aside: set[Host] = set()
        self._withdrawn: dict[Host, None] = {}
        self._gone: list[Host] = []
        self._order = 0
        self._queued = 0
        self._busy = 0

    @property
    def queued(self) -> int:
        """How many requests wait here."""
        return self._queued

    @property
    def hosts(self) -> int:
        """How many hosts have something queued or in flight; those that only rest are not counted."""
        return self._busy

    @property
    def untried(self) -> int:
        """Return how many hosts here wait for their first request, or a few more."""
        return len(self._heaps[Standing.UNTRIED])

    def pace(self, host: Host) -> HostThrottle:
        """The controller of a host that is here."""
        return self._hosts[host].pace

    def add(self, requests: Iterable[Request], states: Mapping[Host, HostState], now: float) -> None:
        """Lay leased requests under their hosts; `states` tells what is known of a host that is new here."""
        for request in requests:
            host = request.url.host_port
            bench = self._hosts.get(host)
            if bench is None:
                bench = self._hosts[host] = _HostQueue(host, self._pace_of(host, states.get(host, _UNKNOWN)))
            self._busy += not bench.is_busy
            bench.line(request).append((request, now))
            self._queued += 1
            self._offer(bench)
            if host in self._asked:
                self._asked[host] -= 1
        self._drained.update(host for host, missing in self._asked.items() if missing > 0 and host in self._hosts)
        self._asked = {}

    # --- one request's turn --------------------------------------------------------------------------------------

    def take(self, now: float, free: int, *, may_dial: bool) -> Taken | None:
        """A request that may be sent now; None = nothing is due for which there is room.

        `free` slots are there, and room outside if `may_dial`. Its host is not offered again before `send`,
        `run_errand`, `set_aside` or `release` says what becomes of the request.
        """
        if self._held and free > self._capacity // 4:
            self._let_go(tuple(self._held))
        for standing, share in _SHARES.items():
            if self._since[standing] >= share - 1 and may_dial and self._is_due(standing, now):
                return self._take_from(standing)
        for standing in Standing:
            if standing is Standing.QUICK:
                self._hold_back(now, free)
            if self._is_due(standing, now):
                has_room = free > 0 if standing is Standing.QUICK else may_dial
                return self._take_from(standing) if has_room else None
        return None

    def _is_due(self, standing: Standing, now: float) -> bool:
        """Bring what is due to the top; entries that have changed since they were laid there are laid anew."""
        heap = self._heaps[standing]
        while heap and heap[0][0] <= now:
            entry = heap[0]
            bench = entry[2]
            if entry is bench.entry and bench.pace.standing is standing and bench.pace.due <= now and bench.may_give:
                return True
            heapq.heappop(heap)
            if entry is bench.entry:
                bench.entry = None
                self._offer(bench)
        return False

    def _hold_back(self, now: float, free: int) -> None:
        """While slots are scarce, keep back hosts that have their share of them."""
        if free > self._capacity // 4:
            return
        while self._is_due(Standing.QUICK, now) and self._has_its_share(bench := self._heaps[Standing.QUICK][0][2]):
            heapq.heappop(self._heaps[Standing.QUICK])
            bench.entry = None
            bench.is_held = True
            self._held[bench.host] = None

    def _has_its_share(self, bench: _HostQueue) -> bool:
        return self._busy > 1 and bench.in_flight >= max(1, self._capacity // self._busy)

    def _take_from(self, standing: Standing) -> Taken:
        _, _, bench = heapq.heappop(self._heaps[standing])
        bench.entry = None
        self._share(standing)
        bench.in_flight += 1
        self._queued -= 1
        request, since = bench.pop()
        if bench.host not in self._drained and 2 * bench.missing > bench.pace.stock:
            self._hungry[bench.host] = None
        return Taken(request, since, standing is Standing.QUICK)

    def _share(self, taken: Standing) -> None:
        for standing, requests in self._since.items():
            self._since[standing] = 0 if standing is taken else requests + 1

    def send(self, host: Host, now: float) -> None:
        """What was taken from this host goes out: the next one is due after the delay."""
        self.sent(host, now)
        self._offer(self._hosts[host])

    def sent(self, host: Host, now: float) -> None:
        """It went out only now, so the delay counts from here."""
        self._hosts[host].pace.sent(now)

    def run_errand(self, request: Request, since: float) -> None:
        """The request taken goes back to the front, and its host gives nothing until `end_errand`.

        One place of the host is taken meanwhile: the errand is a request too.
        """
        bench = self._hosts[request.url.host_port]
        bench.on_errand = True
        bench.line(request).appendleft((request, since))
        self._queued += 1

    def end_errand(self, host: Host, now: float) -> None:
        """What had to be asked first is answered; the delay counts from here."""
        bench = self._hosts[host]
        bench.on_errand = False
        bench.pace.sent(now)
        self.release(host, now)

    def release(self, host: Host, now: float) -> None:
        """One request of this host has ended, or is not sent after all."""
        bench = self._hosts[host]
        bench.in_flight -= 1
        if host in self._held:
            self._let_go((host,))
        self._offer(bench)
        self._rest(bench)

    def lay_back(self, request: Request, now: float) -> None:
        """Put a request that was broken off, to nobody's blame, first in line again; its host is released already."""
        bench = self._hosts[request.url.host_port]
        self._busy += not bench.is_busy
        bench.line(request).appendleft((request, now))
        self._queued += 1
        self._offer(bench)

    def set_aside(self, request: Request, now: float) -> None:
        """What was taken may not be sent for a reason that is not the host's; it waits for `recall`."""
        host = request.url.host_port
        self._hosts[host].aside.append(request)
        self._aside.add(host)
        self.release(host, now)

    def recall(self, now: float) -> None:
        """Everything that was set aside is queued again."""
        hosts, self._aside = self._aside, set()
        for host in hosts:
            bench = self._hosts[host]
            for request in reversed(bench.aside):
                bench.line(request).appendleft((request, now))
            self._queued += len(bench.aside)
            bench.aside.clear()
            self._offer(bench)

    def withdraw(self, host: Host, now: float) -> list[Request]:
        """What waits of a host that rests for long is taken back, if nothing is in flight; then it may be forgotten."""
        bench = self._hosts[host]
        if bench.in_flight or bench.pace.due - now <= LONG_REST:
            return []
        requests = [*bench.aside, *(request for request, _ in (*bench.queue, *bench.again))]
        self._queued -= bench.waiting
        self._busy -= bench.is_busy
        bench.queue.clear()
        bench.again.clear()
        bench.aside.clear()
        self._aside.discard(host)
        self._hungry.pop(host, None)
        self._drained.discard(host)
        self._withdrawn[host] = None
        return requests

    # --- when, and what more -------------------------------------------------------------------------------------

    def next_due(self, now: float, free: int, *, may_dial: bool) -> float | None:
        """When it is worth asking `take` again, unless something is released or added before; None = not by waiting."""
        moments = []
        for standing, heap in self._heaps.items():
            if heap and (free > 0 if standing is Standing.QUICK else may_dial):
                moments.append(heap[0][0])
            elif self._is_due(standing, now):
                break  # what comes first waits for room, and all others for it
        return min(moments, default=None)

    def next_dial(self, now: float) -> float | None:
        """Return when a host is due that would begin outside and has not failed; None = not by waiting."""
        moments = []
        for standing in (Standing.ANSWERS, Standing.UNTRIED):
            self._is_due(standing, now)  # entries that have changed are no longer on top
            if heap := self._heaps[standing]:
                moments.append(heap[0][0])
        return min(moments, default=None)

    @property
    def hungry(self) -> int:
        """Number of hosts that run low and of which there may be more to lease."""
        return len(self._hungry)

    def shares(self) -> dict[Host, int]:
        """Ask for what hosts that run low can use, a number of requests each; `add` tells what came of it.

        A host of which less came than it was asked for is not asked for again before it `gained` something.
        """
        self._asked = {}
        for host in tuple(islice(self._hungry, _MOST_SHARES)):
            del self._hungry[host]
            bench = self._hosts[host]
            if (share := bench.missing) > 0:
                self._asked[host] = share
        return dict(self._asked)

    def gained(self, hosts: Iterable[Host]) -> None:
        """Note that there may be more of these hosts to lease than before."""
        for host in hosts:
            was_asked = self._asked.pop(host, None) is not None  # perhaps before that
            if was_asked or host in self._drained:
                self._drained.discard(host)
                self._hungry[host] = None

    def forget(self, now: float) -> tuple[Host, ...]:
        """Hosts that are here no longer: nothing of them is queued or in flight, and their rest is over, or long."""
        for host in self._withdrawn:
            if not (bench := self._hosts[host]).is_busy:
                self._drop(bench)
        self._withdrawn.clear()
        while self._leaving and self._leaving[0][0] <= now:
            _, _, bench = heapq.heappop(self._leaving)
            bench.is_leaving = False
            if bench.is_gone or bench.is_busy:
                continue
            if bench.pace.due > now:
                self._watch_leave(bench)
            else:
                self._drop(bench)
        gone, self._gone = self._gone, []
        return tuple(gone)

    def _drop(self, bench: _HostQueue) -> None:
        bench.is_gone = True
        del self._hosts[bench.host]
        self._hungry.pop(bench.host, None)
        self._drained.discard(bench.host)
        self._aside.discard(bench.host)
        self._gone.append(bench.host)

    def _rest(self, bench: _HostQueue) -> None:
        """A host with nothing left may be forgotten when its rest is over."""
        if not bench.is_busy:
            self._busy -= 1
            if not bench.is_leaving:
                self._watch_leave(bench)

    def _watch_leave(self, bench: _HostQueue) -> None:
        bench.is_leaving = True
        self._order += 1
        heapq.heappush(self._leaving, (bench.pace.due, self._order, bench))

    # --- the heaps -----------------------------------------------------------------------------------------------

    def _offer(self, bench: _HostQueue) -> None:
        if bench.is_held or not bench.may_give:
            return
        standing = bench.pace.standing
        if bench.entry is None or bench.offered_as is not standing:
            self._order += 1
            bench.entry = (bench.pace.due, self._order, bench)
            bench.offered_as = standing
            heapq.heappush(self._heaps[standing], bench.entry)

    def _let_go(self, hosts: Iterable[Host]) -> None:
        for host in hosts:
            del self._held[host]
            bench = self._hosts[host]
            bench.is_held = False
            self._offer(bench)

    def __repr__(self) -> str:
        return f"<Workbench {self._queued} queued on {self._busy} hosts>"
