"""testing.transport and testing.answers: the forms of an answer, the record, time and errors of the fake network."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.blocking import fetch
from crawler.downloader.client import Fetcher
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import SentRequest
from crawler.downloader.request_options import ClientRequest
from crawler.http.cookies import Cookie
from crawler.http.retry import RetryPolicy
from crawler.testing import FakeAnswer, FakeClock, FakeTransport, UnknownUrl

URL = "http://api.example/items"


async def asked(transport: FakeTransport, url: str = URL, **options: Any) -> Any:
    """Return the answer of one GET."""
    async with Fetcher(transport=transport) as fetcher:
        return await fetcher.get(url, **options)


@pytest.mark.parametrize(
    ("reply", "status", "content", "content_type"),
    [
        (b"bytes", 200, b"bytes", None),
        ("te\u00dft", 200, "te\u00dft".encode(), "text/plain; charset=utf-8"),
        ({"a": 1}, 200, b'{"a": 1}', "application/json"),
        (404, 404, b"", None),
        (HTTPStatus.GONE, 410, b"", None),
        ((201, b"made"), 201, b"made", None),
        ((200, [1, 2]), 200, b"[1, 2]", "application/json"),
        ((200, "<p>", {"content-type": "text/html"}), 200, b"<p>", "text/html"),
        (FakeAnswer(body=(b"a", b"", b"b")), 200, b"ab", None),
        ([b"only"], 200, b"only", None),
        (lambda request: request.method, 200, b"GET", "text/plain; charset=utf-8"),
    ],
)
async def test_an_answer_has_short_forms(reply: Any, status: int, content: bytes, content_type: str | None) -> None:
    """Bytes, text, JSON, a status, a pair, a triple, pieces, a list and a function are answers."""
    page = await asked(FakeTransport({URL: reply}))

    assert (page.status, page.content, page.headers.get("Content-Type")) == (status, content, content_type)


async def test_a_function_answers_every_request() -> None:
    """It may be asynchronous, and sees what is sent."""

    async def answer(request: SentRequest) -> FakeAnswer:
        await asyncio.sleep(0)
        return FakeAnswer(body={"you": request.headers["User-Agent"], "sent": (request.content or b"").decode()})

    async with Fetcher(transport=FakeTransport(answer), user_agent="mine/1") as fetcher:
        page = await fetcher.post(URL, content="x")

    assert page.json() == {"you": "mine/1", "sent": "x"}


async def test_a_method_goes_before_a_url() -> None:
    """An answer for "POST URL" is that of POST alone, and a key may be written as a user writes URLs."""
    transport = FakeTransport({"http://API.example": b"any", "post http://api.example/": b"post"})
    async with Fetcher(transport=transport) as fetcher:
        pages = [await fetcher.get("http://api.example"), await fetcher.post("http://api.example/")]

    assert [page.content for page in pages] == [b"any", b"post"]


async def test_answers_come_one_after_the_other() -> None:
    """A list gives its answers in order and the last one for ever, and pauses take no time."""
    transport = FakeTransport({URL: [503, FetchError(Reason.CONNECTION_LOST, "gone"), b"good"]})
    async with Fetcher(transport=transport) as fetcher:
        pages = [await fetcher.get(URL), await fetcher.get(URL)]

    assert [page.content for page in pages] == [b"good", b"good"]
    assert [request.attempt for request in transport.requests] == [0, 1, 2, 0]
    assert len(transport.slept) == 2


async def test_a_server_asks_for_a_pause() -> None:
    """A retry waits for Retry-After on the fake clock."""
    busy = FakeAnswer(503, headers={"Retry-After": "50"})
    clock = FakeClock()
    transport = FakeTransport({URL: [busy, b"good"]}, clock=clock)

    page = await asked(transport, retries=RetryPolicy(tries=1))

    assert page.content == b"good"
    assert transport.slept == [50.0]
    assert clock.now == 1050.0


async def test_an_unknown_url_is_no_answer() -> None:
    """A URL without an answer fails the test, with the URLs that have one; a stream raises it, too."""
    transport = FakeTransport({URL: b"", "http://other.example/": b""})

    with pytest.raises(UnknownUrl, match=r"GET http://api.example/other has no answer: there are .*other\.example/"):
        await asked(transport, "http://api.example/other")
    async with Fetcher(transport=transport) as fetcher:
        with pytest.raises(AssertionError):
            _ = [page async for page in fetcher.stream(["http://api.example/other"])]
    with pytest.raises(UnknownUrl, match="none at all"):
        await asked(FakeTransport())
    with pytest.raises(UnknownUrl, match="and 5 more"):
        await asked(FakeTransport({f"{URL}/{n}": b"" for n in range(25)}))


async def test_a_default_answers_other_urls() -> None:
    """A default takes the place of the error."""
    assert (await asked(FakeTransport(default=404))).status == 404


async def test_errors_are_raised_as_they_are() -> None:
    """An error of any class, also one that a function raises, reaches the caller unchanged."""
    refused = FetchError(Reason.CONNECT_REFUSED, "nothing listens")

    def bug(_request: SentRequest) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(FetchError) as caught:
        await asked(FakeTransport({URL: refused}), retries=0)
    with pytest.raises(KeyError):
        await asked(FakeTransport({URL: KeyError("x")}))
    with pytest.raises(ZeroDivisionError):
        await asked(FakeTransport(bug))
    assert caught.value is refused


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (3.5, "api.example/items: expected an answer, .* got 3.5"),
        ([], "the list of http://api.example/items is empty"),
        ((b"a", b"b"), "expected an answer"),
        ((99, b""), "status: expected a number from 200 to 999"),
        ((200, 7), "body: expected bytes"),
        ((200, b"", 7), "headers: expected a mapping"),
        ((200, (b"a", "b")), "body: expected pieces"),
    ],
)
async def test_what_is_no_answer_is_told(reply: Any, message: str) -> None:
    """A value that is no answer fails the test, also in a stream, and says what is expected."""
    with pytest.raises(AssertionError, match=message):
        await asked(FakeTransport({URL: reply}))


async def test_a_key_that_is_no_url_is_told() -> None:
    """A path alone is a mistake of the test, and named."""
    with pytest.raises(UsageError, match="answers: '/items' is neither a URL nor a method and a URL"):
        await asked(FakeTransport({"/items": b""}))


def test_a_function_leaves_nothing_to_a_default() -> None:
    """A function and a default exclude each other."""
    with pytest.raises(UsageError, match="default: a function answers every request"):
        FakeTransport(lambda _request: b"", default=404)


@pytest.mark.parametrize(
    ("options", "reason", "passed"),
    [
        ({}, Reason.FIRST_BYTE_TIMEOUT, 20),
        ({"first_byte_timeout": 3}, Reason.FIRST_BYTE_TIMEOUT, 3),
        ({"timeout": 2}, Reason.TOTAL_TIMEOUT, 2),
        ({"timeout": 60, "first_byte_timeout": 40}, None, 30),
    ],
)
async def test_a_delay_meets_the_timeouts(options: dict[str, float], reason: Reason | None, passed: float) -> None:
    """A late answer is the error that it would be, and passes time on the fake clock alone."""
    transport = FakeTransport({URL: FakeAnswer(delay=30)})
    async with Fetcher(transport=transport, retries=0) as fetcher:
        (page,) = [page async for page in fetcher.stream([URL])]
        if options:
            transport.clock.now = 1000.0
            request = ClientRequest("GET", URL, **options)  # type: ignore[arg-type] # seconds
            (page,) = [page async for page in fetcher.stream([request])]

    assert getattr(page.error, "reason", None) is reason
    assert transport.clock.now == 1000 + passed
    assert reason or page.timing.first_byte == 30


async def test_a_body_comes_in_pieces() -> None:
    """An open answer gets the pieces of an answer, and its error after them; a big body is cut into pieces."""
    lost = FetchError(Reason.TRUNCATED, "it broke")
    transport = FakeTransport({URL: FakeAnswer(body=(b"one", b"two", lost)), f"{URL}/big": b"x" * 150_000})
    got: list[bytes] = []
    async with Fetcher(transport=transport) as fetcher:
        async with fetcher.open("GET", URL) as answer:
            with pytest.raises(FetchError) as caught:  # noqa: PT012 - it stands after the pieces
                async for piece in answer.iter_bytes():
                    got.append(piece)  # noqa: PERF401 - the pieces before the error count
        async with fetcher.open("GET", f"{URL}/big") as answer:
            sizes = [len(piece) async for piece in answer.iter_bytes()]

    assert got == [b"one", b"two"]
    assert caught.value is lost
    assert sizes == [65536, 65536, 18928]


async def test_an_upload_is_recorded_whole(tmp_path: Path) -> None:
    """A body of each kind is read to its end, and recorded; its own error reaches the caller."""
    path = tmp_path / "file"
    path.write_bytes(b"path")

    async def later() -> AsyncIterator[bytes]:
        yield b"la"
        yield b"ter"

    def broken() -> Iterator[bytes]:
        yield b"a"
        raise LookupError

    transport = FakeTransport(default=b"")
    async with Fetcher(transport=transport) as fetcher:
        for content in (b"bytes", path, io.BytesIO(b"file"), iter([b"i", b"t"]), later()):
            await fetcher.post(URL, content=content)
        await fetcher.post(URL, files={"f": ("a.txt", b"in a form")})
        with pytest.raises(LookupError):
            await fetcher.post(URL, content=broken())

    *plain, form = [request.content for request in transport.requests]
    assert plain == [b"bytes", b"path", b"file", b"it", b"later"]
    assert form is not None
    assert b"in a form" in form


async def test_a_jar_of_the_user_serves_the_fake(tmp_path: Path) -> None:
    """A jar and a cookies.txt are sent, and cookies expire by the fake clock."""
    clock = FakeClock()
    jar = CookieJar([Cookie(name="mine", value="1", domain="api.example")])
    jar.save(tmp_path / "cookies.txt")
    transport = FakeTransport({URL: FakeAnswer(headers={"Set-Cookie": "short=2; Max-Age=60"})}, clock=clock)
    async with Fetcher(transport=transport, cookies_file=tmp_path / "cookies.txt", cookies=True) as fetcher:
        await fetcher.get(URL)
        await fetcher.get(URL)
        clock.advance(61)
        await fetcher.get(URL)

    assert [r.headers["Cookie"] for r in transport.requests] == ["mine=1", "mine=1; short=2", "mine=1"]


@pytest.mark.parametrize("wrong", [{URL: b""}, FakeTransport])
def test_what_is_no_transport_is_refused(wrong: Any) -> None:
    """Answers alone and a class in place of its instance are told when the Fetcher is made."""
    with pytest.raises(UsageError, match=r"transport: expected one, such as FakeTransport\(\{\.\.\.\}\), got"):
        Fetcher(transport=wrong)


async def test_one_fake_serves_several_fetchers() -> None:
    """Each Fetcher sends its own headers, also while another is open."""
    transport = FakeTransport(default=b"")
    async with (
        Fetcher(transport=transport, user_agent="one") as one_fetcher,
        Fetcher(transport=transport, user_agent="two") as two_fetcher,
    ):
        await one_fetcher.get(URL)
        await two_fetcher.get(URL)

    assert [request.headers["User-Agent"] for request in transport.requests] == ["one", "two"]


def test_fetch_takes_the_fake() -> None:
    """`crawler.fetch` blocks over the fake as over the network."""
    transport = FakeTransport({URL: b"good"})

    pages = fetch([URL, "http://127.0.0.1:25/"], transport=transport)

    assert pages[0].content == b"good"
    assert pages[1].error is not None
    assert repr(transport) == "<FakeTransport 1 answers, 1 requests>"
