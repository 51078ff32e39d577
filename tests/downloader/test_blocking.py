"""downloader.blocking: `fetch` and `iter_fetch`, for code without an event loop."""

import asyncio
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing

import pytest

from crawler.core.errors import UsageError
from crawler.downloader.blocking import fetch, iter_fetch
from support.siteserver import Gate, HandMadeSite

BAD = "nonsense"
Blocking = Callable[..., object]


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """A site of forty pages."""
    async with HandMadeSite() as site:
        for number in range(40):
            site.add_page(f"/{number}", f"page {number}")
        yield site


def test_fetch_gives_every_answer_in_order() -> None:
    """The answers are there when it returns, from a plain script."""
    answers = fetch([BAD, "ftp://x/"], concurrency=2)

    assert [answer.requested for answer in answers] == [BAD, "ftp://x/"]
    assert all(answer.error for answer in answers)


@pytest.mark.parametrize("blocking", [fetch, iter_fetch])
async def test_a_running_loop_is_not_blocked(blocking: Blocking) -> None:
    """It is refused by the call itself, and the message names the other way."""
    with pytest.raises(UsageError, match=rf"use `async with crawler.Fetcher\(\).*, not crawler.{blocking.__name__}"):
        blocking([BAD])


@pytest.mark.parametrize("blocking", [fetch, iter_fetch])
def test_a_wrong_option_is_refused_by_the_call(blocking: Blocking) -> None:
    """No answer has to be asked for first."""
    with pytest.raises(UsageError, match="there is no option 'retris'; did you mean 'retries'"):
        blocking([BAD], retris=1)


@pytest.mark.parametrize("blocking", [fetch, iter_fetch])
def test_a_number_is_no_list(blocking: Blocking) -> None:
    """Python's own error is raised by the call itself."""
    with pytest.raises(TypeError, match="not iterable"):
        blocking(5)


def test_one_text_is_no_list_of_urls() -> None:
    """Its letters are not fetched."""
    with pytest.raises(UsageError, match=r"write \[url\]"):
        fetch(BAD)


@pytest.mark.parametrize("blocking", [fetch, iter_fetch])
def test_an_error_of_the_urls_is_raised_unchanged(blocking: Blocking) -> None:
    """It comes out of the call, or out of the loop after the answers before it."""

    def broken() -> Iterator[str]:
        yield BAD
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(blocking(broken()))  # type: ignore[call-overload]


async def test_answers_come_as_they_arrive(site: HandMadeSite) -> None:
    """A late answer holds none back, unless the order of the URLs is asked for."""
    gate = Gate(site, ["/late"])
    urls, loop = [site.url("/late"), site.url("/1")], asyncio.get_running_loop()

    def read(ordered: bool) -> list[str]:
        found = []
        for page in iter_fetch(urls, ordered=ordered):
            found.append(page.url)
            loop.call_soon_threadsafe(gate.opened.set)
        return found

    as_they_come = await asyncio.to_thread(read, ordered=False)
    in_order = await asyncio.to_thread(read, ordered=True)

    assert as_they_come == urls[::-1]
    assert in_order == urls


async def test_the_urls_may_be_asynchronous(site: HandMadeSite) -> None:
    """They are read on the loop beside the caller."""

    async def urls() -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield site.url(f"/{number}")

    pages = await asyncio.to_thread(fetch, urls())

    assert [page.text for page in pages] == ["page 0", "page 1", "page 2"]


async def test_the_urls_may_belong_to_the_callers_thread(site: HandMadeSite) -> None:
    """A cursor of SQLite can be used in its own thread alone."""

    def work() -> list[str]:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("CREATE TABLE page (url)")
            db.executemany("INSERT INTO page VALUES (?)", [(site.url(f"/{number}"),) for number in range(40)])
            found = db.execute("SELECT url FROM page ORDER BY rowid")
            return [page.text for page in iter_fetch((url for (url,) in found), ordered=True)]

    assert await asyncio.to_thread(work) == [f"page {number}" for number in range(40)]


async def test_leaving_the_loop_ends_all_fetches_at_once(site: HandMadeSite) -> None:
    """A page that never comes is not waited for, and no thread is left."""
    Gate(site, ["/never"])
    urls = [site.url("/never"), site.url("/1"), site.url("/2")]

    def read() -> set[threading.Thread]:
        before = set(threading.enumerate())
        for _ in iter_fetch(urls):
            break
        return set(threading.enumerate()) - before

    async with asyncio.timeout(10):
        left = await asyncio.to_thread(read)
        await site.idle()

    assert left == set()


async def test_fetches_go_on_while_the_reader_works(site: HandMadeSite) -> None:
    """The time that a reader takes is not counted against the servers, and bounds what is asked for."""
    loop = asyncio.get_running_loop()
    urls = [site.url(f"/{number % 40}") for number in range(1000)]

    def read() -> int:
        pages = iter_fetch(urls, concurrency=4)
        next(pages)
        asyncio.run_coroutine_threadsafe(site.asked(4), loop).result(10)
        threading.Event().wait(0.1)  # not to wait for something: whatever may run ahead, may run now
        asked = len(site.requests)
        assert [page.error for page in pages] == [None] * 999
        return asked

    assert await asyncio.to_thread(read) < 300


SCRIPT = """
import signal, sys, crawler
def own(signum, frame):
    print("handled", flush=True)
    if {raises}:
        raise {raises}("mine")
    sys.exit(7)
if {sets}:
    signal.signal(signal.{name}, own)
before = signal.getsignal(signal.{name})
try:
    {call}
except BaseException as error:
    print(type(error).__name__, signal.getsignal(signal.{name}) is before, flush=True)
    raise
"""


FETCH, ITER_FETCH, CRAWL = "crawler.fetch([URL])", "list(crawler.iter_fetch([URL]))", "asyncio.run(crawl())"


@pytest.mark.parametrize("call", [FETCH, ITER_FETCH, CRAWL])
@pytest.mark.parametrize(
    ("name", "sets", "said", "code"),
    [
        ("SIGTERM", True, "handled\nSystemExit True\n", 7),
        ("SIGTERM", False, "", -signal.SIGTERM),
        ("SIGINT", True, "handled\nSystemExit True\n", 7),
        ("SIGINT", False, "KeyboardInterrupt True\n", -signal.SIGINT),
    ],
)
async def test_signals_are_the_programs(
    site: HandMadeSite, call: str, name: str, sets: bool, said: str, code: int
) -> None:
    """A handler runs while an answer is waited for, and its exit ends the call; without one it is as in Python."""
    assert await signalled(site, call, name, sets=sets) == (said, code)


@pytest.mark.parametrize("call", [FETCH, ITER_FETCH])
async def test_any_exception_of_a_handler_ends_the_call(site: HandMadeSite, call: str) -> None:
    """A loop in the main thread would log it and go on, if it came within a callback."""
    assert await signalled(site, call, "SIGUSR1", raises="ValueError") == ("handled\nValueError True\n", 1)


async def signalled(
    site: HandMadeSite, call: str, name: str, *, sets: bool = True, raises: str | None = None
) -> tuple[str, int | None]:
    """Send a signal to a program that waits for an answer; return what it says, and its exit code."""
    Gate(site, ["/never"])
    ours = SCRIPT.format(name=name, sets=sets, raises=raises, call=call.replace("URL", repr(site.url("/never"))))
    crawl = f"""
import asyncio, crawler
async def crawl():
    async for page in crawler.crawl([{site.url("/never")!r}], robots=False): print(page)
"""
    async with asyncio.timeout(20):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", crawl + ours),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        await site.asked(1)
        child.send_signal(getattr(signal, name))
        out, _ = await child.communicate()
    return out.decode(), child.returncode
