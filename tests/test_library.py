"""embed: the crawl for scripts."""

import asyncio
import copy
import multiprocessing
import pickle
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from journeys import extractors
from msgspec.structs import replace

from crawler.build import Environment, assemble
from crawler.cli.main import _run
from crawler.core.config import OPTIONS, configure
from crawler.core.errors import InternalError, StorageError, TargetRefused, UsageError, WorkersMissing
from crawler.core.keywords import by_keyword
from crawler.core.leases_and_commits import Committed, Group, Totals
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, answered
from crawler.core.urls import parse
from crawler.core.visits import Page, State, Visit
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import headers_of
from crawler.engine.outcomes import Judge
from crawler.http.cookies import Cookie
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


def test_a_page_is_a_value() -> None:
    """It is copied and pickled; its text is short, and shows no credentials."""
    page = CrawledPage(
        url="http://me:secret@h/" + "x" * 1000,
        outcome="done",
        status=200,
        reason="ok",
        content_type=None,
        charset=None,
        title=None,
        depth=0,
        referrer=None,
        redirect_to=None,
        links=tuple(f"http://h/{number}" for number in range(3000)),
        data={"price": "1"},
        headers=headers_of([(b"A", b"1"), (b"a", b"2")]),
        content=b"good",
    )

    pickled = pickle.loads(pickle.dumps(page))  # noqa: S301, TID251 - that it can be done is the point
    copies = [pickled, copy.copy(page), copy.deepcopy(page)]

    assert copies == [page] * 3
    assert copies[0].headers.getall("A") == ["1", "2"]
    assert repr(page).startswith("<CrawledPage 200 http://h/xxx")
    assert repr(page).endswith("4 bytes, 3000 links>")
    assert len(repr(page)) < 300


@pytest.mark.parametrize("output", [None, "run"])
async def test_a_file_of_seeds_without_a_url_is_refused(tmp_path: Path, output: str | None) -> None:
    """The error names the first line that is none, for a script that has no folder to look into, too."""
    (tmp_path / "seeds.txt").write_text("# seeds\nnonsense here\nfile:///x\n")

    with pytest.raises(UsageError, match=r"^seeds: none of the 3 lines is a URL; line 2, 'nonsense here': no http"):
        await anext(crawl(tmp_path / "seeds.txt", output=output and tmp_path / output))


async def test_an_empty_file_of_seeds_is_a_crawl_of_nothing(tmp_path: Path) -> None:
    """A list may turn out empty."""
    (tmp_path / "seeds.txt").write_text("# seeds\n\n")

    assert [page async for page in crawl(tmp_path / "seeds.txt")] == []


async def test_a_listener_that_cannot_be_called_is_refused_at_once(site: HandMadeSite) -> None:
    """Nothing is fetched before."""
    with pytest.raises(UsageError, match="on_page: expected a function, got int"):
        await anext(crawl([site.url("/")], on_page=3))  # type: ignore[arg-type]

    assert site.targets == []


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


async def test_a_page_has_the_headers_of_its_answer_and_the_moment_of_its_visit() -> None:
    """They are as received, by case-insensitive name; a URL without an answer has none."""
    async with HandMadeSite() as site:
        site.add_page("/", BODY, headers=[("X-Two", "a"), ("x-two", "b"), ("X-Old", "caf\xe9")])
        before = time.time()
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        seeds = [site.url("/"), f"http://127.0.0.1:{port}/"]
        pages = {page.outcome: page async for page in crawl(seeds, retries=0)}
    page, dead = pages["done"], pages["failed"]

    assert page.headers.getall("X-TWO") == ["a", "b"]
    assert page.headers["content-type"] == "text/html"
    assert before - 1 <= page.fetched_at <= time.time() + 1
    assert (len(dead.headers), dead.fetched_at >= before - 1) == (0, True)


async def test_headers_count_in_the_memory_until_the_page_is_read(site: HandMadeSite) -> None:
    """Their names and values are part of what a visit weighs."""
    site.add_page("/heavy", BODY, headers=[("X-Heavy", "h" * 5000)])
    sizes, take = list[int](), _PageQueue._take

    def look(queue: _PageQueue, memory: ByteBudget, done: Committed) -> None:
        sizes.extend(visit.size for visit in done.group.visits)
        take(queue, memory, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_PageQueue, "_take", look)
        [_ async for _ in crawl([site.url("/heavy")])]

    assert max(sizes) > len(BODY) + 5000


@pytest.mark.parametrize("form", ["list", "generator", "asynchronous", "file", "file elsewhere"])
async def test_seeds_in_every_form(
    tmp_path: Path, site: HandMadeSite, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs from any iterable, or a file of them."""
    seeds = [site.url("/1"), site.url("/2")]
    (tmp_path / "127.0.0.1").write_text(f"# a list\n{seeds[0]}\n\n{seeds[1]}\n", "utf-8")
    monkeypatch.chdir(tmp_path)

    async def asynchronous() -> AsyncIterator[str]:
        for seed in seeds:
            await asyncio.sleep(0)
            yield seed

    given = {
        "list": seeds,
        "generator": (seed for seed in seeds),
        "asynchronous": asynchronous(),
        "file": Path("127.0.0.1"),
        "file elsewhere": tmp_path / "127.0.0.1",
    }[form]
    pages = [page.url async for page in crawl(given, max_depth=0)]  # type: ignore[arg-type]

    assert sorted(pages) == seeds


async def test_a_file_of_seeds_may_be_a_table(tmp_path: Path, site: HandMadeSite) -> None:
    """It is read as the command reads one, so a column may be named."""
    (tmp_path / "list.csv").write_text(f"rank,url\n1,{site.url('/1')}\n", "utf-8")

    pages = [page.url async for page in crawl(tmp_path / "list.csv", max_depth=0, column="url")]

    assert pages == [site.url("/1")]


async def test_a_missing_file_of_seeds_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """A path is never read as a host."""
    with pytest.raises(UsageError, match="no such file"):
        await anext(crawl(Path("example.com"), output=tmp_path / "out"))

    assert names(tmp_path) == []


async def test_a_page_is_awaited_on_its_way(site: HandMadeSite) -> None:
    """`on_page` may be asynchronous; the loop gets a page once it has returned."""
    told = list[str]()

    async def tell(page: CrawledPage) -> None:
        await asyncio.sleep(0)
        told.append(page.url)

    async for page in crawl([site.url("/")], on_page=tell):
        assert told[-1] == page.url

    assert len(told) == 11


async def test_none_is_not_given(site: HandMadeSite) -> None:
    """Every option may be None."""
    options = dict.fromkeys(by_keyword(OPTIONS.values()))

    pages = [page async for page in crawl([site.url("/")], output=None, on_page=None, session=None, **options)]

    assert len(pages) == 11


async def test_options_have_the_names_and_shapes_of_a_fetcher_s(site: HandMadeSite) -> None:
    """Headers as a mapping or pairs, and `auth` as a pair."""
    [_ async for _ in crawl([site.url("/1")], headers={"X-A": "b"}, auth=("me", "pw"))]
    [_ async for _ in crawl([site.url("/1")], headers=[("X-A", "c")], bearer="token")]

    asked = [asked for asked in site.requests if asked.target == "/1"]
    assert [one.header("X-A") for one in asked] == ["b", "c"]
    assert [one.header("Authorization") for one in asked] == ["Basic bWU6cHc=", "Bearer token"]


async def test_a_resume_asks_for_the_secrets_of_a_script(
    tmp_path: Path, site: HandMadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """None is stored, and none is silently left out."""
    out = tmp_path / "out"

    [_ async for _ in crawl([site.url("/")], output=out, max_pages=1, headers={"X-Key": "s3cret"})]
    code = await asyncio.to_thread(_run, ["resume", str(out)])

    assert code == 2
    assert "give --header 'NAME: VALUE' again" in capsys.readouterr().err
    assert "s3cret" not in (out / "config.toml").read_text("utf-8")


def _sets(site: HandMadeSite, *cookies: str) -> None:
    site.add_page("/", links=["/1"], headers=[("Set-Cookie", cookie) for cookie in cookies])
    site.add_page("/1", links=["/2"])


def _cookies(site: HandMadeSite) -> dict[str, str | None]:
    return {asked.target: asked.header("Cookie") for asked in site.requests}


async def test_a_jar_brings_cookies_and_keeps_those_of_servers(site: HandMadeSite) -> None:
    """It is sent, filled, and the caller's afterwards."""
    _sets(site, "new=2")
    jar = CookieJar([Cookie(name="old", value="1", domain="127.0.0.1")])

    [_ async for _ in crawl([site.url("/")], cookies=jar, max_depth=1)]

    assert _cookies(site) == {"/robots.txt": "old=1", "/": "old=1", "/1": "old=1; new=2"}
    assert {cookie.name for cookie in jar} == {"old", "new"}


async def test_an_empty_jar_is_filled_too(site: HandMadeSite) -> None:
    """A jar without cookies is a jar."""
    _sets(site, "new=2")
    jar = CookieJar()

    [_ async for _ in crawl([site.url("/")], cookies=jar, max_depth=0)]

    assert [cookie.name for cookie in jar] == ["new"]


async def test_told_cookies_go_to_the_seeds_until_a_server_sets_others(site: HandMadeSite) -> None:
    """A mapping has no domain: it goes where headers go, and the server's are newer."""
    _sets(site, "session=new", "own=1")
    async with HandMadeSite() as other:
        other.add_page("/far", BODY)
        site.add_page("/1", links=[other.url("/far")])
        options: dict[str, object] = {"scope": "all", "allow_nets": ["127.0.0.0/8"]}
        [_ async for _ in crawl([site.url("/")], cookies={"session": "old", "team": "data"}, **options)]  # type: ignore[arg-type]

    assert _cookies(site)["/"] == "session=old; team=data"
    assert sorted((_cookies(site)["/1"] or "").split("; ")) == ["own=1", "session=new", "team=data"]
    assert set(_cookies(other).values()) == {"session=new; own=1"}  # of the same address, and not of the user


@pytest.mark.parametrize("cookies", [None, False])
async def test_without_a_jar_no_cookie_is_kept(site: HandMadeSite, cookies: bool | None) -> None:
    """A crawl keeps no state of servers unless it is asked to."""
    _sets(site, "new=2")

    [_ async for _ in crawl([site.url("/")], cookies=cookies, max_depth=1)]

    assert set(_cookies(site).values()) == {None}


async def test_a_function_extracts_in_this_process(site: HandMadeSite) -> None:
    """Any callable will do without workers: a nested one, a lambda, a bound method."""
    pages = [page async for page in crawl([site.url("/1")], extract=lambda page: {"size": len(page.content)})]

    assert [page.data for page in pages] == [{"size": len(BODY)}]


async def test_a_function_of_a_module_extracts_in_workers(site: HandMadeSite) -> None:
    """Workers import it by its name."""
    pages = [page async for page in crawl([site.url("/1")], extract=extractors.act, workers=1)]

    assert [(page.reason, page.data, page.error) for page in pages] == [("ok", {"fine": True}, None)]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda _: None, "<lambda>"),
        (partial(extractors.act), "partial"),
        (HandMadeSite.url, "HandMadeSite.url"),
    ],
)
async def test_workers_take_only_what_they_can_import(function: Callable[..., object], name: str) -> None:
    """The refusal comes before anything is made, and says what to do."""
    with pytest.raises(UsageError) as raised:
        await anext(crawl(["http://127.0.0.1:1/"], workers=1, extract=function))

    assert f"cannot import '{name.strip('<>')}'" in str(raised.value)
    assert "define it at the top level of a module of its own, or leave out workers" in str(raised.value)


async def test_a_resume_refuses_a_function_that_it_cannot_import(
    tmp_path: Path, site: HandMadeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages without the data that were asked for would be worse than an error."""
    out = tmp_path / "out"

    [_ async for _ in crawl([site.url("/")], output=out, max_pages=1, extract=lambda _: {"x": 1})]
    code = await asyncio.to_thread(_run, ["resume", str(out)])

    assert code == 2
    assert "cannot be imported" in capsys.readouterr().err


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_session_sends_the_requests(site: HandMadeSite, is_made: bool) -> None:
    """A given session is left open; one that a function makes is closed with the crawl."""
    made = list[aiohttp.ClientSession]()

    def make() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession(headers={"X-Team": "data"}))
        return made[-1]

    pages = [page async for page in crawl([site.url("/")], session=make() if is_made else make)]
    closed = made[0].closed
    await made[0].close()

    assert len(pages) == 11
    assert {asked.header("X-Team") for asked in site.requests} == {"data"}
    assert (len(made), closed) == (1, not is_made)


async def test_the_generator_is_closed_in_order(
    tmp_path: Path, site: HandMadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No task, no folder and no lock is left after `aclose`."""
    site.add_page("/3", BODY, delay=60)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = asyncio.all_tasks()
    pages, kept = crawl([site.url("/")]), crawl([site.url("/")], output=tmp_path / "out")

    await anext(pages)
    await anext(kept)
    async with asyncio.timeout(10):
        await pages.aclose()
        await kept.aclose()

    assert asyncio.all_tasks() == before
    assert names(tmp_path) == ["out"]
    assert await asyncio.to_thread(_run, ["verify", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": ["A: b"]}, "crawl: there is no option 'header'; did you mean 'headers'?"),
        ({"headers": "A: b"}, "headers: expected a mapping of texts"),
        ({"auth": "me:pw"}, "auth: expected (name, password)"),
        ({"auth": ("a", "b"), "bearer": "t"}, "auth and bearer: give one of them, not both"),
        ({"cookies": 3}, "cookies: expected a mapping of texts"),
        ({"cookies": {"a": "b\r\nX: y"}}, "cookies: 'a' holds a control character: remove it"),
        ({"session": 3}, "session: expected an aiohttp.ClientSession, or a function that makes one"),
        ({"session": aiohttp.ClientSession, "cookies": {}, "proxy": "http://p"}, "cookies and proxy: a session has"),
        ({"extract": "nowhere:f"}, "extract: 'nowhere:f' cannot be imported"),
        ({"cookies_file": "missing.txt"}, "cookies_file: 'missing.txt': no such file"),
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
        await load_test("http://192.0.2.1/", connection=1)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="thresholds 'p99': expected a figure, a comparison and a limit"):
        await load_test("http://192.0.2.1/", thresholds=["p99"])
