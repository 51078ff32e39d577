"""The journey of a URL, conducted: seeds in, visits committed, until nothing eligible is pending.

    seeds -> frontier -> lease -> workbench -> robots -> slot -> fetch -> seal -> journal -> group commit

Rules
- A slot is taken before a task exists and is held until the journal's inbox accepts the visit.
- A new origin first gives its robots.txt, as a request of its host like any other; what it refuses costs no request.
- Every answer and every failure is heard by its host's pace. What is left of a host that was given up fails unasked.
- A page of the budget is reserved before its URL is dispatched.
- A drain starts nothing new and finishes what is in flight; a cancel breaks that off. Either way what was not committed
  is pending on disk, and the board is cleared: the run can be resumed.
Runs on: the loop. Nothing polls: the dispatcher wakes on an event or at the next due time.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from itertools import count

from crawler.core import outcomes
from crawler.core.budget import Budget
from crawler.core.config import BudgetConfig
from crawler.core.errors import FetchError
from crawler.core.facts import Laps, Turned
from crawler.core.metrics import Metrics
from crawler.core.models import Committed, Lease, Opened, Request, Response, Retry, Totals, Visit
from crawler.core.outcomes import Judge
from crawler.core.politeness import RateGate
from crawler.core.protocols import Board, Clock, Fetcher, Observer, Parser
from crawler.core.records import Turn
from crawler.core.workbench import Workbench
from crawler.crawl.journal import Journal
from crawler.crawl.manners import Manners, Ways
from crawler.crawl.robots_cache import RobotsCache
from crawler.crawl.seeds import Seeds, import_seeds
from crawler.crawl.supply import Supply
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import Account, Alarm, ByteBudget, Slots, background

_BURST = (
    1500  # tasks started between two turns of the loop; with 5,000 free slots the worst lag falls from 0.9 s to 0.5
)

_Job = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a crawl is made of; `build.py` chooses each. `robots` None = every URL may be asked for.

    `say` tells the user what happens once; `discover` = sitemaps that a robots.txt names are read; `observe` is told
    each turn, None = nobody looks.
    """

    fetcher: Fetcher
    parser: Parser
    journal: Journal
    board: Board
    workbench: Workbench
    robots: RobotsCache | None
    rate: RateGate
    judge: Judge
    slots: Slots
    memory: ByteBudget
    clock: Clock
    jitter: Callable[[], float]
    metrics: Metrics
    say: Callable[[str], None]
    seeds: Seeds
    budget: BudgetConfig
    discover: bool = False
    observe: Observer | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a crawl ended: its account, and why it stopped early; None = nothing is pending."""

    totals: Totals
    stopped_by: str | None


class Crawl:
    """One crawl or fetch, from `run` to its ending."""

    def __init__(self, parts: Parts, stop: Stop) -> None:
        self._parts = parts
        self._stop = stop
        self._alarm = Alarm()
        self._moment: float | None = None
        ways = Ways(
            jitter=parts.jitter,
            say=parts.say,
            retries=parts.judge.retries,
            discover=parts.judge.links if parts.discover else None,
        )
        self._manners = Manners(parts.fetcher, parts.workbench, parts.robots, parts.journal, parts.clock, ways)
        self._supply = Supply(
            parts.journal,
            parts.workbench,
            parts.clock,
            concurrency=parts.slots.limit,
            on_lease=self._leased,
            awaited=lambda: self._budget.awaited if self._budget.is_full else None,
        )
        parts.journal.on_commit(self._committed)

    async def run(self) -> Ending:
        """Go on until the end, a spent budget or a stop.

        Raises:
            StorageError: the disk or the run's files failed; what was committed is safe.
        """
        journal = self._parts.journal
        self._begin(opened := await journal.open())
        async with background(journal.watch), self._parts.slots as slots:
            async with background(self._supply.run), background(self._follow_stop):
                async with background(self._import, opened):
                    await self._dispatch_all(slots)
                await slots.idle()
            await journal.settle()
        if self._imported and not self._totals.pending:
            return Ending(self._totals, None)  # the last page may be the budget's last, too
        return Ending(self._totals, self._stopped_by or self._budget.closed)

    def _begin(self, opened: Opened) -> None:
        self._totals = opened.totals
        self._stopped_by: str | None = None
        self._imported = opened.cursor.finished
        self._suspects = opened.suspects
        self._budget = Budget(
            self._parts.budget,
            started=self._parts.clock.monotonic(),
            pages=opened.totals.done + opened.totals.failed,
            size=opened.totals.bytes,
        )
        self._parts.metrics.begin(opened.totals, self._parts.clock.monotonic())
        if self._imported and not (opened.totals.pending or opened.suspects):
            self._parts.say("already complete: nothing is left to fetch")

    async def _import(self, opened: Opened) -> None:
        for request in self._suspects:
            if self._budget.reserve(request.id):
                await self._parts.journal.put(outcomes.suspect(request, self._parts.clock.wall()))
        if not self._imported:
            await import_seeds(self._parts.seeds, opened.cursor, self._parts.journal)
            self._imported = True
        self._alarm.set()

    async def _follow_stop(self) -> None:
        await self._stop.wait_draining()
        self._parts.say(f"finishing {self._parts.slots.in_flight} in flight; Ctrl-C again stops at once")
        self._alarm.set()
        await self._stop.wait_cancelled()
        self._parts.slots.cancel_all()

    # --- dispatching ---------------------------------------------------------------------------------------------

    async def _dispatch_all(self, slots: Slots) -> None:
        for started in count(1):
            if (job := await self._next()) is None:
                return
            slots.start(job)
            if started % _BURST == 0:  # thousands of free slots are not filled in one turn of the loop
                await asyncio.sleep(0)

    async def _next(self) -> _Job | None:
        """A slot, and what is to run in it; None = nothing more is to start."""
        await self._parts.slots.acquire()
        while not self._is_over():
            if job := self._dispatch(self._now()):
                return job
            if not self._awaits_pages:
                self._supply.idle()
            await self._alarm.wait(self._pause())
        self._parts.slots.release()
        return None

    def _now(self) -> float:
        """One moment for a whole turn of the loop: none of the tasks begins before its end, and counts as sent then."""
        if self._moment is None:
            self._moment = self._parts.clock.monotonic()
            asyncio.get_running_loop().call_soon(self._begin_turn)
        return self._moment

    def _begin_turn(self) -> None:
        self._moment = None

    @property
    def _awaits_pages(self) -> bool:
        """Every page is in somebody's hands: there is nobody to look for."""
        return self._budget.is_full and not self._budget.awaited

    def _is_over(self) -> bool:
        if self._stop.draining:
            self._stopped_by = "interrupted"
        elif spent := self._budget.spent(self._parts.clock.monotonic()):
            self._stopped_by = spent
        else:
            return self._imported and not self._parts.slots.in_flight and self._supply.is_exhausted
        return True

    def _dispatch(self, now: float) -> _Job | None:
        parts = self._parts
        if parts.rate.due(now) > now:
            return None
        if self._awaits_pages:
            return None
        while found := parts.workbench.take(now, parts.slots.free + 1):
            if job := self._job(*found, now):
                return job
        return None

    def _job(self, request: Request, since: float, now: float) -> _Job | None:
        """What to do about a request whose host is due; None = it has to wait for a page of the budget."""
        parts, host = self._parts, request.url.host_port
        if self._manners.needs_rules(request):
            parts.workbench.run_errand(request, since)
            parts.rate.pass_through(now)
            return partial(self._learn_rules, request)
        if not self._budget.reserve(request.id):
            parts.workbench.set_aside(request, now)  # every page is reserved by others
            return None
        self._supply.taken()
        parts.board.enter(request.id)
        if refusal := self._manners.refusal(request):
            parts.workbench.release(host, now)
            return partial(parts.journal.put, refusal)
        parts.workbench.send(host, now)
        parts.rate.pass_through(now)
        return partial(self._visit, request, now - since)

    def _pause(self) -> float | None:
        """Seconds until something is due by itself; None = only an event can change anything."""
        now = self._parts.clock.monotonic()
        due = None if self._awaits_pages else self._parts.workbench.next_due()
        moments = [] if due is None else [max(due, self._parts.rate.due(now))]
        if self._budget.deadline is not None:
            moments.append(self._budget.deadline)
        return max(0.0, min(moments) - now) if moments else None

    # --- one URL's turn ------------------------------------------------------------------------------------------

    async def _visit(self, request: Request, queued: float) -> None:
        memory = self._parts.memory.open()
        try:
            await self._turn(request, queued, memory)
        except BaseException:
            memory.close()
            raise
        finally:
            self._alarm.set()

    async def _turn(self, request: Request, queued: float, memory: Account) -> None:
        parts, clock = self._parts, self._parts.clock
        started, response, page = clock.monotonic(), None, None
        entry: Visit | Retry
        try:
            response = await self._fetch(request, memory)
        except FetchError as error:
            fetched = clock.monotonic()
            entry = parts.judge.error(self._manners.settled(request), error, self._ended(queued, fetched - started))
        else:
            fetched = clock.monotonic()
            memory.settle()
            page = await parts.parser.parse(response)
            memory.hold(page.weight)
            entry = parts.judge.response(response, page, self._ended(queued, fetched - started))
        handed = clock.monotonic()
        await parts.journal.put(entry, memory)
        if parts.observe is not None:
            laps = Laps(started, fetched, handed, clock.monotonic())
            parts.observe(Turned.of(entry, response, page, laps, queued))

    def _ended(self, queued: float, total: float) -> Turn:
        return Turn(now=self._parts.clock.wall(), jitter=self._parts.jitter(), queued=queued, total=total)

    async def _fetch(self, request: Request, memory: Account) -> Response:
        """The response; the host is free again afterwards."""
        try:
            return await self._manners.fetch(request, memory)
        finally:
            self._alarm.set()

    async def _learn_rules(self, request: Request) -> None:
        """A host's errand: the robots.txt of this request's origin."""
        memory, started = self._parts.memory.open(), self._parts.clock.monotonic()
        try:
            lesson = await self._manners.learn(request, memory)
        finally:
            memory.close()
            self._alarm.set()
        if self._parts.observe is not None:
            ended = self._parts.clock.monotonic()
            self._parts.observe(Turned.errand(request.url.origin, lesson.reason, started, ended))

    # --- what others report --------------------------------------------------------------------------------------

    def _leased(self, lease: Lease) -> None:
        if self._parts.robots is not None:
            self._parts.robots.remember(lease.robots)
        self._alarm.set()

    def _committed(self, committed: Committed) -> None:
        self._totals = committed.totals
        freed = False
        for retry in committed.group.retries:
            self._budget.put_off(retry.request.id)
        for visit in committed.group.visits:
            if visit.record is not None:
                self._budget.write(visit.request.id, visit.record.bytes or 0)
            else:
                freed |= self._budget.give_back(visit.request.id)
        if freed:
            self._parts.workbench.recall(self._parts.clock.monotonic())
        self._parts.metrics.committed(committed)
        self._alarm.set()
