"""A run from its beginning to its end: seeds in, visits committed, until no URL is left to ask for.

    seeds -> frontier -> lease -> workbench -> scheduler -> visit -> journal -> group commit

Rules
- A drain starts nothing new and finishes the requests in flight; a cancel breaks them off. Either way every URL that
  was not committed is pending on disk, and the board is cleared: the run can be resumed.
- A run that is stopped because no name server answers can be resumed, too.
Runs on: the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from crawler.core.budget import Budget
from crawler.core.errors import NO_NAME_SERVER, NoNameServer
from crawler.core.leases_and_commits import Committed, Opened, Totals
from crawler.core.metrics import Metrics
from crawler.core.protocols import Clock
from crawler.engine import outcomes
from crawler.engine.journal import Journal
from crawler.engine.leases import LeaseRefiller
from crawler.engine.outage import NameOutage
from crawler.engine.own_share import OwnShare
from crawler.engine.scheduler import Scheduler
from crawler.engine.seeds import Seeds, import_seeds
from crawler.runtime.loop import Stop
from crawler.runtime.slots import Places
from crawler.runtime.tasks import Alarm, background


class Ending(msgspec.Struct, frozen=True):
    """End of a crawl.

    Attributes:
        stopped_by: why it stopped early; None = nothing is pending.
        error: the fault that stopped it; None = it was the user's will.
    """

    totals: Totals
    stopped_by: str | None
    error: NoNameServer | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class Crawl:
    """One crawl or fetch, from `run` to its ending; `say` tells the user about single events."""

    journal: Journal
    scheduler: Scheduler
    leases: LeaseRefiller
    places: Places
    budget: Budget
    outage: NameOutage
    seeds: Seeds
    clock: Clock
    stop: Stop
    say: Callable[[str], None]
    wake: Alarm
    share: OwnShare | None = None
    metrics: Metrics = field(default_factory=Metrics, init=False)
    _is_imported: bool = field(default=False, init=False)
    _stopped_by: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.journal.on_commit(self._committed)
        if self.share is not None:
            self.share.on_totals(self._summed)

    async def run(self) -> Ending:
        """Go on until the end, a spent budget or a stop.

        Raises:
            StorageError: the disk or the run's files failed; what was committed is safe.
        """
        opened = await self.journal.open()
        now = self.clock.monotonic()
        self._is_imported = opened.cursor.finished
        self.budget.begin(opened.totals, now, opened.own_lines)
        self.metrics.begin(opened.totals, now)
        is_alone = opened.own_lines is None  # others may be about to find more
        if is_alone and self._is_imported and not (opened.totals.pending or opened.suspects):
            self.say("already complete: nothing is left to fetch")
        async with background(self.journal.watch), self.places:
            async with background(self.leases.run), background(self._follow_stop), background(self._follow_term):
                async with background(self._import, opened):
                    await self.scheduler.run(self._is_over)
                self.leases.is_winding_down = True
                await self.places.wind_down()
            await self.journal.settle()
        totals, outage = self.metrics.totals, self.outage.error
        if self._is_imported and not totals.pending:
            return Ending(totals, None)  # the last page may be the budget's last, too
        if outage and not self._stopped_by:
            return Ending(totals, NO_NAME_SERVER, outage)
        return Ending(totals, self._stopped_by or self.budget.closed)

    async def _import(self, opened: Opened) -> None:
        for request in opened.suspects:
            while not self.budget.reserve(request.id) and self.share is not None:
                await self.share.granted()
            if self.budget.reserve(request.id):
                await self.journal.put(outcomes.suspect(request, self.clock.wall()))
        if not self._is_imported:
            await import_seeds(self.seeds, opened.cursor, self.journal)
            self._is_imported = True
        self.wake.set()

    async def _follow_term(self) -> None:
        if self.share is not None:
            await self.share.follow_term()

    async def _follow_stop(self) -> None:
        await self.stop.wait_draining()
        self.say(f"finishing {self.places.fetching} in flight; Ctrl-C again stops at once")
        self.wake.set()
        await self.stop.wait_cancelled()
        self.places.cancel_all()

    def _is_over(self) -> bool:
        if self.stop.draining:
            self._stopped_by = "interrupted"
        elif self.outage.error:
            return True
        elif spent := self.budget.spent(self.clock.monotonic()):
            self._stopped_by = spent
        else:
            return self._is_imported and not self.places.in_flight and self.leases.is_exhausted
        return True

    def _committed(self, committed: Committed) -> None:
        self.metrics.committed(committed)
        for retry in committed.group.retries:
            self.budget.put_off(retry.request.id, retry.request.url.host_port)
        for visit in committed.group.visits:
            if visit.record is not None:
                self.budget.write(visit.request.id, visit.record.bytes or 0)
            else:
                self.budget.give_back(visit.request.id)
        if self.share is not None:
            self.share.committed(committed)
        self.wake.set()

    def _summed(self, totals: Totals) -> None:
        self.metrics.totals = totals
        self.budget.heed(totals)
