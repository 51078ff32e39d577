"""downloader.body: a body within the limits of size, memory, byte rate and time."""

import asyncio
import tracemalloc
from typing import Any, cast

import pytest

from crawler.core.reasons import Reason
from crawler.downloader.body import BodyReader
from crawler.downloader.timing import Deadline
from support.fetching import answering, ask, open_fetcher, saying
from support.rawserver import raw_server

KIB = 1024


def _sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_in_tiny_chunks_takes_no_more_than_its_size() -> None:
    """A piece of memory for each of half a million chunks would be fifty times as much."""
    chunks = b"2\r\nAa\r\n" * 500_000
    tracemalloc.start()
    try:
        async with raw_server(saying(CHUNKED + chunks + b"0\r\n\r\n")) as where, open_fetcher() as fetcher:
            response = await fetcher.fetch(ask(where))
            peak = tracemalloc.get_traced_memory()[1] - len(chunks)
    finally:
        tracemalloc.stop()

    assert len(response.body) == 1_000_000
    assert peak < 20_000_000


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_status_without_body_has_none(status: bytes) -> None:
    """204 and 304 end with their head, whatever length they state."""
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 10\r\n\r\n"
    async with raw_server(answering(answer)) as where, open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask(where))).body == b""


async def test_head_has_no_body_and_keeps_the_connection() -> None:
    """The length of what is not sent is not waited for."""
    async with raw_server(answering(_sized(9)[:-9])) as where, open_fetcher() as fetcher:
        response = await fetcher.fetch(ask(where, method="HEAD"))

    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (_sized(100), bytes(100)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=["length", "chunked", "until close", "HTTP/1.0", "empty"],
)
async def test_every_framing_gives_the_body(answer: bytes, body: bytes) -> None:
    """Transfer framing is removed, however the body is framed."""
    async with raw_server(saying(answer)) as where, open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask(where))).body == body


@pytest.mark.parametrize("framing", [b"Content-Length: 200000\r\n", b""], ids=["known length", "unknown length"])
async def test_a_body_over_the_limit_is_cut_there(framing: bytes) -> None:
    """The part within the limit is kept and marked as cut."""
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + bytes(200_000)
    async with (
        raw_server(saying(answer)) as where,
        open_fetcher(max_body=200_000) as whole,
        open_fetcher(max_body=199_999) as cut,
    ):
        full, short = await whole.fetch(ask(where)), await cut.fetch(ask(where))

    assert (len(full.body), full.cut) == (200_000, False)
    assert (len(short.body), short.cut) == (199_999, True)


@pytest.mark.both_loops
async def test_an_endless_body_is_cut_and_its_connection_dropped() -> None:
    """The server notices at once that nobody listens any more."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(bytes(64 * KIB))
                await writer.drain()
        except ConnectionError:
            gone.set()
            raise

    async with raw_server(serve) as where, open_fetcher(max_body=KIB * KIB) as fetcher:
        response = await fetcher.fetch(ask(where))
        async with asyncio.timeout(1):
            await gone.wait()

    assert (len(response.body), response.cut) == (KIB * KIB, True)


class Budget:
    """A `Room` that notes what is asked for, and may make it wait."""

    def __init__(self, wait: float = 0.0) -> None:
        self.asked: list[int] = []
        self.there: list[int] = []
        self.was_asked = asyncio.Event()
        self._wait = wait

    async def answered(self) -> float:
        """Wait if told so."""
        await asyncio.sleep(self._wait)
        return self._wait

    async def grow(self, n: int, there: int = 0, /) -> float:
        """Take note, and wait if told so."""
        self.asked.append(n)
        self.there.append(there)
        self.was_asked.set()
        if self._wait:
            await asyncio.sleep(self._wait)
        return self._wait


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (_sized(1000), [1000]),
        (_sized(700 * KIB), [500 * KIB]),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(300 * KIB), [256 * KIB, 244 * KIB]),
        (b"HTTP/1.1 204 No Content\r\n\r\n", []),
    ],
    ids=["known", "known, over the limit", "unknown", "none"],
)
async def test_room_is_taken_before_bytes_are_kept(answer: bytes, asked: list[int]) -> None:
    """A known length is reserved at once and up to the limit, an unknown one in steps."""
    room = Budget()
    async with raw_server(saying(answer)) as where, open_fetcher(max_body=500 * KIB) as fetcher:
        await fetcher.fetch(ask(where), room)

    assert room.asked == asked


async def test_room_is_told_what_has_come() -> None:
    """The bytes that came with the head need not be waited for."""
    room = Budget()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = _sized(100 * KIB)
        writer.write(answer[: -90 * KIB])
        await room.was_asked.wait()
        writer.write(answer[-90 * KIB :])

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        response = await fetcher.fetch(ask(where), room)

    assert (room.asked, room.there) == ([100 * KIB], [10 * KIB])
    assert response.body == bytes(100 * KIB)


class Pieces:
    """The part of a connection that a `BodyReader` needs: a body that comes in pieces of 64 KiB."""

    held = 0
    is_complete = is_empty = False

    def __init__(self, size: int) -> None:
        self._left = size

    async def piece(self) -> bytes:
        """The next one."""
        self._left -= (size := min(self._left, 64 * KIB))
        return bytes(size)


async def test_a_body_is_held_once() -> None:
    """Its pieces become the body as they come: there is never a second copy of it."""
    size = 16 * KIB * KIB
    reader = BodyReader(size, None, Deadline(0.0, 60), None)

    tracemalloc.start()
    body = await reader.whole(size, cast("Any", Pieces(size)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(body) == size
    assert peak < 1.2 * size


async def test_waiting_for_room_is_not_the_servers_time() -> None:
    """The deadline moves by the time that a slot and memory had to be waited for."""
    async with raw_server(answering(_sized(10))) as where, open_fetcher(timeout=0.2) as fetcher:
        response = await fetcher.fetch(ask(where), Budget(wait=0.3))

    assert len(response.body) == 10


async def test_our_own_pause_is_not_the_servers() -> None:
    """A body that is held back because memory is short runs into no idle limit."""
    async with raw_server(answering(_sized(4 * KIB * KIB))) as where, open_fetcher(idle_timeout=0.1) as fetcher:
        response = await fetcher.fetch(ask(where), Budget(wait=0.3))

    assert len(response.body) == 4 * KIB * KIB


async def test_a_break_after_our_own_pause_does_not_count() -> None:
    """The server that gave up while we waited for memory is not blamed."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
    async with raw_server(saying(answer)) as where, open_fetcher() as fetcher:
        with pytest.raises(Exception, match="memory") as caught:
            await fetcher.fetch(ask(where), Budget(wait=0.6))

    assert (caught.value.reason, caught.value.counted) == (Reason.TRUNCATED, False)  # type: ignore[attr-defined] # matched


@pytest.mark.parametrize("head", [b"Content-Length: 307200\r\n", b""], ids=["known length", "unknown length"])
async def test_a_byte_rate_holds_and_is_not_the_server_s_fault(head: bytes) -> None:
    """Two bodies of 300 KiB at 1 MiB per second take over half a second, which no time limit counts."""
    loop = asyncio.get_running_loop()
    handler = saying(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + bytes(300 * KIB))
    async with raw_server(handler) as where, open_fetcher(limit_rate=KIB * KIB, timeout=0.4) as fetcher:
        began = loop.time()

        first, second = await asyncio.gather(*(fetcher.fetch(ask(where, path)) for path in ("/1", "/2")))

    assert (len(first.body), len(second.body)) == (300 * KIB, 300 * KIB)
    assert loop.time() - began >= 600 / 1024
