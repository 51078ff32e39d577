"""downloader.open_answer: an answer whose body is read as it comes."""

import asyncio
import copy
import gzip
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import brotli
import pytest
from backports import zstd

from crawler import Fetcher
from crawler.core.errors import FetchError, StatusError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.fetched import Answer
from crawler.downloader.open_answer import OpenAnswer
from crawler.testing import FakeAnswer, FakeTransport
from support.fetching import HandClock, answering, saying
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import Handler, raw_server


@pytest.fixture
def _reuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every host have its connections back at once."""
    monkeypatch.setattr("crawler.downloader.keep_alive.QUIET_SECONDS", 0.0)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TEXT = "".join(f"line {number} \u00fc\n" for number in range(50_000)).encode()


@asynccontextmanager
async def opened(server: Handler, method: str = "GET", path: str = "/", **options: Any) -> AsyncIterator[OpenAnswer]:
    """Open one answer of a server; options of the Fetcher and of the request."""
    own = {name: options.pop(name) for name in ("timeout", "max_body", "content") if name in options}
    if "fetcher_timeout" in options:
        options["timeout"] = options.pop("fetcher_timeout")
    async with (
        raw_server(server) as where,
        Fetcher(**options) as fetcher,
        fetcher.open(method, url_at(where, path), **own) as answer,
    ):
        yield answer


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def collect(answer: OpenAnswer, found: list[bytes]) -> None:
    """Append the pieces to a list, for as long as they come."""
    async for piece in answer.iter_bytes():
        found.append(piece)  # noqa: PERF401 - they are there although an error follows


async def pieces_of(answer: OpenAnswer, **options: Any) -> list[bytes]:
    """Return what `iter_bytes` yields."""
    return [piece async for piece in answer.iter_bytes(**options)]


def in_two(go_on: asyncio.Event) -> Handler:
    """Return a handler that sends one piece, and another once it may go on."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + chunk(b"one"))
        await go_on.wait()
        writer.write(chunk(b"two") + chunk(b""))

    return serve


async def test_pieces_are_there_as_they_come() -> None:
    """The first piece is read while the server waits with the second one."""
    go_on = asyncio.Event()

    found = []
    async with opened(in_two(go_on)) as answer:
        async for piece in answer.iter_bytes():
            found.append(piece)
            go_on.set()

    assert found == [b"one", b"two"]


@pytest.mark.parametrize("size", [1, 3, 10, 100])
async def test_chunks_have_the_size_that_is_asked_for(size: int) -> None:
    """But for the last one, which may be shorter."""
    body = bytes(range(10))
    async with opened(saying(CHUNKED, *(chunk(body[at : at + 4]) for at in (0, 4, 8)), chunk(b""))) as answer:
        found = await pieces_of(answer, chunk_size=size)

    assert found == [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("size", [0, "10", 1.5, True])
async def test_a_size_that_is_none_is_refused(size: Any) -> None:
    """The error names the keyword, and the body can still be read."""
    async with opened(answering(response(b"good"))) as answer:
        with pytest.raises(UsageError, match="chunk_size: expected a whole number, 1 or more, got"):
            await pieces_of(answer, chunk_size=size)
        with pytest.raises(UsageError, match="limit: expected a whole number, 0 or more, got"):
            await answer.read(limit=size or -1)

        assert await answer.read() == b"good"


async def test_a_read_goes_on_where_the_one_before_it_stopped() -> None:
    """Chunks that were taken and not given are there for the next read."""
    async with opened(answering(response(b"0123456789"))) as answer:
        async for found in answer.iter_bytes(3):
            assert found == b"012"
            break
        async for found in answer.iter_bytes(2):
            assert found == b"34"
            break

        assert await answer.read() == b"56789"
        assert await answer.read() == b""


async def test_lines_go_on_where_they_stopped() -> None:
    """Also lines that came in one piece."""
    async with opened(answering(response(b"a\nb\nc\nd"))) as answer:
        async for line in answer.iter_lines():
            assert line == "a"
            break

        assert [line async for line in answer.iter_lines()] == ["b", "c", "d"]


async def test_events_go_on_where_they_stopped() -> None:
    """Also events that came in one piece."""
    async with opened(answering(response(b"data: a\n\ndata: b\n\n"))) as answer:
        async for event in answer.iter_events():
            assert event.data == "a"
            break

        assert [event.data async for event in answer.iter_events()] == ["b"]


async def test_a_reader_of_events_learns_where_to_go_on() -> None:
    """The id and the pause come without data, too; the id that was sent stays until there is another."""
    body = response(b"data: a\n\nid: 7\n\nretry: 2500\n\n")
    async with (
        raw_server(answering(body)) as where,
        Fetcher() as fetcher,
        fetcher.open("GET", url_at(where), headers={"Last-Event-ID": "6"}) as answer,
    ):
        before = answer.last_event_id, answer.event_retry
        ids = [(event.id, answer.last_event_id) async for event in answer.iter_events()]

    assert (before, ids) == (("6", None), [("6", "6")])
    assert (answer.last_event_id, answer.event_retry) == ("7", 2.5)


async def test_an_event_has_a_limit() -> None:
    """One beyond 1 MiB is an error, for every read."""
    async with opened(answering(response(b"data: " + b"x" * 1024 * 1024 + b"\n\ndata: b\n\n"))) as answer:
        for _ in range(2):
            with pytest.raises(FetchError) as caught:
                await anext(answer.iter_events())
            assert caught.value.reason == Reason.BODY_LIMIT


async def test_a_read_that_would_lose_bytes_is_refused() -> None:
    """A reader of lines holds more of the body than it has given."""
    async with opened(answering(response(b"a\nb\n"))) as answer:
        async for _line in answer.iter_lines():
            break

        with pytest.raises(UsageError, match="iter_lines already"):
            await answer.read()


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    """A reader may give up a wait, be it for the server or for the byte rate, and read on later."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        for piece in (b"one", b"two", b"three"):
            writer.write(chunk(piece))
            await asyncio.sleep(0.05)
        writer.write(chunk(b""))

    found = b""
    async with opened(serve, limit_rate=50.0) as answer:
        while len(found) < len(b"onetwothree"):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    found += await anext(answer.iter_bytes())
        assert await answer.read() == b""

    assert found == b"onetwothree"


async def test_a_whole_read_that_is_cancelled_loses_nothing() -> None:
    """The next one returns all of it, not the rest as if it were all."""
    go_on = asyncio.Event()

    async with opened(in_two(go_on)) as answer, asyncio.TaskGroup() as group:
        reading = group.create_task(answer.read())
        while answer.body.taken < len(b"one"):  # noqa: ASYNC110 - a body sends no event
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.sleep(0)
        go_on.set()

        assert await answer.read() == b"onetwo"


async def test_the_body_as_it_was_sent() -> None:
    """`iter_raw` removes no coding."""
    packed = gzip.compress(b"good")
    async with opened(answering(response(packed, "Content-Encoding: gzip"))) as answer:
        assert b"".join([piece async for piece in answer.iter_raw()]) == packed


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress), ("br, gzip", None)],
)
async def test_codings_are_removed_from_small_pieces(
    coding: str, packed: Callable[[bytes], bytes] | None, size: int
) -> None:
    """The content is whole in whatever pieces the body came."""
    text = TEXT[:3000] if size < 10 else TEXT
    body = packed(text) if packed else gzip.compress(brotli.compress(text))
    head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with opened(saying(head, *(body[at : at + size] for at in range(0, len(body), size)))) as answer:
        found = await pieces_of(answer)

    assert b"".join(found) == text
    assert max(map(len, found)) <= 256 * 1024


@pytest.mark.parametrize("body", [gzip.compress(TEXT)[:-20], gzip.compress(TEXT)[:300] + b"!" * 300])
async def test_damage_is_an_error_for_every_read(body: bytes) -> None:
    """A second read after the error does not look like the end."""
    async with opened(answering(response(body, "Content-Encoding: gzip"))) as answer:
        for _ in range(2):
            with pytest.raises(FetchError) as caught:
                await answer.read()
            assert caught.value.reason == Reason.DECODE_ERROR


async def test_a_body_that_ends_too_early_is_an_error_for_every_read() -> None:
    """The pieces before are given first."""
    found: list[bytes] = []
    async with opened(saying(HEAD + b"Content-Length: 10\r\n\r\nhalf")) as answer:
        for _ in range(2):
            with pytest.raises(FetchError) as caught:
                await collect(answer, found)
            assert caught.value.reason == Reason.TRUNCATED

    assert b"".join(found) == b"half"


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (lambda answer: answer.read(), b'["\xc3\xbc"]'),
        (lambda answer: answer.text(), '["\u00fc"]'),
        (lambda answer: answer.json(), ["\u00fc"]),
    ],
)
async def test_a_whole_body(read: Callable[[OpenAnswer], Awaitable[Any]], content: Any) -> None:
    """It is given as bytes, as text and as JSON."""
    async with opened(answering(response(b'["\xc3\xbc"]'))) as answer:
        assert await read(answer) == content


@pytest.mark.parametrize("server", [answering(response(b"0123456789")), saying(HEAD + b"\r\n", b"0123456789")])
async def test_a_read_has_a_limit(server: Handler) -> None:
    """Content that is longer is an error; as long as the limit is none."""
    async with opened(server) as answer:
        assert await answer.read(10) == b"0123456789"
    async with opened(server) as answer:
        for limit in (9, None):  # the next read does not look like the end
            with pytest.raises(FetchError, match=r"\(limit\)") as caught:
                await answer.read(limit)
            assert caught.value.reason == Reason.BODY_LIMIT


async def test_a_read_without_a_limit_has_that_of_the_fetcher() -> None:
    """A bomb is no danger by default."""
    bomb = response(gzip.compress(bytes(2_000_000)), "Content-Encoding: gzip")
    async with opened(answering(bomb), max_decoded=1_000_000) as answer:
        with pytest.raises(FetchError, match=r"\(max_decoded\)") as caught:
            await answer.read()
    assert caught.value.reason == Reason.BODY_LIMIT


@pytest.mark.parametrize("error", [FetchError(Reason.TRUNCATED, "broken"), OSError("of the test's")])
async def test_a_broken_body_of_a_stand_in_is_an_error_for_every_read(error: Exception) -> None:
    """No error of a transport lets what comes behind it look like the body."""
    transport = FakeTransport({"http://h/": FakeAnswer(200, (b"half", error, b"rest"))})
    async with Fetcher(transport=transport) as fetcher, fetcher.open("GET", "http://h/") as answer:
        for _ in range(2):
            with pytest.raises(type(error)):
                await answer.read()


@pytest.mark.parametrize("body", [b"HTTP/1.1 200 OK\r\n\r\n", CHUNKED])
async def test_an_endless_body_ends_at_the_limit(body: bytes) -> None:
    """No more of it is read than the limit and what waits."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        while True:
            writer.write(chunk(bytes(10_000)))
            await writer.drain()

    for most in (100_000, None):
        async with opened(serve, max_body=most) as answer:
            with pytest.raises(FetchError) as caught:
                await answer.read(None if most else 100_000)
        assert caught.value.reason == Reason.BODY_LIMIT


@pytest.mark.parametrize("read", [OpenAnswer.read, OpenAnswer.text, pieces_of])
async def test_reading_after_closing_is_refused(read: Callable[[OpenAnswer], Awaitable[Any]]) -> None:
    """Also where a piece has come already."""
    async with opened(answering(response(b"0123456789"))) as answer:
        async for _ in answer.iter_bytes(2):
            break

    with pytest.raises(UsageError, match="the answer is closed"):
        await read(answer)


async def test_two_tasks_cannot_read_one_body_at_once() -> None:
    """The second one is told, and the first one goes on."""
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        await go_on.wait()
        writer.write(chunk(b"one") + chunk(b""))

    async with opened(serve) as answer, asyncio.TaskGroup() as group:
        first = group.create_task(answer.read())
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="another task reads"):
            await answer.read()
        go_on.set()

    assert first.result() == b"one"


async def test_an_answer_may_be_read_in_another_task() -> None:
    """One that is still read when its block is left gets an error."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        await asyncio.Event().wait()

    async with opened(serve) as answer:
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        with pytest.raises(FetchError) as caught:
            await reading
    assert caught.value.reason == Reason.CONNECTION_LOST


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n", b"Connection: close\r\n"])
async def test_a_fetcher_that_is_closed_ends_its_answers(framing: bytes) -> None:
    """A body that has no length is not taken for complete then."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + framing + b"\r\nhalf")
        await asyncio.Event().wait()

    async with raw_server(serve) as where, asyncio.timeout(5):
        fetcher = Fetcher()
        await fetcher.__aenter__()
        async with fetcher.open("GET", url_at(where)) as answer:
            assert await anext(answer.iter_bytes()) == b"half"
            await fetcher.__aexit__(None, None, None)

            with pytest.raises(FetchError) as caught:
                await answer.read()

    assert caught.value.reason == Reason.CONNECTION_LOST


@pytest.mark.usefixtures("_reuse")
async def test_what_was_read_to_the_end_gives_its_connection_back() -> None:
    """Also an answer that has come in full, and was not read."""
    opened_connections: list[None] = []
    server = answering(response(b"good"), opened=opened_connections)
    async with raw_server(server) as where, Fetcher() as fetcher:
        for reads in (True, True, False, True):
            async with fetcher.open("GET", url_at(where)) as answer:
                if reads:
                    assert await answer.read() == b"good"

    assert len(opened_connections) == 1


async def test_leaving_early_drops_the_connection_and_frees_the_place() -> None:
    """The server sees the end of it, and the next answer has a new one."""
    ended, count = asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        assert not await reader.read()
        ended.set()

    async with raw_server(serve) as where, Fetcher(concurrency=1, timeout=5) as fetcher:
        for _ in range(3):
            async with fetcher.open("GET", url_at(where)) as answer:
                assert await anext(answer.iter_bytes()) == b"half"
            async with asyncio.timeout(5):
                await ended.wait()

    assert count == 3


@pytest.mark.usefixtures("_reuse")
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_is_empty(method: str, answer: bytes) -> None:
    """Its connection is given back."""
    count: list[None] = []
    async with raw_server(answering(answer, opened=count)) as where, Fetcher() as fetcher:
        for _ in range(2):
            async with fetcher.open(method, url_at(where)) as found:
                assert await found.read() == b""

    assert len(count) == 1


async def test_redirects_tries_and_cookies_are_as_for_any_request(clock: HandClock) -> None:
    """The answer that is open is the last one, and knows the way to it."""
    server = PathServer(a=redirect_to("/b", "Set-Cookie: id=7"), b=[response(status="503 Busy"), response(b"good")])
    async with (
        raw_server(server) as where,
        Fetcher(cookies=True) as fetcher,
        fetcher.open("GET", url_at(where, "/a")) as answer,
    ):
        content = await answer.read()

    assert (content, answer.status, answer.url) == (b"good", 200, url_at(where, "/b"))
    assert answer.history == (url_at(where, "/a"),)
    assert server.paths() == ["/a", "/b", "/b"]
    assert "\r\nCookie: id=7\r\n" in server.requests[1]
    assert len(clock.slept) == 1


@pytest.mark.usefixtures("_reuse")
async def test_a_redirect_with_a_body_of_its_own_keeps_its_connection() -> None:
    """Its body came with its head, and is of no use."""
    count: list[None] = []
    moved = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nmoved"
    async with opened(answering(moved, response(b"good"), opened=count)) as answer:
        assert await answer.read() == b"good"

    assert len(count) == 1


async def test_the_timeout_of_a_request_counts_the_waits_for_its_body() -> None:
    """A server that never ends is left, however steadily it drips."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        while True:
            writer.write(chunk(b"."))
            await asyncio.sleep(0.01)

    async with opened(serve, timeout=0.3) as answer:
        with pytest.raises(FetchError) as caught:
            await answer.read()
    assert caught.value.reason == Reason.TOTAL_TIMEOUT


async def test_the_timeout_of_a_request_does_not_count_its_reader() -> None:
    """The time in which a piece is used is not the server's."""
    async with opened(answering(response(b"0123456789")), timeout=0.2) as answer:
        async for _ in answer.iter_bytes(5):
            await asyncio.sleep(0.3)
        await asyncio.sleep(0)


async def test_the_timeouts_of_the_fetcher_are_for_the_head_and_for_pauses() -> None:
    """A body may take longer than all of them, unless it pauses."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED)
        for _ in range(10):
            await asyncio.sleep(0.05)
            writer.write(chunk(b"."))
        await asyncio.Event().wait()

    found: list[bytes] = []
    async with opened(serve, fetcher_timeout=0.3, idle_timeout=0.25) as answer:
        with pytest.raises(FetchError) as caught:
            await collect(answer, found)

    assert caught.value.reason == Reason.IDLE_TIMEOUT
    assert b"".join(found) == b"." * 10


async def test_a_slow_reader_is_not_the_servers_fault() -> None:
    """The socket waits, and with it the server; little is held meanwhile."""
    size, sent = 20_000_000, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    found = 0
    async with opened(serve, idle_timeout=0.1, first_byte_timeout=5) as answer:
        pieces = answer.iter_bytes()
        found += len(await anext(pieces))
        await asyncio.sleep(0.4)
        taken_by_then = sent
        async for piece in pieces:
            found += len(piece)

    assert found == size
    assert taken_by_then < size  # the rest is what the kernels of both sides hold


async def test_the_byte_rate_holds_for_pieces() -> None:
    """A body comes no faster than the limit."""
    began = asyncio.get_running_loop().time()
    async with opened(saying(CHUNKED, *[chunk(bytes(1000))] * 4, chunk(b"")), limit_rate=10_000) as answer:
        assert len(await answer.read()) == 4000

    assert asyncio.get_running_loop().time() - began > 0.2


@pytest.mark.usefixtures("_reuse")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unasked_bytes_on_a_kept_connection_spoil_its_answer(method: str) -> None:
    """A request that may be sent twice is sent over a new connection, another one is an error."""
    count: list[None] = []
    good, poison = (
        response(b"good"),
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nbadHTTP/1.1 200 OK",
    )
    async with raw_server(answering(good, poison, opened=count)) as where, Fetcher(cookies=True) as fetcher:
        await fetcher.get(url_at(where))
        if method == "GET":
            async with fetcher.open(method, url_at(where)) as answer:
                assert await answer.read() == b"good"
        else:
            with pytest.raises(FetchError) as caught:
                async with fetcher.open(method, url_at(where)):
                    pass
            assert caught.value.reason == Reason.PROTOCOL_ERROR
        assert not list(fetcher.cookies or ())

    assert len(count) == (2 if method == "GET" else 1)


@pytest.mark.usefixtures("_reuse")
async def test_bytes_behind_a_body_that_was_given_are_an_error() -> None:
    """Its pieces cannot be taken back, so its end is no end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(b"good"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + chunk(b"one"))
        await go_on.wait()
        writer.write(chunk(b"") + b"HTTP/1.1 200 OK")

    go_on = asyncio.Event()
    async with raw_server(serve) as where, Fetcher() as fetcher:
        await fetcher.get(url_at(where))
        async with fetcher.open("GET", url_at(where)) as answer:
            assert await anext(answer.iter_bytes()) == b"one"
            go_on.set()
            with pytest.raises(FetchError) as caught:
                await answer.read()

    assert caught.value.reason == Reason.PROTOCOL_ERROR


async def test_an_error_crosses_processes_with_the_head_of_its_answer() -> None:
    """A body that flows stays where it is read; a copy of an open answer has none."""
    async with opened(answering(response(b"gone", "X: 1", status="404 Gone"))) as answer:
        with pytest.raises(StatusError) as caught:
            answer.raise_for_status()
        pickled = pickle.loads(pickle.dumps(caught.value))  # noqa: S301, TID251 - that it can be done is the point
        copies = [pickled.answer, copy.deepcopy(caught.value).answer, copy.copy(answer)]

        assert await caught.value.answer.read() == b"gone"

    assert [type(one) for one in copies] == [Answer] * 3
    assert [(one.status, one.headers["x"]) for one in copies] == [(404, "1")] * 3
