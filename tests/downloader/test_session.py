"""downloader.session: the Fetcher over a session of the user's, with answers of aioresponses and of real servers."""

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest

from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.blocking import fetch
from crawler.downloader.body import PATIENCE
from crawler.downloader.client import Fetcher
from support.fetching import OK, HandClock, answering
from support.mocked_session import mocking
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import raw_server

URL = "http://h.example"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as a user makes it."""
    async with aiohttp.ClientSession(headers={"X-Session": "mine"}) as session:
        yield session


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


async def adds_nothing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request; a middleware."""
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
        (lambda: {"middlewares": (adds_nothing,)}, "middlewares"),
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
