"""downloader.client: a stream of URLs, its answers and errors."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from crawler.core.errors import UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from crawler.downloader.fetcher import HttpFetcher
from support.path_server import PathServer, url_at
from support.rawserver import raw_server

BAD = "http://127.0.0.1:1/"


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.both_loops
async def test_a_stream_answers_each_url_once(ordered: bool) -> None:
    """Good and bad URLs alike, and in their order if that is wanted."""
    async with raw_server(PathServer()) as where, Fetcher(concurrency=8, retries=0) as fetcher:
        urls = [url_at(where, f"/{n}") if n % 10 else "nonsense" for n in range(100)]
        answers = [answer async for answer in fetcher.stream(urls, ordered=ordered)]

    assert sorted(answer.requested for answer in answers) == sorted(urls)
    assert sum(answer.error is not None for answer in answers) == 10
    assert all(answer.ok for answer in answers if answer.error is None)
    if ordered:
        assert [answer.requested for answer in answers] == urls


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_reads_its_urls_as_slots_become_free(ordered: bool) -> None:
    """An endless iterable is fine, and whoever takes no answers makes no requests."""
    read: list[int] = []
    site = PathServer()

    def endless(where: tuple[str, int]) -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield url_at(where, f"/{number}")

    async with raw_server(site) as where, Fetcher(concurrency=4) as fetcher:
        stream = fetcher.stream(endless(where), ordered=ordered)
        for _ in range(20):
            await anext(stream)
        await asyncio.sleep(0.05)
        seen = len(read)
        await stream.aclose()  # type: ignore[attr-defined] # it is a generator

    assert seen <= 20 + 3 * 4
    assert site.peak <= 4
    assert len(asyncio.all_tasks()) == 1


async def test_a_stream_takes_asynchronous_urls() -> None:
    """URLs may come one by one, from a queue or another stream."""

    async def slowly(where: tuple[str, int]) -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield url_at(where, f"/{number}")

    async with raw_server(PathServer()) as where, Fetcher() as fetcher:
        answers = [answer async for answer in fetcher.stream(slowly(where), ordered=True)]

    assert [answer.content for answer in answers] == [b"/0", b"/1", b"/2"]


def _breaking(raised: asyncio.Event, error: BaseException, where: tuple[str, int]) -> Iterator[str]:
    yield url_at(where, "/0")
    yield url_at(where, "/1")
    raised.set()
    raise error


async def _breaking_later(raised: asyncio.Event, error: BaseException, where: tuple[str, int]) -> AsyncIterator[str]:
    for url in _breaking(raised, error, where):
        await asyncio.sleep(0)
        yield url


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("breaking", [_breaking, _breaking_later], ids=["sync", "async"])
@pytest.mark.parametrize("error", [KeyError("mine"), asyncio.CancelledError("mine")], ids=lambda error: error.args[0])
@pytest.mark.both_loops
async def test_an_error_of_the_iterable_is_the_callers(ordered: bool, breaking: Any, error: BaseException) -> None:
    """It is raised as it is, from the stream and nowhere else, after the answers to all URLs before it."""
    raised = asyncio.Event()
    answers: list[bytes] = []

    async def read(where: tuple[str, int]) -> None:
        async for answer in fetcher.stream(breaking(raised, error, where), ordered=ordered):
            answers.append(answer.content)
            await raised.wait()
            for _ in range(10):  # while the reader is busy, nothing may reach into what it does
                await asyncio.sleep(0)

    async with raw_server(PathServer()) as where, Fetcher(concurrency=1) as fetcher:
        with pytest.raises(type(error)) as caught:
            await read(where)
        assert caught.value is error
        assert len(asyncio.all_tasks()) - len(_served()) == 1

    assert sorted(answers) == [b"/0", b"/1"]


def _served() -> list[asyncio.Task[Any]]:
    """The tasks of the servers of this file."""
    return [task for task in asyncio.all_tasks() if "_Connections" in repr(task.get_coro())]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("item", [5, None, float("nan"), b"http://127.0.0.1:1/"])
async def test_an_item_that_is_no_text_has_its_own_answer(ordered: bool, item: Any) -> None:
    """It ends neither the stream nor anything else; `get` raises the same."""
    async with raw_server(PathServer()) as where, Fetcher() as fetcher:
        urls = [url_at(where, "/0"), item, url_at(where, "/1")]
        answers = [answer async for answer in fetcher.stream(urls, ordered=ordered)]
        with pytest.raises(UrlError, match=type(item).__name__):
            await fetcher.get(item)

    assert sorted(answer.content for answer in answers) == [b"", b"/0", b"/1"]
    (bad,) = (answer for answer in answers if answer.error)
    assert isinstance(bad.error, UrlError)
    assert bad.error.reason == Reason.NOT_A_URL
    assert bad.requested == str(item)


async def test_one_text_is_no_list_of_urls() -> None:
    """A URL given instead of a list is not read letter by letter."""
    async with Fetcher() as fetcher:
        with pytest.raises(UsageError, match="list"):
            [answer async for answer in fetcher.stream(BAD)]


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_is_no_iterable_is_told_as_python_tells_it(ordered: bool) -> None:
    """A TypeError of the caller's reaches the caller."""
    async with Fetcher() as fetcher:
        with pytest.raises(TypeError, match="iterable"):
            [answer async for answer in fetcher.stream(5, ordered=ordered)]  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_error_of_ours_reaches_the_reader(ordered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error of a turn is raised from the stream too, and does not cancel its reader."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with Fetcher() as fetcher:
        monkeypatch.setattr(HttpFetcher, "fetch", broken)
        with pytest.raises(ZeroDivisionError):
            [answer async for answer in fetcher.stream(["http://127.0.0.1/"], ordered=ordered)]
