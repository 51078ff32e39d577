"""embed: the crawl for scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from crawler.build import assemble
from crawler.core.config import configure
from crawler.core.errors import StorageError
from crawler.core.models import Committed, Group, Page, Request, Response, State, Totals, Visit
from crawler.core.reasons import Reason
from crawler.core.records import Turn, answered
from crawler.core.urls import parse
from crawler.crawl.engine import Crawl
from crawler.crawl.folder import RunFacts, RunFolder
from crawler.embed import AHEAD, _Pages, crawl
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import ByteBudget
from crawler.sinks.jsonl import JsonlSink
from crawler.testing import FakeFetcher
from support.siteserver import HandMadeSite

BODY = b"x" * 1000


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """A page that links to ten others."""
    async with HandMadeSite() as site:
        site.add_page("/", links=[f"/{number}" for number in range(10)])
        for number in range(10):
            site.add_page(f"/{number}", BODY)
        yield site


def committed(count: int) -> Committed:
    """A group of so many pages, each with its body."""
    visits = []
    for number in range(count):
        request = Request(url=parse(f"http://h/{number}"))
        page = Page(size=len(BODY), sha256="ab", content=BODY)
        line = answered(Response(request=request, status=200), page, Reason.OK, Turn(now=0.0), state=State.DONE)
        kept = Visit(request=request, state=State.DONE, reason=Reason.OK, record=line, content=BODY, size=page.weight)
        visits.append(kept)
    return Committed(group=Group(visits=tuple(visits)), totals=Totals())


async def test_pages_come_with_what_they_hold(site: HandMadeSite) -> None:
    """Content, data and links of each page, after its commit."""
    pages = {page.url: page async for page in crawl([site.url("/")], select=["x=a::attr(href)"])}

    assert len(pages) == 11
    assert pages[site.url("/3")].content == BODY
    assert pages[site.url("/")].data == {"x": [f"/{number}" for number in range(10)]}
    assert pages[site.url("/")].links == tuple(site.url(f"/{number}") for number in range(10))


async def test_what_waits_for_the_reader_counts_in_the_memory() -> None:
    """A page's bytes are held until the reader takes it, and a hundred pages slow the crawl."""
    memory, pages = ByteBudget(10**9), _Pages()

    pages._take(memory, committed(AHEAD + 1))
    held, has_room = memory.used, pages._has_room.is_set()
    reader = aiter(pages)
    await anext(reader)
    await anext(reader)

    assert (held, has_room) == (len(BODY) * (AHEAD + 1), False)
    assert (memory.used, pages._has_room.is_set()) == (len(BODY) * (AHEAD - 1), True)


async def test_a_visit_is_held_until_whoever_hears_of_its_commit_has_heard(tmp_path: Path) -> None:
    """Its body and its found links are in the budget while listeners are told, so nothing overtakes them."""
    links = b"".join(b"<a href=/%d>" % number for number in range(1000))
    folder, seen = RunFolder(tmp_path), list[tuple[int, int]]()
    folder.seeds.write_text("http://127.0.0.1:8080/\n", "utf-8")
    facts = RunFacts(command="crawl", sources=(), options={})
    config = configure({"workers": 0, "robots": False, "max-pages": 1})

    async with AsyncExitStack() as stack:
        fetcher = FakeFetcher(default=(200, links))
        parts = await assemble(
            stack, folder, facts, config, reading=partial(replace, keep=True), around=lambda _: fetcher
        )
        parts.journal.on_commit(
            lambda group: seen.extend((visit.size, parts.memory.used) for visit in group.group.visits)
        )
        await Crawl(parts, Stop()).run()

    [(size, used)] = seen
    assert size == used > len(links) + 20_000
    assert parts.memory.used == 0


async def test_what_ends_the_crawl_comes_out_of_the_loop(site: HandMadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error itself, where the pages are read; what the reader waits for besides is left in peace."""
    broken = StorageError("pages.jsonl: the disk is gone")
    failed = asyncio.Event()
    append = JsonlSink.append

    def fail(sink: JsonlSink, visits: list[Visit]) -> object:
        if any(visit.request.depth for visit in visits):
            loop.call_soon_threadsafe(failed.set)
            raise broken
        return append(sink, visits)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(JsonlSink, "append", fail)
    urls = []

    async def read() -> None:
        async for page in crawl([site.url("/")]):
            urls.append(page.url)
            await failed.wait()
            await asyncio.sleep(0.05)  # not to wait for something: whatever may be thrown at us, may be thrown now

    with pytest.raises(StorageError) as raised:
        await read()

    assert raised.value is broken
    assert urls == [site.url("/")]
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
