"""Keeps the workbench stocked with leases, and knows when there is nothing left to lease.

Rules
- A lease is asked for when the stock is low and something may have changed: a commit, or a retry that came due.
- The end is judged on an answer asked for after the last acknowledged commit, with nothing leased.
Runs on: the loop.
"""

from collections.abc import Callable

from crawler.core.models import Committed, Lease
from crawler.core.protocols import Clock
from crawler.core.workbench import Workbench
from crawler.crawl.journal import Journal
from crawler.runtime.tasks import Alarm

_NEW_HOST_SHARE = 8  # a new host starts with few; its next share follows its pace


class Supply:
    """Leases from the `journal` to the `workbench`, for `concurrency` fetches at once.

    `on_lease` hears every answer.
    """

    def __init__(
        self,
        journal: Journal,
        workbench: Workbench,
        clock: Clock,
        *,
        concurrency: int,
        on_lease: Callable[[Lease], None],
    ) -> None:
        self._journal = journal
        self._workbench = workbench
        self._clock = clock
        self._concurrency = concurrency
        self._on_lease = on_lease
        self._hunger = Alarm()
        self._commits = 0
        self._judged = -1
        self._dry = False
        self._last = Lease()
        journal.on_commit(self._committed)

    @property
    def is_exhausted(self) -> bool:
        """Nothing is pending that could be leased, now or later."""
        return self._judged == self._commits and self._last.is_exhausted

    def taken(self) -> None:
        """The stock has shrunk."""
        if not self._dry and self._workbench.queued < self._concurrency:
            self._hunger.set()

    async def run(self) -> None:
        """Lease whenever it makes sense, until cancelled."""
        while True:
            await self._lease()
            await self._hunger.wait(self._until_next_due())

    async def _lease(self) -> None:
        before = self._commits
        shares = self._workbench.shares(self._clock.monotonic())
        room_for_hosts = max(0, 2 * self._concurrency - self._workbench.hosts)
        lease = await self._journal.lease(shares, room_for_hosts, _NEW_HOST_SHARE)
        self._last, self._judged, self._dry = lease, before, not lease.requests
        now = self._clock.monotonic()
        ahead = now - self._clock.wall()
        due = {host: max(now, state.due + ahead) for host, state in lease.hosts.items()}
        self._workbench.add(lease.requests, due, now)
        self._on_lease(lease)
        self.taken()

    def _until_next_due(self) -> float | None:
        if self._last.next_due is None:
            return None
        return max(0.01, self._last.next_due - self._clock.wall())

    def _committed(self, committed: Committed) -> None:
        self._commits += 1
        self._dry = False
        self._hunger.set() if self._workbench.queued < self._concurrency else None
