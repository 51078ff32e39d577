"""The crawl for scripts: pages come as they are committed, and a slow reader slows the crawl.

Rules
- A page is yielded when its commit is on disk; leaving the loop ends the crawl in order.
- Until then it counts in the crawl's memory, bodies and links included: at most AHEAD pages wait, and no more bytes of
  them than a crawl may hold.
- An error that ends the crawl early is raised in the reader's loop, after the pages that were committed before.
- Errors name the keyword of an option.
- The run is in a folder like every other: one of the caller's, which `crawler resume` can continue, or a temporary one.
- Documents are read in this process unless `workers` is given.
- A crawl in a database is its first worker: it yields the pages that it has fetched, and others may join it. One that
  has lost its hosts to others begins again by itself.
Runs on: the caller's event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

import msgspec
from msgspec.structs import replace
from multidict import CIMultiDictProxy

from crawler.build import Environment, Store, assemble
from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs
from crawler.core.leases_and_commits import Committed
from crawler.core.messages import Request, Response
from crawler.core.options import in_keywords
from crawler.core.protocols import Fetcher, Room
from crawler.core.visits import Visit
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import as_pickled, headers_of, masked
from crawler.encoding import decode
from crawler.encoding.detect import of_response
from crawler.encoding.labels import named
from crawler.engine.crawl import Ending
from crawler.engine.lives import in_lives
from crawler.http.content_codings import content_steps, put_together
from crawler.parse.extract import Extractor
from crawler.planning import KEYWORDS, CrawlPlan, planned
from crawler.report.summary import list_problem
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import SeedList
from crawler.run.sources import check_sources
from crawler.runtime.tasks import Account, ByteBudget, Slots

AHEAD = 100  # pages that may wait for the reader before the crawl does


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CrawledPage:
    """One URL of a crawl, done or failed.

    Attributes:
        outcome: "done" (any final response, 404 too) or "failed" (no usable response).
        status: HTTP status; None = there was no response.
        reason: "ok", "redirect", "http_status"..., or why it failed; the words of `crawler.Reason`.
        depth: links from a seed; `referrer` is the page that it was found on.
        links: the URLs that it links to, as far as the crawl considers them, in order.
        data: the values from `select`, `text` and `extract`; `error` is the exception that `extract` raised.
        headers: of the response, by case-insensitive name, as received; `getall` gives each value of a repeated one.
        content: the body without content codings.
        fetched_at: the end of its visit, in seconds since 1970.
    """

    url: str
    outcome: str
    status: int | None
    reason: str
    content_type: str | None
    charset: str | None
    title: str | None
    depth: int
    referrer: str | None
    redirect_to: str | None
    links: tuple[str, ...]
    data: Mapping[str, object] | None
    error: str | None = None
    headers: CIMultiDictProxy[str] = field(default_factory=lambda: headers_of(()))
    content: bytes = b""
    fetched_at: float = 0.0

    def __repr__(self) -> str:
        ended = self.reason if self.status is None else self.status
        return f"<CrawledPage {ended} {masked(self.url)[:200]}, {len(self.content)} bytes, {len(self.links)} links>"

    def __reduce__(self) -> tuple[object, ...]:
        return as_pickled(self, type(self))

    @property
    def text(self) -> str:
        """The content as text; bytes that cannot be decoded become U+FFFD.

        The charset is the one in which the page was read; if it was not read, that of its header or content.
        """
        return decode.text(self.content, named(self.charset) or of_response(self.content_type, self.content))


async def crawl(
    seeds: Iterable[str] | AsyncIterable[str] | PurePath,
    *,
    output: str | PurePath | None = None,
    on_page: Callable[[CrawledPage], object] | None = None,
    session: object = None,
    cookies: bool | Pairs | CookieJar | None = None,
    extract: str | Extractor | None = None,
    **options: object,
) -> AsyncGenerator[CrawledPage, None]:
    """Follow the links from the seeds, and yield each page once it is committed.

    Args:
        seeds: URLs, or a `Path`: a file of URLs, one a line, read as `crawler crawl FILE` does. An asynchronous
            iterable is read to its end first.
        output: the folder of the run; None = a temporary one.
        on_page: called, on the loop, with each page before it is yielded; it may be `async def`.
        session: an `aiohttp.ClientSession` that sends the requests, or a function that makes one. `crawler resume`
            does not know it.
        cookies: True keeps those that servers set; a mapping is also sent to the hosts of the seeds, until a server
            sets others; a `CookieJar` brings its own and keeps them.
        extract: a function that is called with each document, or "module:function".
        options: those of `crawler crawl`, named as those of `Fetcher` are: `max_pages=100, scope="prefix", delay=1,
            select=["price=.price"], headers={"X-Team": "data"}, auth=(name, password)`.

    Raises:
        UsageError: an option is unknown or invalid, a seed is no URL, or no line of a file is one.
        StorageError: the run's folder failed; what was committed is safe.
        NoNameServer: no name server has answered for a minute; what was committed is safe.
    """
    if isinstance(seeds, str):
        raise UsageError("seeds must be a list, not a string: write [seed], or Path(name) for a file of URLs")
    if not (on_page is None or callable(on_page)):
        raise UsageError(f"on_page: expected a function, got {type(on_page).__name__}")
    place: AbstractContextManager[str | PurePath] = (
        TemporaryDirectory(prefix="crawl-", ignore_cleanup_errors=True) if output is None else nullcontext(output)
    )
    with in_keywords(KEYWORDS), place as path:
        plan = planned(options, session=session, cookies=cookies, extract=extract)
        if plan.config.shared.frontier is not None and output is None:
            raise UsageError("--frontier: the folder of this worker is a part of the run: give --output, too")
        folder = RunFolder(Path(path) / "run" if output is None else Path(path))
        listed = [seed async for seed in seeds] if isinstance(seeds, AsyncIterable) else seeds
        pages = _PageQueue()
        with _begun(folder, listed, plan) as (facts, store):
            # Not `background`, which is a generator: a loop that ends closes those that are left in any order.
            async with Slots(1) as beside:
                await beside.acquire()
                beside.start(pages.fill, folder, facts, plan, store)
                async for page in pages:
                    if on_page is not None and isawaitable(called := on_page(page)):
                        await called
                    yield page


@contextmanager
def _begun(
    folder: RunFolder, seeds: Iterable[str] | PurePath, plan: CrawlPlan
) -> Iterator[tuple[RunFacts, Store | None]]:
    """Begin the run for the block; give its facts, and the place of a frontier that several workers share."""
    frontier = plan.config.shared.frontier
    if frontier is None:
        yield _begin(folder, seeds, plan, lambda facts: facts), None
        return
    from crawler.sharing import SharedStore, begin_shared, reachable  # noqa: PLC0415 - psycopg is an extra

    with reachable(frontier, may_make=True) as database:
        facts = _begin(folder, seeds, plan, lambda facts: begin_shared(database, folder, facts))
        yield facts, SharedStore(database, facts)


def _begin(
    folder: RunFolder, seeds: Iterable[str] | PurePath, plan: CrawlPlan, enter: Callable[[RunFacts], RunFacts]
) -> RunFacts:
    """Make the folder of the run, with its seeds and its facts; `enter` notes the run where it lives."""
    column = plan.config.lists.column
    if isinstance(seeds, PurePath):
        name = str(Path(seeds).absolute())  # so it is neither a host nor `-`
        check_sources([name])
        with folder.beginning():
            return _facts(folder, folder.copy_seeds([name], column), plan, enter)
    if column is not None:
        raise UsageError("--column: seeds are URLs, not the lines of a table: give the URLs of the column")
    with folder.beginning():
        return _facts(folder, folder.write_seeds(seeds), plan, enter)


def _facts(
    folder: RunFolder, sources: tuple[SeedList, ...], plan: CrawlPlan, enter: Callable[[RunFacts], RunFacts]
) -> RunFacts:
    size = folder.seeds.stat().st_size
    facts = RunFacts(command="crawl", sources=sources, config=plan.config, needs=plan.needs, seeds_bytes=size)
    facts = enter(facts)
    folder.write_facts(facts)
    return facts


class _PageQueue:
    """Pages that are committed and not yet read; `fill` runs the crawl."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[Visit, Account] | None] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._error: Exception | None = None

    async def fill(self, folder: RunFolder, facts: RunFacts, plan: CrawlPlan, store: Store | None = None) -> None:
        environment = Environment(
            reading=plan.reading,
            http=plan.http,
            around=lambda client: _Slowed(plan.around(client), self._has_room),
            keeps_headers=True,
        )

        async def live() -> Ending:
            own = environment
            if store is not None:  # each life has a client of its own, which sends nothing after the end of its lease
                own = replace(own, http=None, jar=plan.jar, clock=store.clock(), frontier=store.frontier)
            async with AsyncExitStack() as stack:
                run = await assemble(stack, folder, facts, own)
                run.journal.on_commit(partial(self._take, run.scheduler.visits.memory))
                return await run.run()

        try:
            ending = await in_lives(live, lambda _: None)
            self._error = ending.error
            problem = list_problem(ending.totals.discovered, ending.totals.lines)
            if problem and not ending.stopped_by:
                self._error = UsageError(f"seeds: {problem}; {_first_rejected(folder)}")
        except Exception as error:  # noqa: BLE001 - raised where the pages are read
            self._error = error
        self._waiting.put_nowait(None)

    def _take(self, memory: ByteBudget, committed: Committed) -> None:
        for visit in committed.group.visits:
            if visit.record is not None:
                account = memory.open()
                account.settle()
                account.hold(visit.size)
                self._waiting.put_nowait((visit, account))
        if self._waiting.qsize() > AHEAD:
            self._has_room.clear()

    async def __aiter__(self) -> AsyncIterator[CrawledPage]:
        while (waiting := await self._waiting.get()) is not None:
            if self._waiting.qsize() <= AHEAD:
                self._has_room.set()
            visit, account = waiting
            account.close()
            yield _page(visit)
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True)
class _Slowed:
    """A Fetcher that waits while too many pages wait to be read."""

    inner: Fetcher
    has_room: asyncio.Event

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        await self.has_room.wait()
        return await self.inner.fetch(request, room)


def _page(visit: Visit) -> CrawledPage:
    record = visit.record
    assert record is not None  # noqa: S101 - `_take` has looked
    return CrawledPage(
        url=record.url,
        outcome=record.outcome,
        status=record.status,
        reason=record.reason,
        content_type=record.content_type,
        charset=record.charset,
        title=record.title,
        depth=record.depth,
        referrer=record.referrer,
        redirect_to=record.redirect_to,
        links=tuple(find.url.href for find in visit.finds),
        data=msgspec.json.decode(record.data) if record.data is not None else None,
        error=record.error,
        headers=headers_of(visit.headers),
        content=put_together(content_steps(visit.content or b"")),
        fetched_at=visit.at,
    )


def _first_rejected(folder: RunFolder) -> str:
    with folder.rejected.open("rb") as file:
        line = msgspec.json.decode(file.readline())
    return f"line {line['line']}, {line['text'][:100]!r}: {line['message']}"
