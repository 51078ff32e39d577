"""downloader.stream: many URLs at once, silent hosts among them."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.throttle import QUICK
from crawler.downloader import stream
from crawler.downloader.client import Fetcher
from crawler.downloader.fetched import Fetched
from crawler.downloader.stream_answers import WaitingAnswers
from crawler.downloader.stream_turn import QuickHosts
from crawler.runtime import slots
from crawler.runtime.slots import Places
from crawler.runtime.tasks import ByteBudget
from support.fetching import OK
from support.rawserver import raw_server
from support.silent import black_holes

SOON = 20.0  # seconds; the time limits of a fetch are longer


class Farm:
    """A server that keeps silent on some paths; `asked` counts requests, and `begun` is set when `wanted` came."""

    def __init__(self, wanted: int = 0) -> None:
        self.asked: Counter[str] = Counter()
        self.silent: set[str] = set()
        self.answers: dict[str, list[bytes]] = {}
        self.came = asyncio.Event()
        self.speak = asyncio.Event()
        self._wanted = wanted

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            self.asked[path] += 1
            if self.asked.total() - len(self.silent) >= self._wanted:
                self.came.set()
            if path in self.silent:
                await self.speak.wait()
            answers = self.answers.get(path, [OK])
            writer.write(answers.pop(0) if len(answers) > 1 else answers[0])


def patient(concurrency: int, retries: int = 3) -> Fetcher:
    """A fetcher that waits longer than a test does."""
    return Fetcher(concurrency=concurrency, retries=retries, connect_timeout=60, first_byte_timeout=60, timeout=60)


def url(where: tuple[str, int], path: object = "") -> str:
    """A page of that server."""
    return f"http://{where[0]}:{where[1]}/{path}"


async def asked_after(seconds: float, farm: Farm, fetcher: Fetcher, urls: list[str]) -> int:
    """Return the number of requests, so long after those that the farm wanted, while no URL is answered."""
    reader = asyncio.ensure_future(anext(fetcher.stream(urls)))
    async with asyncio.timeout(SOON):
        await farm.came.wait()
    await asyncio.sleep(seconds)
    asked = farm.asked.total()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    return asked


@pytest.mark.both_loops
async def test_silent_hosts_hold_no_slots() -> None:
    """Four times as many as there are slots come first, and all others are answered while they still wait."""
    with black_holes(8) as silent:
        async with raw_server(Farm()) as where, patient(concurrency=2) as fetcher, asyncio.timeout(SOON):
            answers = fetcher.stream([*silent, *(url(where, n) for n in range(20))])
            live = [await anext(answers) for _ in range(20)]
            await answers.aclose()  # type: ignore[attr-defined] # it is a generator

    assert sorted(answer.requested for answer in live) == sorted(url(where, n) for n in range(20))
    assert all(answer.ok for answer in live)
    assert len(asyncio.all_tasks()) == 1


async def test_an_ordered_stream_fetches_behind_silent_hosts() -> None:
    """No answer can be given yet, and all that can be fetched is."""
    farm = Farm(wanted=20)
    with black_holes(8) as silent:
        async with raw_server(farm) as where, patient(concurrency=2) as fetcher, asyncio.timeout(SOON):
            answers = fetcher.stream([*silent, *(url(where, n) for n in range(20))], ordered=True)
            reader = asyncio.ensure_future(anext(answers))
            await farm.came.wait()
            had_one = reader.done()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader

    assert not had_one
    assert farm.asked.total() == 20


async def test_every_silent_host_has_its_error() -> None:
    """Each URL is answered once, in order, and the errors of the silent ones name their reason."""
    with black_holes(4) as silent:
        async with raw_server(Farm()) as where, Fetcher(concurrency=2, connect_timeout=0.3, retries=1) as fetcher:
            urls = [*silent[:2], url(where), *silent[2:], url(where, 1)]
            answers = [answer async for answer in fetcher.stream(urls, ordered=True)]

    assert [answer.requested for answer in answers] == urls
    assert [answer.ok for answer in answers] == [False, False, True, False, False, True]
    reasons = {answer.error.reason for answer in answers if isinstance(answer.error, FetchError)}
    assert reasons == {Reason.CONNECT_TIMEOUT}


async def test_a_pause_holds_no_slot() -> None:
    """The one slot is free while a server's Retry-After is waited for."""
    farm = Farm()
    farm.answers["/busy"] = [b"HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n", OK]
    async with raw_server(farm) as where, patient(concurrency=1) as fetcher, asyncio.timeout(SOON):
        answers = fetcher.stream([url(where, "busy"), url(where, 1), url(where, 2)])
        live = [await anext(answers) for _ in range(2)]
        await answers.aclose()  # type: ignore[attr-defined] # it is a generator

    assert [answer.requested for answer in live] == [url(where, 1), url(where, 2)]
    assert farm.asked["/busy"] == 1


async def test_one_silent_host_has_no_more_than_the_slots() -> None:
    """Its other URLs wait, however many places there are outside."""
    farm = Farm(wanted=-7)
    farm.silent = {f"/{n}" for n in range(10)}
    async with raw_server(farm) as where, patient(concurrency=3) as fetcher:
        assert await asked_after(0.1, farm, fetcher, [url(where, n) for n in range(10)]) == 3


def _few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places outside, and dials that are broken off early."""

    def two(slots: int, *, now: Callable[[], float], is_relieved: bool) -> Places:
        return Places(slots, outside=2, window=100, now=now, is_relieved=is_relieved)

    monkeypatch.setattr(stream, "places_for", two)
    monkeypatch.setattr(slots, "EVICTION", 0.05)


@pytest.mark.both_loops
async def test_what_makes_room_for_others_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL whose dial was broken off is asked for again, without a retry, once nothing else is to be done."""
    _few_places(monkeypatch)
    mute, live = Farm(), Farm()
    mute.silent = {"/0", "/1"}
    servers = raw_server(mute), raw_server(live, "127.0.0.2")
    async with servers[0] as there, servers[1] as here, patient(4, retries=0) as fetcher, asyncio.timeout(SOON):
        urls = [url(there, 0), url(there, 1), *(url(here, n) for n in range(4))]
        answers = fetcher.stream(urls)
        first = [await anext(answers) for _ in range(4)]
        mute.speak.set()
        last = [answer async for answer in answers]

    assert sorted(answer.requested for answer in first) == sorted(urls[2:])
    assert sorted(answer.requested for answer in last) == urls[:2]
    assert all(answer.ok for answer in first + last)
    assert mute.asked.total() > 2


async def test_silent_hosts_make_no_room_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dial that was broken off once does not break off others."""
    _few_places(monkeypatch)
    farm = Farm()
    farm.silent = {"/0", "/1", "/2"}
    async with raw_server(farm) as where, patient(concurrency=4) as fetcher:
        assert await asked_after(0.3, farm, fetcher, [url(where, n) for n in range(3)]) == 3


@pytest.mark.parametrize("has_failed", [False, True])
async def test_a_host_that_failed_is_quick_no_longer(has_failed: bool) -> None:
    """A host that answered holds the slot at once the next time; one that failed since leaves it to others."""
    farm = Farm()
    farm.silent = {"/1"}
    async with (
        raw_server(farm) as where,
        raw_server(Farm()) as other,
        Fetcher(concurrency=1, first_byte_timeout=0.7, retries=0) as fetcher,
    ):
        silent, live = url(where, 1), url(other)
        before = [url(where), silent] if has_failed else [url(where)]
        [answer async for answer in fetcher.stream(before, ordered=True)]
        order = [answer.requested async for answer in fetcher.stream([silent, live])]

    assert order == ([live, silent] if has_failed else [silent, live])


@pytest.mark.parametrize(("begun", "content"), [(12, 10**6), (100, 40)], ids=["answers", "bytes"])
async def test_an_ordered_stream_is_bounded(monkeypatch: pytest.MonkeyPatch, begun: int, content: int) -> None:
    """It reads no further URL when it holds many answers, or much of them, that an earlier one keeps back."""
    monkeypatch.setattr(stream, "MOST_BEGUN", begun)
    monkeypatch.setattr(stream, "MEMORY", content)
    read: list[int] = []

    def endless(where: tuple[str, int]) -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield url(where, number)

    farm = Farm(wanted=11)
    farm.silent = {"/0"}
    async with raw_server(farm) as where, patient(concurrency=4) as fetcher:
        answers = fetcher.stream(endless(where), ordered=True)
        reader = asyncio.ensure_future(anext(answers))
        async with asyncio.timeout(SOON):
            await farm.came.wait()
        await asyncio.sleep(0.1)
        seen = len(read)
        farm.speak.set()
        await reader
        rest = [await anext(answers) for _ in range(30)]
        await answers.aclose()  # type: ignore[attr-defined] # it is a generator

    assert 12 <= seen <= 12 + 4 + 1
    assert [answer.requested for answer in rest] == [url(where, n) for n in range(1, 31)]


async def test_a_slow_reader_has_few_answers_wait() -> None:
    """Of many hosts, too: those beyond keep their slots, and their hosts wait."""
    read: list[int] = []
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(raw_server(Farm())) for _ in range(12)]
        fetcher = await stack.enter_async_context(patient(concurrency=2))

        def endless() -> Iterator[str]:
            for number in itertools.count():
                read.append(number)
                yield url(hosts[number % len(hosts)], number)

        answers = fetcher.stream(endless())
        for _ in range(10):
            await anext(answers)
        await asyncio.sleep(0.1)
        taken = len(read)
        await asyncio.sleep(0.1)
        assert len(read) == taken
        await answers.aclose()  # type: ignore[attr-defined] # it is a generator

    assert taken <= 10 + 2 + 2 + 2 + 8  # read, waiting for the reader, in slots, waiting for one, and dialled at once


class _Holding:
    """A turn that tells whether it has left its place."""

    def __init__(self, memory: ByteBudget) -> None:
        self.has_left = False
        self.memory = memory.open()

    def give_up(self) -> None:
        """Take note."""
        self.has_left = True


async def test_answers_leave_their_places_as_few_wait_for_the_reader() -> None:
    """Two may wait without a place here; in an ordered stream those behind one that is late do not count."""
    for ordered, first in ((False, 9), (True, 0)):
        memory = ByteBudget(100)
        answers = WaitingAnswers(2, memory, ordered=ordered)
        turns = [_Holding(memory) for _ in range(4)]
        for number, turn in enumerate(turns):
            answers.put(first + number, Fetched(requested="", url=str(number)), cast("Any", turn))
        assert [turn.has_left for turn in turns] == [True, True, False, False]
        assert answers.is_full

        assert cast("Fetched", await answers.next()).url == "0"
        assert [turn.has_left for turn in turns] == [True, True, True, False]

    memory = ByteBudget(100)
    late = WaitingAnswers(2, memory, ordered=True)
    turns = [_Holding(memory) for _ in range(4)]
    for number, turn in enumerate(turns):
        assert not late.is_full
        late.put(number + 1, Fetched(requested="", url="", content=b"x" * 25), cast("Any", turn))
    assert all(turn.has_left for turn in turns)
    assert late.is_full


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_slow_reader_has_few_bytes_wait(monkeypatch: pytest.MonkeyPatch, ordered: bool) -> None:
    """Connections wait once the bodies that came, and those that come, fill the memory of the stream."""
    monkeypatch.setattr(stream, "MEMORY", 8 << 20)
    body = b"x" * (12 << 20)
    sent: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        sent.append(None)

    async with raw_server(serve) as where, Fetcher(concurrency=20) as fetcher:
        answers = fetcher.stream((url(where, number) for number in range(20)), ordered=ordered)
        await anext(answers)
        await asyncio.sleep(0.3)
        waiting = len(sent)
        rest = [len(answer.content) async for answer in answers]

    assert waiting <= 4
    assert rest == [len(body)] * 19


async def test_large_bodies_wait_for_no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn that may always have memory is one whose answer comes, and not the first, which waits to try again."""
    monkeypatch.setattr(stream, "MEMORY", 8 << 20)
    body, asked = b"x" * (12 << 20), Counter[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        asked[path] += 1
        if path == "/0" and asked[path] == 1:
            writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head + body)
        await writer.drain()

    async with raw_server(serve) as where, Fetcher(concurrency=20) as fetcher:
        order = [answer.requested async for answer in fetcher.stream([url(where, number) for number in range(5)])]

    assert order[-1] == url(where, 0)
    assert len(order) == 5


def test_a_host_is_quick_by_its_last_answer() -> None:
    """A slow answer, or none, ends that; the host that was heard longest ago is forgotten first."""
    quick = QuickHosts()
    for number in range(10_001):
        quick.note(str(number), QUICK)
    quick.note("5", QUICK + 1)
    quick.note("6", None)

    assert [host in quick for host in ("0", "1", "5", "6", "10000")] == [False, True, False, False, True]
