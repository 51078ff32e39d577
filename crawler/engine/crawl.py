"""The journey of a URL, conducted: seeds in, visits committed, until nothing eligible is pending.

    seeds -> frontier -> lease -> workbench -> robots -> dial -> slot -> fetch -> seal -> journal -> group commit

Rules
- A place is free before a task exists: a slot for a request to a host that answers at once, a place outside for any
  other, which takes a slot when its answer begins (`runtime/places.py`). A slot is held until the journal's inbox
  accepts the visit.
- A dial that is broken off, to make room or because the run is to end, is laid back: its URL stays pending.
- A name server that answers nothing is to blame, and no host: what asked for a name is laid back, and the run stops,
  to be resumed, when that lasts and no host whose address is known answers either.
- A new origin first gives its robots.txt, as a request of its host like any other; what it refuses costs no request.
- Every answer and every failure is heard by its host's pace. What is left of a host that was given up fails unasked.
- A page of the budget is reserved before its URL is dispatched.
- A drain starts nothing new and finishes what is in flight; a cancel breaks that off. Either way what was not committed
  is pending on disk, and the board is cleared: the run can be resumed.
Runs on: the loop. Nothing polls: the dispatcher wakes on an event or at the next due time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from crawler.core.budget import Budget
from crawler.core.config import BudgetConfig
from crawler.core.errors import NO_NAME_SERVER, FetchError, NoNameServer
from crawler.core.facts import VisitDone, VisitTimes
from crawler.core.handover import Committed, Lease, Opened, Totals
from crawler.core.messages import Request, Response
from crawler.core.metrics import Metrics
from crawler.core.protocols import Board, Clock, Fetcher, Observer, Parser
from crawler.core.rate_limits import RateGate
from crawler.core.records import VisitContext
from crawler.core.text import duration
from crawler.core.visits import Retry, Visit
from crawler.engine import outcomes
from crawler.engine.journal import Journal
from crawler.engine.leases import LeaseRefiller
from crawler.engine.outcomes import Judge
from crawler.engine.politeness import Politeness, PolitenessOptions
from crawler.engine.robots_cache import RobotsCache
from crawler.engine.seeds import Seeds, import_seeds
from crawler.engine.workbench import Taken, Workbench
from crawler.runtime.loop import Stop
from crawler.runtime.places import Place, Places, Work
from crawler.runtime.tasks import Account, Alarm, ByteBudget, background

_BURST = (
    1500  # tasks started between two turns of the loop; with 5,000 free slots the worst lag falls from 0.9 s to 0.5
)
_DIALS = 16  # between two turns: they take 5 ms
_BUSY = 0.05  # seconds for a turn; with fewer dials meanwhile, latencies stay those of the hosts
_WITHOUT_NAMES = 60.0  # seconds; a router that restarts takes less


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
    places: Places
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
    """End of a crawl.

    Attributes:
        stopped_by: why it stopped early; None = nothing is pending.
        error: the fault that stopped it; None = it was the user's will.
    """

    totals: Totals
    stopped_by: str | None
    error: NoNameServer | None = None


class Crawl:
    """One crawl or fetch, from `run` to its ending."""

    def __init__(self, parts: Parts, stop: Stop) -> None:
        self._parts = parts
        self._stop = stop
        self._alarm = Alarm()
        self._moment: float | None = None
        self._is_busy = False
        parts.places.on_change(self._alarm.set)
        ways = PolitenessOptions(
            jitter=parts.jitter,
            say=parts.say,
            retries=parts.judge.retries,
            discover=parts.judge.links if parts.discover else None,
        )
        self._manners = Politeness(parts.fetcher, parts.workbench, parts.robots, parts.journal, parts.clock, ways)
        self._supply = LeaseRefiller(
            parts.journal,
            parts.workbench,
            parts.clock,
            concurrency=parts.places.limit,
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
        async with background(journal.watch), self._parts.places as places:
            async with background(self._supply.run), background(self._follow_stop):
                async with background(self._import, opened):
                    await self._dispatch_all(places)
                await places.wind_down()
            await journal.settle()
        if self._imported and not self._totals.pending:
            return Ending(self._totals, None)  # the last page may be the budget's last, too
        if self._no_names and not self._stopped_by:
            return Ending(self._totals, NO_NAME_SERVER, self._no_names)
        return Ending(self._totals, self._stopped_by or self._budget.closed)

    def _begin(self, opened: Opened) -> None:
        self._totals = opened.totals
        self._stopped_by: str | None = None
        self._told_outage: float | None = None  # when that one began of which it was said that no name server answers
        self._no_names: NoNameServer | None = None
        self._answered_at = 0.0  # any host, the last time
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
        self._parts.say(f"finishing {self._parts.places.fetching} in flight; Ctrl-C again stops at once")
        self._alarm.set()
        await self._stop.wait_cancelled()
        self._parts.places.cancel_all()

    # --- dispatching ---------------------------------------------------------------------------------------------

    async def _dispatch_all(self, places: Places) -> None:
        started = dialled = 0
        while not self._is_over():
            now = self._now()
            if begun := self._dispatch(now):
                work, in_slot = begun
                if in_slot:
                    await places.start(work)
                else:
                    places.start_outside(work)
                    dialled += 1
                started += 1
                if started % _BURST == 0 or (not in_slot and dialled % _DIALS == 0):
                    await self._take_turn()
                continue
            if self._make_room(now):
                continue
            if not self._awaits_pages and self._has_room(now) and self._has_nothing_due(now):
                self._supply.idle()
            if self._is_busy:
                await self._take_turn()
            await self._alarm.wait(self._pause())

    async def _take_turn(self) -> None:
        """Let all others have a turn of the loop; how long it takes tells how busy the loop is."""
        before = self._parts.clock.monotonic()
        await asyncio.sleep(0)
        self._is_busy = self._parts.clock.monotonic() - before > _BUSY

    def _may_dial(self, now: float) -> bool:
        """Return whether more may be dialled: a loop that lags would take its own delay for that of the hosts."""
        return not self._is_busy and self._parts.places.may_dial(now)

    def _has_room(self, now: float) -> bool:
        return self._parts.places.free > 0 or self._may_dial(now)

    def _has_nothing_due(self, now: float) -> bool:
        """Return whether nothing that is here will be due by the time when the rate allows the next request."""
        parts = self._parts
        if (allowed := parts.rate.due(now)) <= now:
            return True  # or it would have begun
        due = parts.workbench.next_due(now, parts.places.free, may_dial=self._may_dial(now))
        return due is None or due > allowed

    def _make_room(self, now: float) -> bool:
        """Give what has waited for long less of the room; True when that changed anything at once."""
        places = self._parts.places
        if places.relieve(now):
            return True
        if (dial := self._parts.workbench.next_dial(now)) is not None and dial <= now:
            places.evict(now)
        return False

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
        elif self._no_names:
            return True
        elif spent := self._budget.spent(self._parts.clock.monotonic()):
            self._stopped_by = spent
        else:
            return self._imported and not self._parts.places.in_flight and self._supply.is_exhausted
        return True

    def _dispatch(self, now: float) -> tuple[Work, bool] | None:
        """The next thing to do, and whether it begins in a slot."""
        parts = self._parts
        if parts.rate.due(now) > now:
            return None
        if self._awaits_pages:
            return None
        places = parts.places
        while taken := parts.workbench.take(now, places.free, may_dial=self._may_dial(now)):
            if work := self._work(taken, now):
                return work, taken.in_slot
        return None

    def _work(self, taken: Taken, now: float) -> Work | None:
        """What to do about a request whose host is due; None = it has to wait for a page of the budget."""
        parts, request = self._parts, taken.request
        host = request.url.host_port
        if self._manners.needs_rules(request):
            parts.workbench.run_errand(request, taken.since)
            parts.rate.pass_through(now)
            return partial(self._learn_rules, request)
        if not self._budget.reserve(request.id):
            parts.workbench.set_aside(request, now)  # every page is reserved by others
            return None
        self._supply.taken()
        parts.board.enter(request.id)
        if refusal := self._manners.refusal(request):
            parts.workbench.release(host, now)
            return partial(self._put, refusal)
        parts.workbench.send(host, now)
        parts.rate.pass_through(now)
        return partial(self._visit, request, now - taken.since)

    def _pause(self) -> float | None:
        """Seconds until something is due by itself; None = only an event can change anything."""
        now, parts = self._parts.clock.monotonic(), self._parts
        moments = []
        if not self._awaits_pages:
            places = parts.places
            due = parts.workbench.next_due(now, places.free, may_dial=self._may_dial(now))
            if due is not None:
                moments.append(max(due, parts.rate.due(now)))
            if (change := places.next_change(now)) is not None:
                moments.append(change)
            if (change := places.next_eviction()) and (dial := parts.workbench.next_dial(now)):
                moments.append(max(change, dial))
            if self._is_busy:
                moments.append(now + _BUSY)
        if self._budget.deadline is not None:
            moments.append(self._budget.deadline)
        return max(0.0, min(moments) - now) if moments else None

    # --- one URL's turn ------------------------------------------------------------------------------------------

    async def _put(self, refusal: Visit, place: Place) -> None:
        place.finish()
        await self._parts.journal.put(refusal)

    async def _visit(self, request: Request, queued: float, place: Place) -> None:
        stay = _Stay(self._parts.memory, place)
        try:
            await self._turn(request, queued, stay)
        except BaseException:
            stay.close()
            raise
        finally:
            self._alarm.set()

    async def _turn(self, request: Request, queued: float, stay: "_Stay") -> None:
        parts, clock = self._parts, self._parts.clock
        started, response, page = clock.monotonic(), None, None
        entry: Visit | Retry
        try:
            response = await self._fetch(request, stay)
        except (asyncio.CancelledError, NoNameServer) as error:
            self._lay_back(request, error, stay, clock.monotonic() - started)
            return
        except FetchError as error:
            fetched = clock.monotonic()
            entry = parts.judge.error(self._manners.settled(request), error, self._ended(queued, fetched - started))
        else:
            fetched = clock.monotonic()
            stay.memory.settle()
            page = await parts.parser.parse(response)
            stay.memory.hold(page.weight)
            entry = parts.judge.response(response, page, self._ended(queued, fetched - started))
        handed = clock.monotonic()
        await parts.journal.put(entry, stay)
        if parts.observe is not None:
            laps = VisitTimes(started, fetched, handed, clock.monotonic())
            parts.observe(VisitDone.of(entry, response, page, laps, queued))

    def _lay_back(self, request: Request, error: BaseException, stay: "_Stay", took: float) -> None:
        """The URL of a dial that was broken off, or of which nobody knew the address, is as if it had not been asked.

        Raises:
            CancelledError: the task was cancelled by somebody else.
        """
        self._excuse(error, stay)
        parts = self._parts
        stay.close()
        parts.board.leave(request.id)
        if self._budget.give_back(request.id):
            parts.workbench.recall(parts.clock.monotonic())
        self._manners.put_off(request, 0.0 if isinstance(error, NoNameServer) else took)

    def _excuse(self, error: BaseException, stay: "_Stay") -> None:
        if isinstance(error, NoNameServer):
            if self._told_outage != error.since:
                self._told_outage = error.since
                self._parts.say(f"waiting: {error}")
            for_seconds = self._parts.clock.monotonic() - max(error.since, self._answered_at)
            if for_seconds > _WITHOUT_NAMES and self._no_names is None:
                self._no_names = error
                self._parts.say(f"stopping after {duration(for_seconds)}: {error}")
        elif stay.place.is_broken_off:
            cast("asyncio.Task[object]", asyncio.current_task()).uncancel()
        else:
            raise error

    def _ended(self, queued: float, total: float) -> VisitContext:
        return VisitContext(now=self._parts.clock.wall(), jitter=self._parts.jitter(), queued=queued, total=total)

    async def _fetch(self, request: Request, stay: "_Stay") -> Response:
        """The response, in a slot; the host is free again afterwards."""
        try:
            response = await self._manners.fetch(request, stay)
            self._answered_at = self._parts.clock.monotonic()
            await stay.answered()  # not every fetcher asks for it
            return response
        finally:
            stay.place.finish()
            self._alarm.set()

    async def _learn_rules(self, request: Request, place: Place) -> None:
        """A host's errand: the robots.txt of this request's origin."""
        stay, started = _Stay(self._parts.memory, place), self._parts.clock.monotonic()
        try:
            lesson = await self._manners.learn(request, stay)
        except (asyncio.CancelledError, NoNameServer) as error:
            self._excuse(error, stay)
            return
        finally:
            stay.close()
            self._alarm.set()
        if self._parts.observe is not None:
            ended = self._parts.clock.monotonic()
            self._parts.observe(VisitDone.errand(request.url.origin, lesson.reason, started, ended))

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


class _Stay:
    """Holdings of one request: its place, and its share of the byte budget from the first byte of its answer on."""

    __slots__ = ("_account", "_budget", "place")

    def __init__(self, budget: ByteBudget, place: Place) -> None:
        self._budget = budget
        self.place = place
        self._account: Account | None = None

    @property
    def memory(self) -> Account:
        if self._account is None:
            self._account = self._budget.open()
        return self._account

    async def answered(self) -> float:
        return await self.place.take_slot()

    async def grow(self, n: int, there: int = 0) -> float:
        self.place.hold()
        try:
            return await self.memory.grow(n, there)
        finally:
            self.place.resume()

    def close(self) -> None:
        if self._account is not None:
            self._account.close()
