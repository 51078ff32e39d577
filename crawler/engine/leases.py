"""Lease refiller: keeps the workbench stocked with leases, and knows when there is nothing left to lease.

Rules
- A lease is asked for when the workbench runs low: few requests are queued, nothing queued is due though slots are
  free, or few hosts are untried though there may be more. Something must have changed since: a commit came, or a
  waiting retry or a resting host came due.
- Once a second, the hosts that run low are refilled, too: their next URLs come before other hosts are opened.
- While many hosts are open, each gets a few URLs, so memory is bounded by STOCK requests.
- Once the budget is full, only URLs that hold a page and wait for a retry are leased.
- There is nothing to lease when a lease that was asked for after the last commit gave nothing, and neither did any host
  that runs low. A host that gained URLs since is asked for again.
- The end is judged on an answer asked for after the last acknowledged commit, with nothing leased.
- Where several workers share the run, a lease is asked for each second, also when there is nothing to lease: it renews
  the term of all leases, and brings what the other workers have left or found.
Runs on: the loop.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from msgspec.structs import replace

from crawler.core.budget import Budget
from crawler.core.leases_and_commits import Committed, Lease, Wanted
from crawler.core.messages import Request
from crawler.core.protocols import Clock
from crawler.core.urls import Host
from crawler.engine.journal import Journal
from crawler.engine.own_share import OwnShare
from crawler.engine.robots_cache import RobotsCache
from crawler.engine.workbench import Workbench
from crawler.runtime.tasks import Alarm

_NEW_HOST_SHARE = 8  # a new host starts with few; its next share follows its pace
_NEW_HOSTS = 1000  # that one lease opens
_MOST_HOSTS = 20_000  # with something queued, dead ones too, which take a minute each
_FEW_UNTRIED = 500
_REFILL = 1.0  # seconds
_HEARTBEAT = 1.0  # seconds between two leases, at the most
_PAUSE = 0.1  # seconds between two leases, at the least: each is a transaction that others wait for
_STOCK = 40_000


@dataclass(eq=False, repr=False)
class LeaseRefiller:
    """Leases from the `journal` to the `workbench`; stored robots.txt copies go to `robots`.

    Every lease sets `wake`. `share` None = the run is this process's alone.

    Attributes:
        is_winding_down: nothing more will be dispatched, so a lease only renews the term.
    """

    journal: Journal
    workbench: Workbench
    robots: RobotsCache | None
    budget: Budget
    clock: Clock
    wake: Alarm
    share: OwnShare | None = None
    is_winding_down: bool = field(default=False, init=False)
    _refill: Alarm = field(default_factory=Alarm, init=False)
    _rest: Alarm = field(default_factory=Alarm, init=False)  # is never set
    _commits: int = field(default=0, init=False)
    _judged: int = field(default=-1, init=False)
    _dry: bool = field(default=False, init=False)
    _is_idle: bool = field(default=False, init=False)
    _leased_at: float = field(default=0.0, init=False)
    _may_open_more: bool = field(default=True, init=False)  # the last lease opened as many hosts as it was asked for
    _last: Lease = field(default_factory=Lease, init=False)

    def __post_init__(self) -> None:
        self.journal.on_commit(self._committed)

    @property
    def is_exhausted(self) -> bool:
        """Nothing is pending that could be leased, now or later."""
        return self._judged == self._commits and self._last.is_exhausted

    def taken(self, request: Request) -> None:
        """Note that this request has left the stock, to be dispatched."""
        if self.share is not None:
            self.share.dispatched(request)
        self._look()

    def _look(self) -> None:
        """Lease soon if the stock has become small."""
        is_stale = self.workbench.low > 0 and self.clock.monotonic() - self._leased_at > _REFILL
        if self._may_have_more and (is_stale or self._is_low):
            self._refill.set()

    @property
    def _may_have_more(self) -> bool:
        return not self._dry or (self.workbench.low > 0 and self._awaited is None)

    @property
    def _awaited(self) -> AbstractSet[int] | None:
        """The only URLs that may still be leased; None = any."""
        is_spare = self.share is not None and not self.share.lacks_pages
        return self.budget.awaited if self.budget.is_full and not is_spare else None

    @property
    def _is_low(self) -> bool:
        bench = self.workbench
        return bench.queued < bench.capacity or (self._may_open_more and bench.untried < _FEW_UNTRIED)

    def idle(self) -> None:
        """Note that slots are free but no queued request is due."""
        self._is_idle = True
        if self._may_have_more:
            self._refill.set()

    async def run(self) -> None:
        """Lease whenever it makes sense, until cancelled."""
        while True:
            before = self._commits
            self._leased_at = self.clock.monotonic()
            wanted = self._wanted(self._leased_at)
            self._is_idle = False
            lease = await self.journal.lease(wanted)
            self._last, self._judged = lease, before
            self._may_open_more = 0 < wanted.new_hosts <= len(lease.hosts)
            self.workbench.add(lease.requests, lease.hosts, self.clock.monotonic())
            self.workbench.gained(lease.gained)
            self._dry = not lease.requests and self._commits == before
            if self.share is not None and lease.share is not None and self.share.heed(lease.share):
                self._dry = False
                self._refill.set()
            if self.robots is not None:
                self.robots.remember(lease.robots)
            self.wake.set()
            self._look()
            due = None if lease.next_due is None else max(0.01, lease.next_due - self.clock.wall())
            if self.share is None:
                await self._refill.wait(due)
            else:
                await self._rest.wait(_PAUSE)
                await self._refill.wait(max(0.0, min(due or _HEARTBEAT, _HEARTBEAT) - _PAUSE))

    def _wanted(self, now: float) -> Wanted:
        if self.share is None:
            return self._order(self.workbench.forget(now))
        gone = self.share.give_up(now)
        order = Wanted(gone=gone) if self.is_winding_down else self._order(gone)
        return replace(order, is_idle=self._is_idle, pages=self.share.pages(is_last=self.is_winding_down))

    def _order(self, gone: tuple[Host, ...]) -> Wanted:
        if (awaited := self._awaited) is not None:
            return Wanted(gone=gone, awaited=frozenset(awaited))
        hosts = self.workbench.hosts
        new_hosts = min(_NEW_HOSTS, max(0, _MOST_HOSTS - hosts))
        return Wanted(
            gone=gone,
            shares=self.workbench.shares(),
            new_hosts=new_hosts,
            new_share=max(1, min(_NEW_HOST_SHARE, _STOCK // (hosts + new_hosts + 1))),
        )

    def _committed(self, committed: Committed) -> None:
        group = committed.group
        if not (group.visits or group.retries or group.finds or group.seeds or group.returned):
            return  # notes on hosts bring nothing to lease
        self._commits += 1
        self._dry = False
        self.workbench.gained(committed.gained)
        if self._is_idle or self._is_low:
            self._refill.set()
