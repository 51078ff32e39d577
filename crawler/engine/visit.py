"""One URL's visit: fetch it politely, read it, judge it, and hand what became of it to the journal.

Rules
- A slot is held until the journal's inbox accepts the visit.
- A dial that was broken off, to make room or because the run is to end, is laid back: its URL stays pending. So is a
  URL whose host's address no name server could tell.
- From the first byte of the answer until its commit, a visit counts in the byte budget.
Runs on: the loop, one task for each visit.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
from msgspec.structs import replace

from crawler.core.budget import Budget
from crawler.core.errors import FetchError, NoNameServer
from crawler.core.events import VisitDone, VisitTimes
from crawler.core.messages import Request, Response
from crawler.core.protocols import Board, Clock, Observer, Parser
from crawler.core.records import VisitContext
from crawler.core.visits import Retry, Visit
from crawler.engine.journal import Journal
from crawler.engine.outage import NameOutage
from crawler.engine.outcomes import Judge
from crawler.engine.politeness import Politeness
from crawler.runtime.slots import Place
from crawler.runtime.tasks import Account, Alarm, ByteBudget


class Visits(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The visits of one run; each sets `wake` when its host may be asked again.

    `jitter` is a random number in [0, 1). `observe` is told of each visit; None = no observer. `keeps_headers`: a visit
    has the headers of its response.
    """

    politeness: Politeness
    parser: Parser
    judge: Judge
    journal: Journal
    memory: ByteBudget
    budget: Budget
    board: Board
    outage: NameOutage
    clock: Clock
    jitter: Callable[[], float]
    wake: Alarm
    observe: Observer | None
    keeps_headers: bool

    async def visit(self, request: Request, queued: float, place: Place) -> None:
        """Visit one URL, which waited `queued` seconds for its host."""
        stay, started = _Holdings(self.memory, place), self.clock.monotonic()
        answer: Response | FetchError
        try:
            answer = await self.politeness.fetch(request, stay)
            self.outage.answered_at = self.clock.monotonic()
            await stay.answered()  # not every fetcher asks for it
        except (asyncio.CancelledError, NoNameServer) as error:
            stay.close()
            waited = 0.0 if isinstance(error, NoNameServer) else self.clock.monotonic() - started
            self._excuse(error, place)  # raises if the task was cancelled for another reason
            # The URL is pending again, as if it had not been asked for; other URLs of its host come first.
            self.board.leave(request.id)
            self.budget.give_back(request.id)
            self.politeness.put_off(request, waited)
            return
        except FetchError as error:
            answer = error
        finally:
            place.finish()
            self.wake.set()
        try:
            await self._conclude(request, answer, stay, started, queued)
        except BaseException:
            stay.close()
            raise

    async def _conclude(
        self, request: Request, answer: Response | FetchError, stay: "_Holdings", started: float, queued: float
    ) -> None:
        """Read and judge the answer, and hand the entry over."""
        fetched, page = self.clock.monotonic(), None
        entry: Visit | Retry
        if isinstance(answer, FetchError):
            context = self._context(queued, fetched - started)
            entry = self.judge.error(self.politeness.settled(request), answer, context)
        else:
            stay.memory.settle()
            page = await self.parser.parse(answer)
            stay.memory.hold(page.weight)
            entry = self.judge.response(answer, page, self._context(queued, fetched - started))
            if self.keeps_headers and isinstance(entry, Visit):
                size = page.weight + sum([len(name) + len(value) for name, value in answer.headers])
                entry = replace(entry, headers=answer.headers, size=size)
                stay.memory.hold(size)
        handed = self.clock.monotonic()
        await self.journal.put(entry, stay)
        if self.observe is not None:
            times = VisitTimes(started, fetched, handed, self.clock.monotonic())
            response = None if isinstance(answer, FetchError) else answer
            self.observe(VisitDone.of(entry, response, page, times, queued))

    def _context(self, queued: float, total: float) -> VisitContext:
        return VisitContext(now=self.clock.wall(), jitter=self.jitter(), queued=queued, total=total)

    def _excuse(self, error: BaseException, place: Place) -> None:
        if isinstance(error, NoNameServer):
            self.outage.note(error)
        elif place.is_broken_off:
            cast("asyncio.Task[object]", asyncio.current_task()).uncancel()
        else:
            raise error

    async def refuse(self, refusal: Visit, place: Place) -> None:
        """Hand over the visit of a URL that is not asked for."""
        place.finish()
        await self.journal.put(refusal)

    async def fetch_robots(self, request: Request, place: Place) -> None:
        """Fetch the robots.txt of this request's origin, as a request of its host."""
        stay, started = _Holdings(self.memory, place), self.clock.monotonic()
        try:
            outcome = await self.politeness.fetch_robots(request, stay)
        except (asyncio.CancelledError, NoNameServer) as error:
            self._excuse(error, place)
            return
        finally:
            stay.close()
            self.wake.set()
        if self.observe is not None:
            ended = self.clock.monotonic()
            self.observe(VisitDone.of_robots(request.url.origin, outcome.reason, started, ended))


class _Holdings:
    """Holdings of one request: its place, and from the first byte of its answer on its share of the byte budget."""

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
        if self.memory.grow_at_once(n):
            return 0.0
        self.place.hold()
        try:
            return await self.memory.grow(n, there)
        finally:
            self.place.resume()

    def close(self) -> None:
        if self._account is not None:
            self._account.close()
