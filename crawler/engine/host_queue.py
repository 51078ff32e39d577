"""Mercator's back queue: the leased URLs of one host, and the throttle that says when it may be asked.

Rules
- Requests that failed before come after all others.
Runs on: anywhere (pure).
"""

from collections import deque

import msgspec

from crawler.core.messages import Request
from crawler.core.throttle import HostThrottle, Standing
from crawler.core.urls import Host

HeapEntry = tuple[float, int, "HostQueue"]  # due, order of coming, host: equals go first come, first served


class HostQueue(msgspec.Struct):
    """Requests that wait for one host, and the number of those in flight.

    Attributes:
        fresh: requests never made before, each with the moment at which it was queued here.
        again: the same, of requests that failed before.
        aside: requests that wait for a page of the budget.
        entry: its valid entry on the heap of `offered_as`; any other there is stale.
        is_held: kept off the heap while slots are scarce.
        is_idle: on the heap of hosts that may soon be forgotten.
        awaits_robots: its robots.txt is being fetched, so nothing else is asked of it.
        is_leaving: it is to be handed back, so nothing more is asked of it.
        is_gone: it was forgotten, so its entries on any heap are stale.
    """

    host: Host
    throttle: HostThrottle
    fresh: deque[tuple[Request, float]] = msgspec.field(default_factory=deque)
    again: deque[tuple[Request, float]] = msgspec.field(default_factory=deque)
    aside: list[Request] = msgspec.field(default_factory=list)
    in_flight: int = 0
    entry: HeapEntry | None = None
    offered_as: Standing = Standing.UNTRIED
    is_held: bool = False
    is_idle: bool = False
    awaits_robots: bool = False
    is_leaving: bool = False
    is_gone: bool = False

    @property
    def is_busy(self) -> bool:
        """Something of it is queued, in flight or set aside."""
        return bool(self.fresh or self.again or self.in_flight or self.aside)

    @property
    def waiting(self) -> int:
        """Number of queued requests."""
        return len(self.fresh) + len(self.again)

    @property
    def may_give(self) -> bool:
        """A request may be taken as soon as the host is due."""
        if self.awaits_robots or self.is_leaving:
            return False
        return bool(self.fresh or self.again) and self.in_flight < self.throttle.limit

    @property
    def missing(self) -> int:
        """Number of requests that fit in besides; those that failed before fill no more than a second stock."""
        stock = self.throttle.stock
        return stock - len(self.fresh) - max(0, len(self.again) - stock)

    @property
    def is_low(self) -> bool:
        """More than half of its stock is missing."""
        stock = self.throttle.stock
        return 2 * (len(self.fresh) + max(0, len(self.again) - stock)) < stock

    def queue_of(self, request: Request) -> deque[tuple[Request, float]]:
        """Return the queue in which this request waits."""
        return self.again if request.attempts else self.fresh

    def pop(self) -> tuple[Request, float]:
        """Take the next request out."""
        return (self.fresh or self.again).popleft()

    def withdraw(self) -> list[Request]:
        """Take all requests out."""
        requests = [*self.aside, *(request for request, _ in (*self.fresh, *self.again))]
        for queue in (self.fresh, self.again, self.aside):
            queue.clear()
        return requests
