"""The crawl for scripts: pages come as they are committed, and a slow reader slows the crawl.

Rules
- A page is yielded when its commit is on disk; leaving the loop ends the crawl in order.
- Until then it counts in the crawl's memory, bodies and links included: at most AHEAD pages wait, and no more bytes of
  them than a crawl may hold.
- An error that ends the crawl early is raised in the reader's loop, after the pages that were committed before.
- Errors name the keyword of an option.
- The run is in a folder like every other: one of the caller's, which `crawler resume` can continue, or a temporary one.
- Documents are read in this process unless `workers` is given.
Runs on: the caller's event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec.structs import replace

from crawler.build import Environment, assemble, check_files
from crawler.core.config import OPTIONS, configure
from crawler.core.errors import UsageError
from crawler.core.leases_and_commits import Committed
from crawler.core.messages import Request, Response
from crawler.core.options import check_names, in_keywords, keywords_of
from crawler.core.protocols import Fetcher, Room
from crawler.core.visits import Visit
from crawler.encoding import decode
from crawler.encoding.detect import of_response
from crawler.encoding.labels import named
from crawler.http.content_codings import content_steps, put_together
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime.tasks import Account, ByteBudget, Slots

AHEAD = 100  # pages that may wait for the reader before the crawl does
_CRAWL = keywords_of([*OPTIONS, "output"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawledPage:
    """One URL of a crawl, done or failed.

    Attributes:
        outcome: "done" (any final response, 404 too) or "failed" (no usable response).
        status: HTTP status; None = there was no response.
        reason: "ok", "redirect", "http_status"..., or why it failed; the words of `crawler.Reason`.
        depth: links from a seed; `referrer` is the page that it was found on.
        links: the URLs that it links to, as far as the crawl considers them, in order.
        data: the values from `select`, `text` and `extract`; `error` is the exception that `extract` raised.
        content: the body without content codings.
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
    content: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """The content as text; bytes that cannot be decoded become U+FFFD.

        The charset is the one in which the page was read; if it was not read, that of its header or content.
        """
        return decode.text(self.content, named(self.charset) or of_response(self.content_type, self.content))


async def crawl(
    seeds: Iterable[str],
    *,
    output: str | Path | None = None,
    on_page: Callable[[CrawledPage], object] | None = None,
    **options: object,
) -> AsyncIterator[CrawledPage]:
    """Follow the links from the seeds, and yield each page once it is committed.

    `output` is the folder of the run; None = a temporary one. Options are those of `crawler crawl`, with underscores:
    `max_pages=100, scope="prefix", select=["price=.price"], delay=1`. `on_page` is called, on the loop, with each page
    before it is yielded.

    Raises:
        UsageError: an option is unknown or invalid, or a seed is no URL.
        StorageError: the run's folder failed; what was committed is safe.
        NoNameServer: no name server has answered for a minute; what was committed is safe.
    """
    if isinstance(seeds, str):
        raise UsageError("seeds must be a list, not a string: write [seed]")
    check_names(options, _CRAWL.values(), "crawl")
    place: AbstractContextManager[str | Path] = (
        TemporaryDirectory(prefix="crawl-", ignore_cleanup_errors=True) if output is None else nullcontext(output)
    )
    with in_keywords(_CRAWL), place as path:
        config = configure({"workers": 0, **{name.replace("_", "-"): value for name, value in options.items()}})
        check_files(config)
        pages = _PageQueue()
        folder = RunFolder(Path(path) / "run" if output is None else Path(path))
        with folder.beginning():
            if config.lists.column is not None:
                raise UsageError("--column: seeds are URLs, not the lines of a table: give the URLs of the column")
            sources = folder.write_seeds(seeds)
            size = folder.seeds.stat().st_size
            facts = RunFacts(command="crawl", sources=sources, seeds_bytes=size, config=config)
            folder.write_facts(facts)
        # Not `background`, which is a generator: a loop that ends closes those that are left in any order.
        async with Slots(1) as beside:
            await beside.acquire()
            beside.start(pages.fill, folder, facts)
            async for page in pages:
                if on_page is not None:
                    on_page(page)
                yield page


class _PageQueue:
    """Pages that are committed and not yet read; `fill` runs the crawl."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[Visit, Account] | None] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._error: Exception | None = None

    async def fill(self, folder: RunFolder, facts: RunFacts) -> None:
        try:
            async with AsyncExitStack() as stack:
                environment = Environment(
                    reading=partial(replace, keep=True), around=lambda fetcher: _Slowed(fetcher, self._has_room)
                )
                run = await assemble(stack, folder, facts, environment)
                run.journal.on_commit(partial(self._take, run.scheduler.visits.memory))
                self._error = (await run.run()).error
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
        content=put_together(content_steps(visit.content or b"")),
    )
