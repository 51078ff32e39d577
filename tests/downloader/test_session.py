"""downloader.session: the Fetcher over a session of the user's, with answers of aioresponses and of real servers."""

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.blocking import fetch
from crawler.downloader.body import PATIENCE
from crawler.downloader.client import Fetcher
from crawler.downloader.request_body import Content, request_body
from crawler.downloader.session import SessionFetcher
from crawler.runtime.clock import SystemClock
from support.fetching import OK, HandClock, answering, ask
from support.mocked_session import mocking
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import raw_server

URL = "http://h.example"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as a user makes it."""
    async with aiohttp.ClientSession(headers={"X-Session": "mine"}) as session:
        yield session


def over(session: aiohttp.ClientSession, **config: Any) -> SessionFetcher:
    """Return a fetcher over a session; keywords are fields of `FetchConfig`."""
    return SessionFetcher(session, FetchConfig(**config), clock=SystemClock())


# --- aioresponses --------------------------------------------------------------------------------------------------


async def test_a_mocked_answer_is_an_answer(session: aiohttp.ClientSession) -> None:
    """Status, headers and content come as the mock gives them."""
    with mocking() as mocked:
        mocked.get(f"{URL}/a", body=b"caf\xe9", headers={"X-A": "1", "Content-Type": "text/plain; charset=iso-8859-1"})
        async with Fetcher(session=session) as fetcher:
            page = await fetcher.get(f"{URL}/a")

    assert (page.status, page.text, page.headers["x-a"]) == (200, "caf\u00e9", "1")


async def test_mocked_redirects_are_followed() -> None:
    """A POST becomes a GET; another origin gets no credentials."""
    with mocking() as mocked:
        mocked.post(f"{URL}/a", status=303, headers={"Location": "http://other.example/b"})
        mocked.get("http://other.example/b", body="there")
        async with Fetcher(session=aiohttp.ClientSession, bearer="secret") as fetcher:
            page = await fetcher.post(f"{URL}/a", json={"a": 1})

        first, second = (calls[0].kwargs for calls in mocked.requests.values())

    assert (page.content, page.history) == (b"there", (f"{URL}/a",))
    assert dict(first["headers"])["Authorization"] == "Bearer secret"
    assert "secret" not in str(second["headers"])
    assert second["data"] is None


async def test_mocked_failures_are_tried_again(session: aiohttp.ClientSession, clock: HandClock) -> None:
    """A status that may pass, with the pause that the server asks for, and a connection that broke."""
    with mocking() as mocked:
        mocked.get(f"{URL}/a", status=503, headers={"Retry-After": "7"})
        mocked.get(f"{URL}/a", exception=aiohttp.ServerDisconnectedError())
        mocked.get(f"{URL}/a", body="now")
        async with Fetcher(session=session) as fetcher:
            page = await fetcher.get(f"{URL}/a")

    assert page.content == b"now"
    assert clock.slept[0] == 7
    assert len(clock.slept) == 2


async def test_an_hour_is_not_waited_for(session: aiohttp.ClientSession, clock: HandClock) -> None:
    """After a long Retry-After the answer is the result."""
    with mocking() as mocked:
        mocked.get(f"{URL}/a", status=429, headers={"Retry-After": "3600"})
        async with Fetcher(session=session) as fetcher:
            assert (await fetcher.get(f"{URL}/a")).status == 429
    assert clock.slept == []


FAILURES: list[tuple[Exception, Reason]] = [
    (aiohttp.ConnectionTimeoutError(), Reason.CONNECT_TIMEOUT),
    (aiohttp.SocketTimeoutError(), Reason.IDLE_TIMEOUT),
    (TimeoutError(), Reason.TOTAL_TIMEOUT),
    (aiohttp.ServerDisconnectedError(), Reason.CONNECTION_LOST),
    (aiohttp.ClientOSError(104, "reset"), Reason.CONNECTION_LOST),
    (aiohttp.ClientPayloadError("short"), Reason.TRUNCATED),
    (aiohttp.ClientResponseError(Mock(), (), status=400, message="bad head"), Reason.PROTOCOL_ERROR),
    (aiohttp.ClientHttpProxyError(Mock(), (), status=407), Reason.PROXY_FAILED),
    (aiohttp.InvalidURL("x"), Reason.CONNECT_FAILED),
    (ConnectionResetError(), Reason.CONNECTION_LOST),
]


@pytest.mark.parametrize(("raised", "reason"), FAILURES, ids=lambda value: type(value).__name__)
async def test_what_aiohttp_raises_has_a_reason(
    session: aiohttp.ClientSession, raised: Exception, reason: Reason
) -> None:
    """Nothing but a FetchError comes out."""
    with mocking() as mocked:
        mocked.get(f"{URL}/a", exception=raised)
        async with Fetcher(session=session, retries=0) as fetcher:
            with pytest.raises(FetchError) as caught:
                await fetcher.get(f"{URL}/a")

    assert caught.value.reason is reason
    assert "h.example" in str(caught.value)


# --- real servers --------------------------------------------------------------------------------------------------


async def test_content_is_decoded_once(session: aiohttp.ClientSession) -> None:
    """By our decoder, with our limit, whatever the session would do."""
    site = PathServer(
        a=response(gzip.compress(b"page"), "Content-Encoding: gzip"),
        bomb=response(gzip.compress(bytes(10**6)), "Content-Encoding: gzip"),
    )
    async with raw_server(site) as where, Fetcher(session=session, max_decoded=1000) as fetcher:
        assert (await fetcher.get(url_at(where, "/a"))).content == b"page"
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where, "/bomb"))

    assert caught.value.reason is Reason.DECODED_LIMIT


async def test_the_session_s_own_headers_are_sent_beside_those_given(session: aiohttp.ClientSession) -> None:
    """Defaults of the session, of the Fetcher and of the request, in one request."""
    site = PathServer()
    async with (
        raw_server(site) as where,
        Fetcher(session=session, headers={"X-Fetcher": "1"}, auth=("me", "pw")) as fetcher,
    ):
        await fetcher.get(url_at(where), headers={"X-Own": "2"}, cookies={"c": "3"})
        await fetcher.post(url_at(where), data={"a": ["1", "2"]})

    for header in ("X-Session: mine", "X-Fetcher: 1", "X-Own: 2", "Authorization: Basic bWU6cHc=", "Cookie: c=3"):
        assert f"{header}\r\n" in site.requests[0]
    assert "User-Agent: crawler/" in site.requests[0]
    assert site.requests[1].endswith("\r\n\r\na=1&a=2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(bytes(5000)), Reason.BODY_LIMIT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Reason.TRUNCATED),
        (b"nonsense\r\n\r\n", Reason.PROTOCOL_ERROR),
        (b"", Reason.CONNECTION_LOST),
    ],
)
async def test_a_bad_answer_has_a_reason(session: aiohttp.ClientSession, answer: bytes, reason: Reason) -> None:
    """Too long, too short, no HTTP, nothing at all."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with raw_server(once) as where, Fetcher(session=session, retries=0, max_body=1000) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where))

    assert caught.value.reason is reason


async def test_a_body_as_long_as_its_limit_is_whole(session: aiohttp.ClientSession) -> None:
    """Only a longer one is cut."""
    async with (
        raw_server(answering(response(bytes(1000)))) as where,
        Fetcher(session=session, max_body=1000) as fetcher,
    ):
        assert len((await fetcher.get(url_at(where))).content) == 1000


async def test_nobody_answers(session: aiohttp.ClientSession) -> None:
    """A refused dial, a silent server and a deadline."""
    silent = PathServer()
    silent.pause = 5
    async with raw_server(silent) as where:
        found = []
        for options, url in (
            ({}, "http://127.0.0.1:4/"),
            ({"first_byte_timeout": 0.05, "idle_timeout": 0.05}, url_at(where)),
            ({"timeout": 0.05}, url_at(where)),
        ):
            async with Fetcher(session=session, retries=0, **options) as fetcher:  # type: ignore[arg-type]
                with pytest.raises(FetchError) as caught:
                    await fetcher.get(url)
            found.append(caught.value.reason)

    assert found == [Reason.CONNECT_REFUSED, Reason.IDLE_TIMEOUT, Reason.TOTAL_TIMEOUT]


async def test_a_redirect_to_a_private_address_is_refused(session: aiohttp.ClientSession) -> None:
    """Nothing changes by the session."""
    async with raw_server(answering(redirect_to("http://10.0.0.1/"))) as where, Fetcher(session=session) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where))

    assert caught.value.reason is Reason.BLOCKED_ADDRESS


async def test_many_urls_are_streamed(session: aiohttp.ClientSession) -> None:
    """Every URL has its answer, errors included."""
    site = PathServer(a=response(b"A"))
    async with raw_server(site) as where, Fetcher(session=session, concurrency=4, retries=0) as fetcher:
        urls = [url_at(where, "/a"), "nonsense", "http://127.0.0.1:4/", *[url_at(where, "/a")] * 20]
        answers = [answer async for answer in fetcher.stream(urls, ordered=True)]

    assert [bool(answer.error) for answer in answers] == [False, True, True, *[False] * 20]


async def test_a_session_is_left_open_and_one_of_a_function_is_closed(session: aiohttp.ClientSession) -> None:
    """A session is closed by its maker alone."""
    made: list[aiohttp.ClientSession] = []

    def make() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession())
        return made[0]

    for given in (session, make):
        async with raw_server(answering(OK)) as where, Fetcher(session=given) as fetcher:
            await fetcher.get(url_at(where))

    assert not session.closed
    assert made[0].closed


def test_the_blocking_call_takes_a_function() -> None:
    """A session lives in one loop; `crawler.fetch` makes its own."""
    with mocking() as mocked:
        mocked.get(f"{URL}/a", body="A")
        (answer,) = fetch([f"{URL}/a"], session=aiohttp.ClientSession)

    assert answer.content == b"A"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": "http://p:1", "cookies": True}, "cookies and proxy: a session has its own"),
        ({"insecure_hosts": ["h"]}, "insecure_hosts: a session has its own"),
        ({"session": 3}, "session: expected an aiohttp.ClientSession, or a function"),
    ],
)
async def test_what_the_session_decides_is_refused(session: aiohttp.ClientSession, options: Any, message: str) -> None:
    """An option that would be dropped is an error."""
    with pytest.raises(UsageError) as raised:
        Fetcher(**{"session": session, **options})

    assert message in str(raised.value)


async def test_a_closed_session_is_named(session: aiohttp.ClientSession) -> None:
    """It is named at once, and not after its retries."""
    await session.close()
    with pytest.raises(UsageError, match="session: it is closed"):
        async with Fetcher(session=session):
            pass


async def test_a_session_is_loaded_only_for_those_who_bring_one() -> None:
    """The docstring of a Fetcher says what it takes."""
    maker: Callable[[], aiohttp.ClientSession] = aiohttp.ClientSession
    async with Fetcher(session=maker) as fetcher:
        assert "SessionFetcher" in repr(fetcher)


async def logs_in(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request with credentials; a middleware."""
    request.headers["Authorization"] = "Bearer s"
    return await handler(request)


def unsafe_jar(**cookies: str) -> aiohttp.CookieJar:
    """Return a jar that works for addresses, with cookies as `ClientSession(cookies=...)` puts them in."""
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies(cookies)
    return jar


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (lambda: {"headers": {"Authorization": "Bearer s"}}, "header Authorization"),
        (lambda: {"headers": {"Cookie": "s=1"}}, "header Cookie"),
        (lambda: {"headers": {"proxy-authorization": "Basic x"}}, "header proxy-authorization"),
        (lambda: {"headers": {"X-Api-Key": "s"}}, "header X-Api-Key"),
        (lambda: {"auth": aiohttp.BasicAuth("me", "pw")}, "auth"),
        (lambda: {"cookie_jar": unsafe_jar(sid="s")}, "cookies without a domain"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*auth:DeprecationWarning", "ignore:.*BasicAuth:DeprecationWarning")
async def test_a_session_s_own_credentials_go_to_no_other_origin(options: Callable[[], Any], told: str) -> None:
    """Since aiohttp would send them there, the redirect is an error, and the other origin is not asked."""
    there = PathServer()
    async with raw_server(there) as other:
        here = PathServer(a=redirect_to("/b"), away=redirect_to(url_at(other)))
        async with (
            raw_server(here) as where,
            aiohttp.ClientSession(**options()) as session,
            Fetcher(session=session, allow_nets=("127.0.0.0/8",)) as fetcher,
        ):
            assert (await fetcher.get(url_at(where, "/a"))).ok
            with pytest.raises(FetchError, match=told) as caught:
                await fetcher.get(url_at(where, "/away"))

    assert caught.value.reason is Reason.BAD_REDIRECT
    assert there.requests == []


async def test_a_session_s_middlewares_stay_at_home() -> None:
    """They may add credentials, so they do not see what goes to another origin."""
    there = PathServer()
    async with raw_server(there) as other:
        here = PathServer(away=redirect_to(url_at(other)))
        async with (
            raw_server(here) as where,
            aiohttp.ClientSession(middlewares=(logs_in,)) as session,
            Fetcher(session=session, allow_nets=("127.0.0.0/8",)) as fetcher,
        ):
            await fetcher.get(url_at(where, "/away"))

    assert ["Bearer s" in request for request in (*here.requests, *there.requests)] == [True, False]


async def test_a_session_without_secrets_is_led_to_another_origin() -> None:
    """Headers that tell no secret go along, and a cookie stays with the host that set it."""
    there = PathServer()
    async with raw_server(there, "127.0.0.2") as other:
        here = PathServer(a=redirect_to(url_at(other), "Set-Cookie: seen=1"))
        async with (
            raw_server(here) as where,
            aiohttp.ClientSession(headers={"Accept-Language": "de"}, cookie_jar=unsafe_jar()) as session,
            Fetcher(session=session, allow_nets=("127.0.0.0/8",)) as fetcher,
        ):
            assert (await fetcher.get(url_at(where, "/a"))).ok

    assert "Accept-Language: de\r\n" in there.requests[0]
    assert "seen" not in there.requests[0]


async def test_a_page_may_set_a_cookie_of_the_session_and_redirect_to_itself() -> None:
    """The session's jar makes the second request another one."""
    site = PathServer(a=[redirect_to("/a", "Set-Cookie: seen=1; Path=/"), response(b"in")])
    async with (
        raw_server(site) as where,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        Fetcher(session=session) as fetcher,
    ):
        assert (await fetcher.get(url_at(where, "/a"))).content == b"in"


async def test_a_redirect_is_its_head(session: aiohttp.ClientSession) -> None:
    """A body that never ends is not waited for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b" /a " in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 9\r\n\r\nslow")
            await reader.read()
        else:
            writer.write(OK)
        writer.close()

    async with raw_server(serve) as where, Fetcher(session=session, timeout=5) as fetcher:
        assert (await fetcher.get(url_at(where, "/a"))).content == b"good"


async def test_a_function_that_gives_no_session_is_named() -> None:
    """A mistake of the program, told at once."""
    with pytest.raises(UsageError, match=r"gave no aiohttp\.ClientSession, but NoneType"):
        async with Fetcher(session=lambda: None):
            pass


async def test_an_empty_location_leads_nowhere(session: aiohttp.ClientSession) -> None:
    """Such an answer is a page like others, and its slow body is waited for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 4\r\n\r\nsl")
        await asyncio.sleep(PATIENCE + 0.1)
        writer.write(b"ow")
        writer.close()

    async with raw_server(serve) as where, Fetcher(session=session) as fetcher:
        assert (await fetcher.get(url_at(where))).content == b"slow"


# --- what is sent --------------------------------------------------------------------------------------------------


class Wire:
    """A server that answers once a request has come to its end, and notes its bytes."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request."""
        got = b""
        while not got.endswith(b"hello") and not got.endswith(b"0\r\n\r\n"):
            got += await reader.readexactly(1)
        self.requests.append(got)
        writer.write(OK)


@pytest.mark.parametrize("kind", ["bytes", "path", "pieces"])
async def test_framing_is_not_the_user_s(session: aiohttp.ClientSession, tmp_path: Path, kind: str) -> None:
    """A body is framed once, by what it is."""
    (tmp_path / "body").write_bytes(b"hello")
    bodies: dict[str, dict[str, Any]] = {
        "bytes": {"body": b"hello"},
        "path": {"source": request_body("content", tmp_path / "body")},
        "pieces": {"source": request_body("content", [b"hel", b"lo"])},
    }
    theirs = (("Content-Length", "2"), ("Connection", "close"), ("Upgrade", "h2c"))
    wire = Wire()
    async with raw_server(wire) as where, over(session, headers=theirs) as fetcher:
        await fetcher.fetch(ask(where, method="POST", headers=(("transfer-encoding", "gzip"), *theirs), **bodies[kind]))

    head, _, content = wire.requests[0].partition(b"\r\n\r\n")
    framing = [line for line in head.split(b"\r\n") if line.lower().startswith((b"co", b"tr", b"up"))]
    assert [line for line in framing if not line.startswith(b"Content-Type")] == [
        b"Transfer-Encoding: chunked" if kind == "pieces" else b"Content-Length: 5"
    ]
    assert content == (b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" if kind == "pieces" else b"hello")


async def test_a_session_that_frames_requests_is_refused() -> None:
    """Such a header of a session would cut every body."""
    async with (
        aiohttp.ClientSession(headers={"content-length": "2"}) as session,
        Fetcher(session=session) as fetcher,
    ):
        with pytest.raises(UsageError, match="session: its header Content-Length would break requests"):
            await fetcher.get(f"{URL}/a")


@pytest.mark.parametrize("header", [("X-A", "1\x00"), ("X-A", "1\r\nX-B: 2"), ("X A", "1")])
async def test_a_header_that_breaks_the_request_is_a_mistake(
    session: aiohttp.ClientSession, header: tuple[str, str]
) -> None:
    """It is told before anything is sent, and not tried again."""
    async with over(session) as fetcher:
        with pytest.raises(UsageError, match="holds a character that would break the request"):
            await fetcher.fetch(ask(("127.0.0.1", 4), headers=(header,)))


async def test_a_header_is_sent_once(session: aiohttp.ClientSession) -> None:
    """The request's replace the Fetcher's, those replace the session's, and aiohttp adds none of the same name."""
    site = PathServer()
    names = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type", "X-Session")
    async with (
        raw_server(site) as where,
        Fetcher(session=session, headers={"User-Agent": "theirs", "accept": "a/b"}) as fetcher,
    ):
        own = {"accept-encoding": "gzip", "content-type": "c/d", "X-session": "own", "ACCEPT": "e/f"}
        await fetcher.post(url_at(where), content=b"x", headers=own)
        await fetcher.post(url_at(where), json=1)

    for request in site.requests:
        sent = [line.partition(":")[0].lower() for line in request.split("\r\n")]
        assert [sent.count(name.lower()) for name in names] == [1] * len(names)
    assert "user-agent: theirs\r\n" in site.requests[0].lower()
    assert "accept: e/f\r\n" in site.requests[0].lower()


# --- secrets of a proxy --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("kind", ["refused", "closed", "wants another", "no HTTP", "bad"])
async def test_a_proxy_s_password_is_never_told(caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """Neither the error and its causes nor a notice of a retry nor the log hold it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if kind != "closed":
            writer.write(b"nonsense\r\n\r\n" if kind == "no HTTP" else response(status="407 Wants a password"))

    caplog.set_level("DEBUG", "crawler")
    notices: list[Any] = []
    async with raw_server(serve) as (host, port):
        at = {"refused": "127.0.0.1:4", "bad": ":bad"}.get(kind, f"{host}:{port}")
        async with (
            aiohttp.ClientSession(proxy=f"http://u:s3cret@{at}") as session,
            Fetcher(session=session, retries=1, on_retry=notices.append) as fetcher,
        ):
            with pytest.raises(FetchError) as caught:
                await fetcher.get("https://h.example/")

    told = [
        *traceback.format_exception(caught.value),
        caplog.text,
        *(f"{notice!r} {notice.error}" for notice in notices),
    ]
    assert "s3cret" not in "\n".join(told)
    assert "h.example" in str(caught.value)


# --- bodies in pieces ----------------------------------------------------------------------------------------------


class Failing(list[bytes]):
    """Pieces that can be asked for again, and fail each time."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.asked = 0

    def __iter__(self) -> Iterator[bytes]:
        self.asked += 1
        yield b"first"
        raise self.error


async def put(fetcher: Fetcher, url: str, body: Content) -> None:
    """Send a body, and take the answer as a whole."""
    await fetcher.put(url, content=body)


async def put_and_open(fetcher: Fetcher, url: str, body: Content) -> None:
    """Send a body, and read the answer as it comes."""
    async with fetcher.open("PUT", url, content=body) as answer:
        await answer.read()


@pytest.mark.parametrize("error", [RuntimeError("mine"), TimeoutError("mine"), OSError(5, "mine"), KeyError("mine")])
@pytest.mark.parametrize("send", [put, put_and_open])
async def test_an_error_of_the_user_s_own_body_comes_out_unchanged(
    session: aiohttp.ClientSession,
    clock: HandClock,
    error: Exception,
    send: Callable[[Fetcher, str, Content], Awaitable[None]],
) -> None:
    """Once, whatever aiohttp makes of it."""
    body = Failing(error)
    async with raw_server(Wire()) as where, Fetcher(session=session) as fetcher:
        with pytest.raises(type(error), match="mine") as caught:
            await send(fetcher, url_at(where), body)

    assert caught.value is error
    assert body.asked == 1
    assert clock.slept == []


async def test_a_file_that_shrinks_is_named(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Its UsageError comes out, and no broken connection."""
    path = tmp_path / "body"
    path.write_bytes(b"hello")
    source = request_body("content", path)
    path.write_bytes(b"hel")
    async with raw_server(Wire()) as where, over(session) as fetcher:
        with pytest.raises(UsageError, match="has shrunk: 2 of the 5 bytes"):
            await fetcher.fetch(ask(where, method="PUT", source=source))


@pytest.mark.parametrize("send", [put, put_and_open])
async def test_an_error_of_the_body_behind_the_head_ends_the_answer(
    send: Callable[[Fetcher, str, Content], Awaitable[None]],
) -> None:
    """An answer that came early is not complete without the body of its request."""
    has_head = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await has_head.wait()
        raise RuntimeError("mine")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"first")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await reader.read()

    traces = aiohttp.TraceConfig()
    traces.on_request_end.append(AsyncMock(side_effect=lambda *_: has_head.set()))
    async with (
        raw_server(serve) as where,
        aiohttp.ClientSession(trace_configs=[traces]) as session,
        Fetcher(session=session) as fetcher,
    ):
        with pytest.raises(RuntimeError, match="mine"):
            await send(fetcher, url_at(where), body())


class Endless:
    """A body that never ends, and knows when it is closed."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.is_closed = False

    async def pieces(self, size: int, pause: float) -> AsyncIterator[bytes]:
        """Yield pieces of this size, with a pause before each but the first."""
        try:
            while True:
                yield bytes(size)
                self.begun.set()
                await asyncio.sleep(pause)
        finally:
            self.is_closed = True


@pytest.mark.parametrize(("size", "pause"), [(2**20, 0), (1, 60)], ids=["full", "slow"])
async def test_a_refusal_before_the_end_of_the_body_is_the_answer(
    session: aiohttp.ClientSession, size: int, pause: float
) -> None:
    """The rest is not sent, and its source is closed."""
    body = Endless()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1)
        writer.write(response(b"too much", status="413 Content Too Large"))
        await reader.read()

    async with raw_server(serve) as where, Fetcher(session=session, timeout=5) as fetcher:
        answer = await fetcher.post(url_at(where), content=body.pieces(size, pause))

        assert (answer.status, answer.content) == (413, b"too much")
        assert body.is_closed


@pytest.mark.parametrize(("size", "pause"), [(2**20, 0), (1, 60)], ids=["full", "slow"])
@pytest.mark.parametrize("end", ["cancelled", "timeout", "left"])
async def test_an_upload_that_is_given_up_closes_its_source(
    session: aiohttp.ClientSession, size: int, pause: float, end: str
) -> None:
    """At once, wherever it stands: a cancelled call, one past its time, an open answer that is left."""
    body = Endless()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if end == "left":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await asyncio.sleep(60)

    async with raw_server(serve) as where, Fetcher(session=session) as fetcher:
        sent = {"content": body.pieces(size, pause)}
        if end == "left":
            async with fetcher.open("POST", url_at(where), **sent) as answer:  # type: ignore[arg-type]
                await anext(answer.iter_bytes())
        elif end == "timeout":
            with pytest.raises(FetchError, match="took longer"):
                await fetcher.post(url_at(where), timeout=0.2, **sent)  # type: ignore[arg-type]
        else:
            call = asyncio.create_task(fetcher.post(url_at(where), **sent))  # type: ignore[arg-type]
            await body.begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        assert body.is_closed


async def test_an_open_answer_has_its_limits(session: aiohttp.ClientSession) -> None:
    """Of size and of time, for the head and for the body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b" /silent " not in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + bytes(1500))
        await reader.read()

    found = []
    async with raw_server(serve) as where, Fetcher(session=session, retries=0) as fetcher:
        for path, options in (
            ("/", {"max_body": 1000}),
            ("/", {"timeout": 0.1}),
            ("/", {"idle_timeout": 0.1, "first_byte_timeout": 0.1}),
            ("/silent", {"timeout": 0.1}),
            ("/silent", {"idle_timeout": 0.1, "first_byte_timeout": 0.1}),
        ):
            with pytest.raises(FetchError) as caught:
                async with fetcher.open("GET", url_at(where, path), **options) as answer:
                    await answer.read()
            found.append(caught.value.reason)

    late, silent = Reason.TOTAL_TIMEOUT, Reason.IDLE_TIMEOUT
    assert found == [Reason.BODY_LIMIT, late, silent, late, silent]
