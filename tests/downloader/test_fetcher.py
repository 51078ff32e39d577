"""downloader.fetcher: one request in, one response out."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from crawler.downloader.fetcher import HttpFetcher
from crawler.parse.page_reader import PageReader, Task
from crawler.runtime.clock import SystemClock
from support.fetching import OK, HandClock, answering, ask, failure, open_fetcher, saying
from support.rawserver import raw_server


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


async def test_a_request_may_be_refused_just_before_it_is_written() -> None:
    """Its connection stands by then, and carries nothing of it."""
    heads: list[bytes] = []
    opened: list[None] = []
    may_send = True

    def check() -> None:
        if not may_send:
            raise FetchError(Reason.CLIENT_LIMIT, "not now", counted=False)

    async with (
        raw_server(answering(OK, heads=heads, opened=opened)) as where,
        HttpFetcher(FetchConfig(), clock=SystemClock(), check=check) as fetcher,
    ):
        may_send = False
        error = await failure(fetcher, ask(where, "/never"))
        may_send = True
        await fetcher.fetch(ask(where, "/again"))

    assert (error.reason, error.counted) == (Reason.CLIENT_LIMIT, False)
    assert [head.split(b" ")[1] for head in heads] == [b"/again"]
    assert len(opened) == 2
