"""embed: the crawl for scripts."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.build import Environment, assemble
from crawler.cli.main import _run
from crawler.core.config import configure
from crawler.core.errors import InternalError, StorageError, TargetRefused, UsageError, WorkersMissing
from crawler.core.leases_and_commits import Committed, Group, Totals
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, answered
from crawler.core.urls import parse
from crawler.core.visits import Page, State, Visit
from crawler.engine.outcomes import Judge
from crawler.library import AHEAD, CrawledPage, _PageQueue, crawl
from crawler.load.run import load_test
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime.tasks import ByteBudget
from crawler.sinks.jsonl import JsonlSink
from crawler.testing import FakeFetcher
from support.crawls import urls
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
        line = answered(Response(request=request, status=200), page, Reason.OK, VisitContext(now=0.0), state=State.DONE)
        kept = Visit(request=request, state=State.DONE, reason=Reason.OK, record=line, content=BODY, size=page.weight)
        visits.append(kept)
    return Committed(group=Group(visits=tuple(visits)), totals=Totals())


def names(folder: Path) -> list[str]:
    """Return the names in it."""
    return [path.name for path in folder.iterdir()]


async def others(before: set[asyncio.Task[object]]) -> None:
    """Wait until every task that was not there `before` has ended."""
    await asyncio.sleep(0)  # in which the loop hears of a generator that was left
    async with asyncio.timeout(10):
        await asyncio.wait(asyncio.all_tasks() - before)


@pytest.mark.parametrize(
    ("content_type", "charset", "content", "text"),
    [
        ("text/html", "euc-jp", b"\xad\xa1", "\u2460"),  # as it was read
        ("text/plain", "gb2312", b"\x80", "\u20ac"),  # the label of a header, of what was not read
        ("text/plain", "punycode", b"abc-\xe9 ", "abc-\u00e9 "),
        ("text/html", None, b"<meta charset=koi8-r>\xc1", "<meta charset=koi8-r>\u0430"),
        (None, None, "\u0430".encode(), "\u0430"),
    ],
)
def test_the_text_of_a_page(content_type: str | None, charset: str | None, content: bytes, text: str) -> None:
    """Labels of the Encoding standard are understood, and no codec of Python's besides."""
    page = CrawledPage(
        url="http://h/",
        outcome="done",
        status=200,
        reason="ok",
        content_type=content_type,
        charset=charset,
        title=None,
        depth=0,
        referrer=None,
        redirect_to=None,
        links=(),
        data=None,
        content=content,
    )

    assert page.text == text


async def test_pages_come_with_what_they_hold(site: HandMadeSite) -> None:
    """Content, data and links of each page, after its commit."""
    pages = {page.url: page async for page in crawl([site.url("/")], select=["x=a::attr(href)"])}

    assert len(pages) == 11
    assert pages[site.url("/3")].content == BODY
    assert pages[site.url("/")].data == {"x": [f"/{number}" for number in range(10)]}
    assert pages[site.url("/")].links == tuple(site.url(f"/{number}") for number in range(10))


async def test_a_seed_without_a_scheme_is_asked_over_http_where_https_is_not_spoken(site: HandMadeSite) -> None:
    """Scripts name hosts as the command line does."""
    pages = [page.url async for page in crawl([site.url("/").removeprefix("http://")], max_depth=0)]

    assert pages == [site.url("/")]


async def test_what_waits_for_the_reader_counts_in_the_memory() -> None:
    """A page's bytes are held until the reader takes it, and a hundred pages slow the crawl."""
    memory, pages = ByteBudget(10**9), _PageQueue()

    pages._take(memory, committed(AHEAD + 1))
    held, has_room = memory.used, pages._has_room.is_set()
    reader = aiter(pages)
    await anext(reader)
    await anext(reader)

    assert (held, has_room) == (len(BODY) * (AHEAD + 1), False)
    assert (memory.used, pages._has_room.is_set()) == (len(BODY) * (AHEAD - 1), True)


async def test_a_visit_is_held_until_whoever_hears_of_its_commit_has_heard(tmp_path: Path) -> None:
    """Its body, its data and its found links are in the budget while listeners are told, so nothing overtakes them."""
    text = b"x" * 50_000
    body = b"".join(b"<a href=/%d>" % number for number in range(1000)) + text
    folder, seen = RunFolder(tmp_path), list[tuple[int, int]]()
    folder.seeds.write_text("http://127.0.0.1:8080/\n", "utf-8")
    config = configure({"workers": 0, "robots": False, "max-pages": 1, "text": True})
    facts = RunFacts(command="crawl", sources=(), config=config)

    async with AsyncExitStack() as stack:
        fetcher = FakeFetcher(default=(200, body))
        environment = Environment(reading=partial(replace, keep=True), around=lambda _: fetcher)
        run = await assemble(stack, folder, facts, environment)
        memory = run.scheduler.visits.memory
        run.journal.on_commit(lambda group: seen.extend((visit.size, memory.used) for visit in group.group.visits))
        await run.run()

    [(size, used)] = seen
    assert size == used > len(body) + len(text) + 20_000
    assert memory.used == 0


async def test_what_ends_the_crawl_comes_out_of_the_loop(site: HandMadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error itself, where the pages are read; what the reader waits for besides is left in peace."""
    broken = StorageError("pages.jsonl: the disk is gone")
    failed = asyncio.Event()
    append = JsonlSink.append

    def fail(sink: JsonlSink, visits: list[Visit]) -> object:
        if any(visit.request.way.depth for visit in visits):
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


async def test_what_a_function_raised_comes_with_its_page(site: HandMadeSite) -> None:
    """The error is told beside the data that is there all the same, and the crawl goes on."""
    pages = [page async for page in crawl([site.url("/")], select=["x=a"], extract="json:dumps")]

    assert {page.error for page in pages} == {"TypeError: Object of type PageSource is not JSON serializable"}
    assert [page.data is not None for page in pages] == [True] * 11


@pytest.mark.parametrize(("name", "bound"), [("crawler.library.AHEAD", 5), ("crawler.build.MEMORY", 5 * len(BODY))])
async def test_a_slow_reader_slows_the_crawl(monkeypatch: pytest.MonkeyPatch, name: str, bound: int) -> None:
    """No more is asked for than may wait for the reader, in pages and in bytes; in the end it gets them all."""
    monkeypatch.setattr(name, bound)
    async with HandMadeSite() as site:
        for number in range(40):
            site.add_page(f"/{number}", BODY)
        pages = aiter(crawl(map(site.url, map("/{}".format, range(40))), concurrency=2, robots=False))

        await anext(pages)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await site.asked(15)
        rest = [page async for page in pages]

    assert len(rest) == 39


@pytest.mark.parametrize("workers", [0, 1])
async def test_leaving_the_loop_ends_the_crawl_in_order(tmp_path: Path, site: HandMadeSite, workers: int) -> None:
    """Nothing is waited for, no process is left, and the run can be resumed: every URL is one line then."""
    site.add_page("/3", BODY, delay=60, times=1)
    before, out = asyncio.all_tasks(), tmp_path / "out"

    async for _ in crawl([site.url("/")], output=out, workers=workers):
        if site.hits("/3"):
            break
    await others(before)
    processes = multiprocessing.active_children()
    codes = [await asyncio.to_thread(_run, [command, str(out)]) for command in ("verify", "resume", "verify")]

    assert processes == []
    assert codes == [0, 0, 0]
    assert urls(out) == dict.fromkeys(map(site.url, ["/", *map("/{}".format, range(10))]), 1)


async def test_an_error_of_the_reader_ends_the_crawl(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised as itself, and the temporary folder is gone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, folders = asyncio.all_tasks(), list[list[str]]()

    async def read() -> None:
        async for _ in crawl([site.url("/")]):
            folders.append(names(tmp_path))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    await others(before)

    assert [len(found) for found in folders] == [1]
    assert names(tmp_path) == []


def test_a_loop_that_ends_ends_the_crawls_that_are_left() -> None:
    """Nobody has left their loops, and somebody still holds them: they end in order, whatever is closed first."""
    errors, held = list[object](), list[AsyncIterator[object]]()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        async with HandMadeSite() as site:
            for _ in range(8):
                held.append(crawl([site.url("/"), site.url("/other")]))
                await anext(held[-1])

    asyncio.run(main())

    assert errors == []


async def test_an_error_of_our_own_comes_out_of_the_loop(site: HandMadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that nobody foresaw is raised where the pages are read."""

    def break_down(*_: object) -> None:
        raise InternalError("a bug")

    monkeypatch.setattr(Judge, "response", break_down)

    with pytest.raises(InternalError, match="a bug"):
        async with asyncio.timeout(10):
            [page async for page in crawl([site.url("/")])]


async def test_workers_that_cannot_start_come_out_of_the_loop(
    site: HandMadeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that can be imported here and not there ends the crawl with an error that says what to do."""
    (tmp_path / "particular.py").write_text(
        "import multiprocessing\nassert not multiprocessing.parent_process()\ndef act(page): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(WorkersMissing, match="ended with exit code 1"):
        async with asyncio.timeout(10):
            [page async for page in crawl([site.url("/")], workers=1, extract="particular:act")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_pagez": 1}, "crawl: there is no option 'max_pagez'; did you mean 'max_pages'?"),
        ({"max_pages": 0}, "max_pages: expected a whole number, 1 or more, got 0"),
        ({"robots": False, "discover_sitemaps": True}, "discover_sitemaps and robots=False: give one of them"),
        ({"output": __file__}, "is a file: give another output"),
        ({"column": "2"}, "column: seeds are URLs, not the lines of a table: give the URLs of the column"),
    ],
)
async def test_an_error_names_keywords(options: dict[str, object], message: str) -> None:
    """A script has no flags, so what is wrong with its keywords is said of these."""
    with pytest.raises(UsageError) as raised:
        await anext(crawl(["http://127.0.0.1:1/"], **options))  # type: ignore[arg-type]

    assert message in str(raised.value)
    assert "--" not in str(raised.value)


async def test_a_load_test_names_keywords() -> None:
    """A load test names keywords in its refusal, the error that everybody meets first."""
    with pytest.raises(TargetRefused, match=r"or its owner agreed: i_may_test 192\.0\.2\.1$"):
        await load_test("http://192.0.2.1/")
    with pytest.raises(UsageError, match="load_test: there is no option 'connection'; did you mean 'connections'"):
        await load_test("http://192.0.2.1/", connection=1)
