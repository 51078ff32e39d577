"""downloader.fetcher: one request in, one response out."""

import asyncio
import gzip
import tracemalloc
import zlib
from typing import Any, cast

import pytest

from crawler.core.errors import UsageError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.downloader.body import BodyReader
from crawler.downloader.client import Fetcher
from crawler.downloader.fetcher import HttpFetcher
from crawler.parse.page_reader import PageReader, Task
from crawler.version import __version__
from support.fetching import OK, HandClock, answering, ask, failure, open_fetcher, saying
from support.rawserver import raw_server

KIB = 1024


def _sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a?",
        "/?",
        "/%7Euser/%41",
        "/a//b",
        "/a;b=c?x=[1]|{2}&y=%zz",
        "/?a=1&a=2&b",
        "/a%2Fb?q=%20+%C3%A9",
        "/*'()!",
    ],
)
async def test_the_wire_carries_the_target_byte_for_byte(target: str) -> None:
    """Nothing between the canonical URL and the socket quotes, sorts or drops anything."""
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads)) as where, open_fetcher() as fetcher:
        request = ask(where, target)

        await fetcher.fetch(request)

    assert heads[0].split(b" ")[1].decode() == request.url.target == target


@pytest.mark.parametrize(
    ("address", "host"), [("127.0.0.1", "127.0.0.1:{port}"), ("::1", "[::1]:{port}")], ids=["IPv4", "IPv6"]
)
async def test_the_host_header_names_address_and_port(address: str, host: str) -> None:
    """IPv6 keeps its brackets, and a port that is not the scheme's own is told."""
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads), address) as (_, port), open_fetcher() as fetcher:
        url = f"http://{host.format(port=port)}/"

        response = await fetcher.fetch(Request(url=parse(url), named=True))

    assert f"\r\nHost: {host.format(port=port)}\r\n".encode() in heads[0]
    assert response.peer == host.format(port=port)


async def test_a_response_is_told_as_it_came() -> None:
    """Status, reason, header spelling and order, and the raw body arrive unchanged."""
    headers = b"X-b: 2\r\nx-A: 1 \r\nX-b: \xe9\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n"
    answer = b"HTTP/1.1 404 Not here\r\n" + headers + b"\r\n\x1f\x8b!"
    async with raw_server(answering(answer)) as where, open_fetcher() as fetcher:
        response = await fetcher.fetch(ask(where))

    assert (response.status, response.reason_phrase, response.http_version) == (404, "Not here", "1.1")
    assert response.headers[:3] == ((b"X-b", b"2"), (b"x-A", b"1"), (b"X-b", b"\xe9"))
    assert response.body == b"\x1f\x8b!"
    assert not response.cut


async def test_a_redirect_is_a_response() -> None:
    """Nothing is followed here."""
    heads: list[bytes] = []
    answer = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(answer, heads=heads)) as where, open_fetcher() as fetcher:
        response = await fetcher.fetch(ask(where, "/a"))

    assert response.header("location") == "/b"
    assert len(heads) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        REDIRECT + b"Content-Length: 154\r\n\r\n",
        REDIRECT + b"Content-Length: 154\r\n\r\n<html>",
        REDIRECT + b"Transfer-Encoding: chunked\r\n\r\n",
        REDIRECT + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhal",
        REDIRECT + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        REDIRECT + b"\r\n",
    ],
)
@pytest.mark.parametrize("is_held", [True, False], ids=["held open", "closed"])
async def test_a_redirect_is_its_head(answer: bytes, is_held: bool) -> None:
    """It redirects at once, with or without its body (Fetch standard, HTTP-redirect fetch)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if is_held:
            await reader.read()

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        async with asyncio.timeout(5):
            response = await fetcher.fetch(ask(where, "/a"))

    assert (response.status, response.header("location")) == (301, "/b")


@pytest.mark.parametrize("head", [b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 302 Found\r\nLocation:\r\n"])
async def test_what_leads_nowhere_has_to_be_whole(head: bytes) -> None:
    """Without a Location it is a page, and a page that is cut is no page."""
    async with raw_server(saying(head + b"Content-Length: 9\r\n\r\n")) as where, open_fetcher() as fetcher:
        assert (await failure(fetcher, ask(where))).reason == Reason.TRUNCATED


@pytest.mark.both_loops
@pytest.mark.parametrize("surplus", [b"X", b"EXTRA" * 100_000, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n?"])
async def test_what_follows_an_answer_belongs_to_nobody(surplus: bytes) -> None:
    """The answer is good as far as its framing says, and no other request meets the rest (RFC 9112, 6.3)."""
    connections: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(None)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + surplus)
        await reader.read()

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        bodies = [(await fetcher.fetch(ask(where, path))).body for path in ("/1", "/2", "/3")]

    assert bodies == [b"good"] * 3
    assert len(connections) == 3


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_transfer_codings_stay_and_are_told(coding: str) -> None:
    """They come off with the content codings, within the same bounds (RFC 9112, 7), for a crawl and for a script."""
    packed = gzip.compress(b"<a href=/x>page</a>") if coding == "gzip" else zlib.compress(b"<a href=/x>page</a>")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: " + coding.encode() + b", chunked\r\n\r\n"
    answer = head + b"%x\r\n" % len(packed) + packed + b"\r\n0\r\n\r\n"
    async with raw_server(answering(answer)) as where, open_fetcher() as fetcher, Fetcher() as script:
        response = await fetcher.fetch(ask(where))
        fetched = await script.get(f"http://{where[0]}:{where[1]}/")

    assert (response.body, response.transfer_codings) == (packed, (coding,))
    assert PageReader(Task(max_decoded=1000)).read_response(response).links == 1
    assert fetched.content == b"<a href=/x>page</a>"


@pytest.mark.parametrize("status", [b"404 Not Found", b"301 Moved"])
@pytest.mark.parametrize("is_held", [True, False], ids=["held open", "closed"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 154\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: x\r\n", b""]
)
async def test_of_an_answer_whose_body_is_of_no_use_the_head_is_enough(
    status: bytes, framing: bytes, is_held: bool
) -> None:
    """A robots.txt that is not there says so by its status (RFC 9309, 2.3.1.3), whatever becomes of its body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + status + b"\r\n" + framing + b"\r\n<html>")
        if is_held:
            await reader.read()

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        async with asyncio.timeout(5):
            response = await fetcher.fetch(ask(where, success_only=True))

    assert response.status == int(status[:3])


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


async def test_a_request_with_a_body_is_framed() -> None:
    """Method, headers in order, length and body go out; framing given by the caller does not."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(5))
        writer.write(OK)

    headers = (("X-One", "1"), ("Content-Length", "99"), ("Transfer-Encoding", "chunked"), ("X-Two", "é"))
    async with raw_server(serve) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where, method="POST", headers=headers, body=b"hello"))

    assert seen[0].startswith(b"POST / HTTP/1.1\r\nHost: ")
    assert seen[0].endswith("X-One: 1\r\nX-Two: é\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert seen[0].count(b"Content-Length") == 1


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
    is_empty = False

    def __init__(self, size: int) -> None:
        self._left = size

    async def piece(self) -> bytes:
        """The next one."""
        self._left -= (size := min(self._left, 64 * KIB))
        return bytes(size)


async def test_a_body_is_held_once() -> None:
    """Its pieces become the body as they come: there is never a second copy of it."""
    size = 16 * KIB * KIB
    async with asyncio.timeout(60) as deadline:
        reader = BodyReader(size, None, deadline, None)

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


@pytest.mark.parametrize(
    ("limit", "answer", "reason"),
    [
        ("first_byte_timeout", b"", Reason.FIRST_BYTE_TIMEOUT),
        ("idle_timeout", b"HTTP/1.1 200", Reason.IDLE_TIMEOUT),
        ("idle_timeout", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha", Reason.IDLE_TIMEOUT),
        ("timeout", b"HTTP/1.1 200 OK\r\n\r\nha", Reason.TOTAL_TIMEOUT),
        ("timeout", b"", Reason.TOTAL_TIMEOUT),
    ],
    ids=["first byte", "within the head", "within the body", "whole, body", "whole, head"],
)
@pytest.mark.both_loops
async def test_each_time_limit_has_its_name(limit: str, answer: bytes, reason: Reason) -> None:
    """A silent server ends the fetch in time, and the reason says which limit it was."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await asyncio.sleep(60)

    async with raw_server(_after_request(serve)) as where, open_fetcher(**_field(limit, 0.1)) as fetcher:
        async with asyncio.timeout(1):
            error = await failure(fetcher, ask(where))

    assert error.reason == reason


async def test_a_slow_but_steady_body_is_no_idle_one() -> None:
    """Each byte starts the idle limit anew."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.04)
            writer.write(b".")

    async with raw_server(_after_request(serve)) as where, open_fetcher(idle_timeout=0.2) as fetcher:
        assert (await fetcher.fetch(ask(where))).body == b"........"


async def test_a_fetch_can_be_cancelled() -> None:
    """Cancelling drops the connection and leaves the fetcher good."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        assert await reader.read() == b""

    async with raw_server(_after_request(serve)) as where, open_fetcher() as fetcher:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await fetcher.fetch(ask(where))
        async with raw_server(answering(OK)) as good:
            assert (await fetcher.fetch(ask(good))).body == b"good"


async def test_phases_are_told() -> None:
    """A new connection has a connect time and no lookup for an address; a reused one has neither."""
    clock = HandClock(tick=0.001)
    async with raw_server(answering(OK)) as where, open_fetcher(clock=clock) as fetcher:
        first = (await fetcher.fetch(ask(where))).timing
        by_name = (await fetcher.fetch(ask(("localhost", where[1])))).timing
        clock.now += 0.11
        again = (await fetcher.fetch(ask(where))).timing

    assert first.dns is None
    assert first.tls is None
    assert first.connect is not None
    assert by_name.dns is not None
    assert (again.connect, again.dns) == (None, None)
    for timing in (first, by_name, again):
        assert timing.first_byte is not None
        assert timing.body is not None
        assert timing.total is not None
        parts = (timing.dns or 0, timing.connect or 0, timing.first_byte, timing.body)
        assert min(parts) >= 0
        assert sum(parts) <= timing.total


async def test_only_named_hosts_see_who_asks() -> None:
    """Credentials and headers of the user go to named hosts; all others see what every client shows."""
    heads: list[bytes] = []
    config: dict[str, Any] = {"headers": (("X-Key", "secret"),), "basic_auth": ("user", "pass")}
    async with (
        raw_server(answering(OK, heads=heads)) as where,
        open_fetcher(allow_nets=("127.0.0.0/8",), **config) as fetcher,
    ):
        await fetcher.fetch(ask(where))
        await fetcher.fetch(ask(where, named=False, headers=(("Range", "bytes=0-9"),)))

    named, unnamed = heads
    assert b"X-Key: secret\r\n" in named
    assert b"Authorization: Basic dXNlcjpwYXNz\r\n" in named
    names = [line.split(b":")[0] for line in unnamed.split(b"\r\n")[1:-2]]
    assert names == [b"Host", b"User-Agent", b"Accept", b"Accept-Encoding", b"Range"]


async def test_a_redirect_from_another_origin_does_not_carry_the_users_credentials() -> None:
    """A host that the user named may be dialled for it, and learns nothing more than any other host."""
    heads: list[bytes] = []
    secrets: list[dict[str, Any]] = [{"headers": (("X-Key", "secret"),)}, {"basic_auth": ("a", "b")}, {"bearer": "c"}]
    async with raw_server(answering(OK, heads=heads)) as where:
        for config in secrets:
            async with open_fetcher(**config) as fetcher:
                await fetcher.fetch(ask(where, foreign=True))

    sent = [[line.split(b":")[0] for line in head.split(b"\r\n")[1:-2]] for head in heads]
    assert sent == [[b"Host", b"User-Agent", b"Accept", b"Accept-Encoding"]] * len(secrets)


async def test_the_contact_is_sent() -> None:
    """Each request tells the server's operator the contact."""
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads)) as where, open_fetcher(contact="me@example.org") as fetcher:
        await fetcher.fetch(ask(where))

    assert f"\r\nUser-Agent: crawler/{__version__} (+me@example.org)\r\n".encode() in heads[0]


async def test_the_users_headers_replace_ours() -> None:
    """A header that the user gives is sent once, in the user's words."""
    heads: list[bytes] = []
    given = (("user-agent", "mine"), ("Host", "other.example"))
    async with raw_server(answering(OK, heads=heads)) as where, open_fetcher(headers=given) as fetcher:
        await fetcher.fetch(ask(where, headers=(("Accept", "image/png"),)))

    assert heads[0].lower().count(b"user-agent:") == 1
    assert b"user-agent: mine\r\n" in heads[0]
    assert heads[0].count(b"Host:") == 1
    assert b"Host: other.example\r\n" in heads[0]
    assert b"Accept: image/png\r\n" in heads[0]


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X\n", "a"), ("", "a"), ("X", "\x00"), ("X Y", "a")])
async def test_no_header_can_start_a_new_line(header: tuple[str, str]) -> None:
    """A header that would break the message is refused before anything is sent."""
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads)) as where, open_fetcher() as fetcher:
        with pytest.raises(UsageError):
            await fetcher.fetch(ask(where, headers=(header,)))

    assert heads == []


async def test_cookies_of_a_file_go_to_their_domain(tmp_path: Any) -> None:
    """A cookies.txt file is read, and each cookie stays with its domain and path."""
    file = tmp_path / "cookies.txt"
    file.write_text(
        "# Netscape HTTP Cookie File\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tmine\tyes\n"
        "127.0.0.1\tFALSE\t/other\tFALSE\t4102444800\tpath\tno\n"
        ".example.com\tTRUE\t/\tFALSE\t4102444800\tforeign\tno\n"
    )
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads)) as where, open_fetcher(cookies_file=str(file)) as fetcher:
        await fetcher.fetch(ask(where))

    assert b"Cookie: mine=yes\r\n" in heads[0]
    assert b"no" not in heads[0]


@pytest.mark.parametrize("option", ["cookies_file", "ca_file", "client_cert"])
async def test_a_file_that_cannot_be_read_is_named(option: str, tmp_path: Any) -> None:
    """A missing or damaged file is the user's to mend, before the first request."""
    damaged = tmp_path / "damaged"
    damaged.write_text("nothing of use")
    for path in (damaged, tmp_path / "missing"):
        with pytest.raises(UsageError, match=str(path)):
            async with open_fetcher(**_field(option, str(path))):
                pass


def test_a_fetcher_tells_its_state() -> None:
    """The repr says how many connections wait."""
    fetcher: HttpFetcher = open_fetcher(idle_limit=7)

    assert repr(fetcher) == "<HttpFetcher <IdleConnections 0 of 7>>"


def _field(name: str, value: object) -> dict[str, Any]:
    return {name: value}


def _after_request(serve: Any) -> Any:
    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await serve(reader, writer)

    return after


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
