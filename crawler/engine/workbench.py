"""Workbench: every host's back queue on heaps of due times, and which leased URL may be asked for now.

Rules
- A host is offered if and only if it has a queued request, a free place (fewer in flight than its limit), and its
  robots.txt is not being fetched. An offered host is on the heap of its standing, or held back for a moment.
- A request that is taken is then sent, returned until the host's robots.txt is there, set aside, or released unsent.
  Only a request that is sent moves the host's due time.
- Sending counts from the latest of three moments, each known later: the dispatch, since the host is offered again at
  once; the start of the task; the moment at which the request was written (`politeness.py`).
- Heap order is the earliest moment that politeness allows, so the top may be asked if anything may.
- Among hosts that are due, one that answers comes before an untried one, and that before one that failed
  (`core.throttle.Standing`). While one that comes first waits for a slot no other is opened, but for a share: one
  request of 8 opens an untried host, and one of 32 tries a host that failed.
- Of one host, requests that failed before come after all others, here and at the frontier: pages that stay silent must
  not keep the places of its pages that do answer.
- A request to a quick host takes a slot; any other begins outside, where there is room for many.
- The last quarter of the slots is for hosts that have less than their fair share of them: a host that answers slowly
  never takes the slots that quick hosts need, and one alone may have all.
- A host leaves memory only by `forget` (`idle_hosts.py`). Its state is in the journal before it leaves, so the next
  lease that opens it restores that. A lease already under way still finds the host, and its rest, in memory.
Strategy: a due time that moved later moves its entry only when that surfaces; each step costs O(log hosts).
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

import heapq
from collections.abc import Callable, Container, Iterable, Mapping
from typing import NamedTuple

from crawler.core.leases_and_commits import HostState
from crawler.core.messages import Request
from crawler.core.throttle import LONG_REST, HostThrottle, Standing
from crawler.core.urls import Host
from crawler.engine.host_queue import HeapEntry, HostQueue
from crawler.engine.idle_hosts import IdleHosts
from crawler.engine.low_hosts import LowHosts

_SHARES = {Standing.UNTRIED: 8, Standing.FAILED: 32}
_STANDINGS = tuple(Standing)  # read quicker than the class
_UNKNOWN = HostState()


class Taken(NamedTuple):
    """A request that may be sent now; it was queued at `since`, and begins in a slot or outside."""

    request: Request
    since: float
    in_slot: bool


class Workbench:
    """All hosts that have leased URLs, for `capacity` slots; `throttle_of` makes the throttle of a host.

    Attributes:
        queued: number of requests that wait here.
        hosts: number of hosts with something queued or in flight; hosts that only rest are not counted.
        leaving: hosts that are to be handed back, and are not forgotten yet.
    """

    def __init__(self, throttle_of: Callable[[Host, HostState], HostThrottle], capacity: int) -> None:
        self.capacity = capacity
        self.queued = 0
        self.hosts = 0
        self.leaving: dict[Host, None] = {}
        self._throttle_of = throttle_of
        self._hosts: dict[Host, HostQueue] = {}
        self._heaps: dict[Standing, list[HeapEntry]] = {standing: [] for standing in Standing}
        self._since = dict.fromkeys(_SHARES, 0)  # requests since the last one of each
        self._held: dict[Host, None] = {}
        self._aside: set[Host] = set()
        self._low = LowHosts()
        self._idle = IdleHosts()
        self._order = 0

    def __repr__(self) -> str:
        return f"<Workbench {self.queued} queued on {self.hosts} hosts>"

    @property
    def untried(self) -> int:
        """Number of hosts here that wait for their first request, or a few more."""
        return len(self._heaps[Standing.UNTRIED])

    @property
    def low(self) -> int:
        """Number of hosts that run low and may have more URLs to lease."""
        return len(self._low)

    @property
    def has_aside(self) -> bool:
        """Some requests wait for `recall`."""
        return bool(self._aside)

    def throttle(self, host: Host) -> HostThrottle:
        """Return the throttle of a host that is here."""
        return self._hosts[host].throttle

    def add(self, requests: Iterable[Request], states: Mapping[Host, HostState], now: float) -> None:
        """Queue leased requests under their hosts; `states` holds the stored state of hosts that are new here."""
        for request in requests:
            host = request.url.host_port
            queue = self._hosts.get(host)
            if queue is None:
                queue = self._hosts[host] = HostQueue(host, self._throttle_of(host, states.get(host, _UNKNOWN)))
            self.hosts += not queue.is_busy
            queue.queue_of(request).append((request, now))
            self.queued += 1
            self._offer(queue)
        self._low.settle(requests, self._hosts)

    # --- one request ---------------------------------------------------------------------------------------------

    def take(self, now: float, free: int, *, may_dial: bool) -> Taken | None:
        """Take a request that may be sent now; None = nothing is due for which there is room.

        `free` slots are there, and room outside if `may_dial`. Its host is not offered again before `send`,
        `robots_first`, `set_aside` or `release` says what becomes of the request.
        """
        if self._held and free > self.capacity // 4:
            self._let_go(tuple(self._held))
        for standing, share in _SHARES.items():
            if self._since[standing] >= share - 1 and may_dial and self._is_due(standing, now):
                return self._take_from(standing)
        for standing in _STANDINGS:
            if standing is Standing.QUICK and self.hosts > 1 and free <= self.capacity // 4:
                self._hold_back(now)
            if self._is_due(standing, now):
                has_room = free > 0 if standing is Standing.QUICK else may_dial
                return self._take_from(standing) if has_room else None
        return None

    def _is_due(self, standing: Standing, now: float) -> bool:
        """Bring a host that is due to the top; entries of hosts that have changed since are made anew."""
        heap = self._heaps[standing]
        while heap and heap[0][0] <= now:
            entry = heap[0]
            queue = entry[2]
            throttle = queue.throttle
            if entry is queue.entry and throttle.standing is standing and throttle.due <= now and queue.may_give:
                return True
            heapq.heappop(heap)
            if entry is queue.entry:
                queue.entry = None
                self._offer(queue)
        return False

    def _hold_back(self, now: float) -> None:
        """While slots are scarce, keep back the hosts that have their fair share of them."""
        heap, share = self._heaps[Standing.QUICK], max(1, self.capacity // max(1, self.hosts))
        while self._is_due(Standing.QUICK, now) and (queue := heap[0][2]).in_flight >= share:
            heapq.heappop(heap)
            queue.entry = None
            queue.is_held = True
            self._held[queue.host] = None

    def _take_from(self, taken: Standing) -> Taken:
        _, _, queue = heapq.heappop(self._heaps[taken])
        queue.entry = None
        for standing, requests in self._since.items():
            self._since[standing] = 0 if standing is taken else requests + 1
        queue.in_flight += 1
        self.queued -= 1
        request, since = queue.pop()
        self._low.took(queue)
        return Taken(request, since, taken is Standing.QUICK)

    def send(self, host: Host, now: float) -> None:
        """Count the request taken as sent, and offer its host again after the delay."""
        queue = self._hosts[host]
        queue.throttle.sent(now)
        self._offer(queue)

    def robots_first(self, request: Request, since: float) -> None:
        """Return the request taken to the front; its host gives nothing until `robots_done`.

        The robots.txt is a request of the host too, and takes the place of this one.
        """
        queue = self._hosts[request.url.host_port]
        queue.awaits_robots = True
        queue.queue_of(request).appendleft((request, since))
        self.queued += 1

    def robots_done(self, host: Host, now: float) -> None:
        """Offer the host again; the delay counts from here."""
        queue = self._hosts[host]
        queue.awaits_robots = False
        queue.throttle.sent(now)
        self.release(host)

    def release(self, host: Host) -> None:
        """Give back the place of a request that has ended, or that is not sent after all."""
        queue = self._hosts[host]
        queue.in_flight -= 1
        if host in self._held:
            self._let_go((host,))
        self._offer(queue)
        if not queue.is_busy:
            self.hosts -= 1
            self._idle.add(queue)

    def lay_back(self, request: Request, now: float) -> None:
        """Queue a request that was broken off first again; its host is released already."""
        queue = self._hosts[request.url.host_port]
        self.hosts += not queue.is_busy
        queue.queue_of(request).appendleft((request, now))
        self.queued += 1
        self._offer(queue)

    def set_aside(self, request: Request) -> None:
        """Keep a request taken that may not be sent, for a reason that is not its host's, until `recall`."""
        host = request.url.host_port
        self._hosts[host].aside.append(request)
        self._aside.add(host)
        self.release(host)

    def recall(self, now: float) -> None:
        """Queue every request again that was set aside."""
        hosts, self._aside = self._aside, set()
        for host in hosts:
            queue = self._hosts[host]
            for request in reversed(queue.aside):
                queue.queue_of(request).appendleft((request, now))
            self.queued += len(queue.aside)
            queue.aside.clear()
            self._offer(queue)

    def withdraw(self, host: Host, now: float) -> list[Request]:
        """Take back the requests of a host that rests for long, or is to go, and has none in flight.

        It may be forgotten then.
        """
        queue = self._hosts[host]
        if queue.in_flight or not (queue.is_leaving or queue.throttle.due - now > LONG_REST):
            return []
        self.queued -= queue.waiting
        self.hosts -= queue.is_busy
        self._aside.discard(host)
        self._low.forget(host)
        self._idle.withdraw(queue)
        return queue.withdraw()

    def hand_back(self, count: int) -> list[Host]:
        """Give no more of so many hosts that have requests, those with none in flight first.

        Return those of them that can be withdrawn now; the others can be once their requests in flight have ended.
        """
        count -= len(self.leaving)
        if count <= 0:
            return []
        busy = sorted(
            (queue for queue in self._hosts.values() if queue.is_busy and not queue.is_leaving), key=_in_flight
        )
        for queue in busy[:count]:
            queue.is_leaving = True
            self.leaving[queue.host] = None
            self._low.forget(queue.host)
        return [queue.host for queue in busy[:count] if not queue.in_flight]

    # --- due times, and what to lease ----------------------------------------------------------------------------

    def next_due(self, now: float, free: int, *, may_dial: bool) -> float | None:
        """Return when to call `take` again, unless a host is released or added before; None = waiting is no use."""
        moments = []
        for standing, heap in self._heaps.items():
            if heap and (free > 0 if standing is Standing.QUICK else may_dial):
                moments.append(heap[0][0])
            elif self._is_due(standing, now):
                break  # what comes first waits for room, and all others for it
        return min(moments, default=None)

    def next_dial(self, now: float) -> float | None:
        """Return when a host is due that would begin outside and has not failed; None = waiting brings none."""
        moments = []
        for standing in (Standing.ANSWERS, Standing.UNTRIED):
            self._is_due(standing, now)  # entries that have changed are no longer on top
            if heap := self._heaps[standing]:
                moments.append(heap[0][0])
        return min(moments, default=None)

    def shares(self) -> dict[Host, int]:
        """Return the number of requests to lease of each host that runs low; `add` brings them."""
        return self._low.shares(self._hosts)

    def gained(self, hosts: Iterable[Host]) -> None:
        """Note that these hosts may have more URLs to lease than before."""
        self._low.gained(hosts)

    def forget(self, now: float, keep: Container[Host] = ()) -> tuple[Host, ...]:
        """Drop the idle hosts whose rest is over, or long, but for those to keep, and return them."""
        gone = self._idle.leaving(now, keep)
        for queue in gone:
            del self._hosts[queue.host]
            self._low.forget(queue.host)
            self.leaving.pop(queue.host, None)
        return tuple(queue.host for queue in gone)

    # --- the heaps -----------------------------------------------------------------------------------------------

    def _offer(self, queue: HostQueue) -> None:
        if queue.is_held or not queue.may_give:
            return
        standing = queue.throttle.standing
        if queue.entry is None or queue.offered_as is not standing:
            self._order += 1
            queue.entry = (queue.throttle.due, self._order, queue)
            queue.offered_as = standing
            heapq.heappush(self._heaps[standing], queue.entry)

    def _let_go(self, hosts: Iterable[Host]) -> None:
        for host in hosts:
            del self._held[host]
            queue = self._hosts[host]
            queue.is_held = False
            self._offer(queue)


def _in_flight(queue: HostQueue) -> int:
    return queue.in_flight
