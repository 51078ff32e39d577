"""Eviction: the hosts with nothing queued or in flight, and the moment at which each may leave memory.

Rules
- A host leaves once its rest is over. If its rest is so long that its leases were handed back, it leaves at once.
Strategy: a host that is busy again stays on the heap, and is dropped from it when its entry surfaces.
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

import heapq
from collections.abc import Container

from crawler.core.urls import Host
from crawler.engine.host_queue import HeapEntry, HostQueue


class IdleHosts:
    """Hosts on a heap by the end of their rest."""

    def __init__(self) -> None:
        self._heap: list[HeapEntry] = []
        self._withdrawn: dict[Host, HostQueue] = {}
        self._order = 0

    def add(self, queue: HostQueue) -> None:
        """Watch a host that has become idle."""
        if not queue.is_idle:
            queue.is_idle = True
            self._order += 1
            heapq.heappush(self._heap, (queue.throttle.due, self._order, queue))

    def withdraw(self, queue: HostQueue) -> None:
        """Let a host leave at once, unless it becomes busy before `leaving` is asked."""
        self._withdrawn[queue.host] = queue

    def leaving(self, now: float, keep: Container[Host]) -> list[HostQueue]:
        """Return the hosts that may leave now, but for those to keep, and watch them no longer."""
        idle = [queue for queue in self._withdrawn.values() if not queue.is_busy]
        gone = [queue for queue in idle if queue.host not in keep]
        self._withdrawn = {queue.host: queue for queue in idle if queue.host in keep}
        kept = []
        for queue in gone:
            queue.is_gone = True
        while self._heap and self._heap[0][0] <= now:
            queue = heapq.heappop(self._heap)[2]
            queue.is_idle = False
            if queue.is_gone or queue.is_busy:
                continue
            if queue.host in keep:
                kept.append(queue)
            elif queue.throttle.due > now:
                self.add(queue)
            else:
                queue.is_gone = True
                gone.append(queue)
        for queue in kept:
            self.add(queue)
        return gone
