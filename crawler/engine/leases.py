"""Keeps the workbench stocked with leases, and knows when there is nothing left to lease.

Rules
- A lease is asked for when the stock is low, or nothing of it is due though there are slots, or few hosts of it are
  untried though there may be more, and something may have changed: a commit, or a retry or a host that came due.
- Once a second the hosts that run low are asked for, too: their next URLs come before other hosts are opened.
- A few of each host's URLs are enough while many hosts are here, so memory is bounded by STOCK requests.
- When no page of the budget is left, only what holds one and waits for its retry is asked for.
- There is nothing to lease when a lease that was asked for after the last commit gave nothing, and each host that runs
  low was asked for in vain; who gained something since is asked for again.
- The end is judged on an answer asked for after the last acknowledged commit, with nothing leased.
Runs on: the loop.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from crawler.core.handover import Committed, Lease, Wanted
from crawler.core.protocols import Clock
from crawler.engine.journal import Journal
from crawler.engine.workbench import Workbench
from crawler.runtime.tasks import Alarm

_NEW_HOST_SHARE = 8  # a new host starts with few; its next share follows its pace
_NEW_HOSTS = 1000  # that one lease opens
_MOST_HOSTS = 20_000  # with something queued, dead ones too, which take a minute each
_FEW_UNTRIED = 500
_REFILL = 1.0  # seconds
_STOCK = 40_000


class LeaseRefiller:
    """Leases from the `journal` to the `workbench`, for `concurrency` fetches at once.

    `on_lease` hears every answer;
    `awaited` tells which URLs alone may still be asked for, None = any.
    """

    def __init__(
        self,
        journal: Journal,
        workbench: Workbench,
        clock: Clock,
        *,
        concurrency: int,
        on_lease: Callable[[Lease], None],
        awaited: Callable[[], AbstractSet[int] | None],
    ) -> None:
        self._journal = journal
        self._workbench = workbench
        self._clock = clock
        self._concurrency = concurrency
        self._on_lease = on_lease
        self._awaited = awaited
        self._hunger = Alarm()
        self._commits = 0
        self._judged = -1
        self._dry = False
        self._is_idle = False
        self._leased_at = 0.0
        self._may_open_more = True  # the last lease opened as many hosts as it was asked for
        self._last = Lease()
        journal.on_commit(self._committed)

    @property
    def is_exhausted(self) -> bool:
        """Nothing is pending that could be leased, now or later."""
        return self._judged == self._commits and self._last.is_exhausted

    def taken(self) -> None:
        """The stock has shrunk."""
        if self._may_have_more and (self._is_low or self._is_stale):
            self._hunger.set()

    @property
    def _may_have_more(self) -> bool:
        return not self._dry or (self._workbench.hungry > 0 and self._awaited() is None)

    @property
    def _is_stale(self) -> bool:
        return self._workbench.hungry > 0 and self._clock.monotonic() - self._leased_at > _REFILL

    @property
    def _is_low(self) -> bool:
        bench = self._workbench
        return bench.queued < self._concurrency or (self._may_open_more and bench.untried < _FEW_UNTRIED)

    def idle(self) -> None:
        """There are slots, and nothing that is here is due."""
        self._is_idle = True
        if self._may_have_more:
            self._hunger.set()

    async def run(self) -> None:
        """Lease whenever it makes sense, until cancelled."""
        while True:
            await self._lease()
            await self._hunger.wait(self._until_next_due())

    async def _lease(self) -> None:
        before, self._is_idle = self._commits, False
        self._leased_at = self._clock.monotonic()
        wanted = self._wanted(self._leased_at)
        lease = await self._journal.lease(wanted)
        self._last, self._judged = lease, before
        self._may_open_more = 0 < wanted.new_hosts <= len(lease.hosts)
        self._workbench.add(lease.requests, lease.hosts, self._clock.monotonic())
        self._workbench.gained(lease.gained)
        self._dry = not lease.requests and self._commits == before
        self._on_lease(lease)
        self.taken()

    def _wanted(self, now: float) -> Wanted:
        gone = self._workbench.forget(now)
        if (awaited := self._awaited()) is not None:
            return Wanted(gone=gone, awaited=frozenset(awaited))
        hosts = self._workbench.hosts
        new_hosts = min(_NEW_HOSTS, max(0, _MOST_HOSTS - hosts))
        return Wanted(
            gone=gone,
            shares=self._workbench.shares(),
            new_hosts=new_hosts,
            new_share=max(1, min(_NEW_HOST_SHARE, _STOCK // (hosts + new_hosts + 1))),
        )

    def _until_next_due(self) -> float | None:
        if self._last.next_due is None:
            return None
        return max(0.01, self._last.next_due - self._clock.wall())

    def _committed(self, committed: Committed) -> None:
        group = committed.group
        if not (group.visits or group.retries or group.finds or group.seeds or group.returned):
            return  # what was learned of hosts brings nothing to lease
        self._commits += 1
        self._dry = False
        self._workbench.gained(committed.gained)
        if self._is_idle or self._is_low:
            self._hunger.set()
