"""downloader.client: the library's client, one request at a time."""

import asyncio
import gzip
import json

import pytest

from crawler.core.errors import FetchError, UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from support.fetching import OK, HandClock, answering
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import raw_server

BAD = "http://127.0.0.1:1/"


@pytest.mark.both_loops
async def test_a_page_is_fetched_and_decoded() -> None:
    """Content, text, JSON and headers of one page."""
    packed = gzip.compress(json.dumps({"name": "J\u00f6rg"}).encode())
    site = PathServer(page=response(packed, "Content-Encoding: gzip", "X-A: 1", "x-a: 2"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(url_at(where, "/page"))

    assert page.ok
    assert page.json() == {"name": "J\u00f6rg"}
    assert page.text == page.content.decode()
    assert page.headers["X-A"] == "1"
    assert page.url == page.requested == url_at(where, "/page")
    assert page.timing.total is not None


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", b"caf\xe9", "caf\u00e9"),
        ("text/html", b"caf\xc3\xa9", "caf\u00e9"),
        ("text/html; charset=utf-8", b"caf\xe9", "caf\ufffd"),
        ("text/html; charset=nonsense", b"cafe", "cafe"),
    ],
)
async def test_text_is_always_readable(content_type: str, body: bytes, text: str) -> None:
    """A wrong or unknown charset costs characters, never the page."""
    async with raw_server(answering(response(body, f"Content-Type: {content_type}"))) as where, Fetcher() as fetcher:
        assert (await fetcher.get(url_at(where))).text == text


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete"])
async def test_each_method_has_its_name(method: str) -> None:
    """The method on the wire is the one that was called."""
    site = PathServer()
    async with raw_server(site) as where, Fetcher() as fetcher:
        await getattr(fetcher, method)(url_at(where, "/x"))

    assert site.requests[0].startswith(f"{method.upper()} /x ")


ZIPPED = gzip.compress(b"page")


async def test_fetcher_credentials_go_to_the_given_urls() -> None:
    """Basic, bearer and own headers of the Fetcher are sent to what is asked for by name."""
    site = PathServer()
    async with raw_server(site) as where:
        async with Fetcher(auth=("me", "pw"), headers={"X-A": "1"}) as basic:
            await basic.get(url_at(where))
        async with Fetcher(bearer="token") as bearer:
            await bearer.get(url_at(where))

    assert "Authorization: Basic bWU6cHc=" in site.requests[0]
    assert "X-A: 1" in site.requests[0]
    assert "Authorization: Bearer token" in site.requests[1]


async def test_cookies_stay_with_their_host() -> None:
    """A cookie comes back to the host that set it, and to no other; the caller's cookies go to the given URL."""
    there = PathServer()
    async with raw_server(there, "127.0.0.2") as other:
        here = PathServer(set=response(b"", "Set-Cookie: a=1; Path=/"), away=redirect_to(url_at(other, "/b")))
        async with raw_server(here) as where, Fetcher(cookies={"b": "2"}, allow_nets=("127.0.0.0/8",)) as fetcher:
            for path in ("/set", "/page", "/away"):
                await fetcher.get(url_at(where, path))

    assert "Cookie: b=2\r\n" in here.requests[0]
    assert "Cookie: a=1; b=2\r\n" in here.requests[1]
    assert "Cookie" not in there.requests[0]


async def test_cookies_are_off_by_default() -> None:
    """Nothing that a server sets is sent back unasked."""
    site = PathServer(set=response(b"", "Set-Cookie: a=1; Path=/"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        await fetcher.get(url_at(where, "/set"))
        await fetcher.get(url_at(where))

    assert "Cookie" not in site.requests[1]


async def test_what_may_pass_is_tried_again(clock: HandClock) -> None:
    """A retry status costs a wait, the server's if it asks for one."""
    busy = response(b"", "Retry-After: 7", status="503 Busy")
    site = PathServer(a=[busy, busy, response(b"now")])
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(url_at(where, "/a"))

    assert page.content == b"now"
    assert clock.slept == [7, 7]


async def test_the_last_try_is_the_answer(clock: HandClock) -> None:
    """After its retries a 503 is an answer like any other; a POST is never repeated."""
    site = PathServer(a=response(b"", status="503 Busy"))
    async with raw_server(site) as where, Fetcher(retries=2) as fetcher:
        page = await fetcher.get(url_at(where, "/a"))
        posted = await fetcher.post(url_at(where, "/a"))

    assert page.status == posted.status == 503
    assert len(site.requests) == 3 + 1
    assert len(clock.slept) == 2
    with pytest.raises(FetchError, match="503"):
        page.raise_for_status()


async def test_a_pause_of_an_hour_is_not_waited_for(clock: HandClock) -> None:
    """The answer tells; the caller decides."""
    site = PathServer(a=response(b"", "Retry-After: 3600", status="429 Slow down"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        assert (await fetcher.get(url_at(where, "/a"))).status == 429
    assert clock.slept == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(b"page", "Content-Encoding: gzip"), Reason.DECODE_ERROR),
        (response(gzip.compress(b"page")[:-9], "Content-Encoding: gzip"), Reason.DECODE_ERROR),
        (response(b"page", *["Content-Encoding: gzip"] * 100), Reason.DECODE_ERROR),
        (response(gzip.compress(bytes(10**6)), "Content-Encoding: gzip"), Reason.DECODED_LIMIT),
        (response(bytes(200_000)), Reason.BODY_LIMIT),
    ],
    ids=["no gzip", "cut", "100 codings", "bomb", "too long"],
)
async def test_a_body_that_cannot_be_given_whole_is_an_error(answer: bytes, reason: Reason) -> None:
    """Nobody gets half a page without knowing."""
    async with raw_server(answering(answer)) as where, Fetcher(max_decoded=500_000, max_body=100_000) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where))

    assert caught.value.reason == reason


@pytest.mark.parametrize("coding", ["UTF-8", "none", "gzip, foo"])
async def test_bytes_under_an_unknown_coding_are_given_as_they_are(coding: str) -> None:
    """Fetch, "handle content codings"; a gzip stream that lacks its trailer is whole."""
    site = PathServer(
        a=response(b"page", f"Content-Encoding: {coding}"), b=response(ZIPPED[:-8], "Content-Encoding: gzip")
    )
    async with raw_server(site) as where, Fetcher() as fetcher:
        assert (await fetcher.get(url_at(where, "/a"))).content == b"page"
        assert (await fetcher.get(url_at(where, "/b"))).content == b"page"


async def test_errors_are_raised() -> None:
    """A URL that is none and a server that is not there."""
    async with Fetcher(retries=0) as fetcher:
        with pytest.raises(UrlError):
            await fetcher.get("ftp://example.com/")
        with pytest.raises(FetchError):
            await fetcher.get("http://127.0.0.1:4/")
        with pytest.raises(UsageError):
            await fetcher.request("GET /x", BAD)


async def test_one_call_has_its_own_time_limit() -> None:
    """It covers the whole call, redirects and retries included."""
    site = PathServer()
    site.pause = 5
    async with raw_server(site) as where, Fetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where), timeout=0.05)

    assert caught.value.reason == Reason.TOTAL_TIMEOUT


def test_an_unknown_option_is_named() -> None:
    """A misspelt option is not passed over."""
    with pytest.raises(UsageError, match="concurency"):
        Fetcher(concurency=3)  # type: ignore[call-arg] # that is the point


async def test_a_fetcher_that_is_not_open_says_how_to_open_it() -> None:
    """Before `async with` and after it, for one URL as for many."""
    fetcher = Fetcher()
    async with fetcher:
        pass

    for closed, message in ((Fetcher(), r"use `async with crawler\.Fetcher\(\) as fetcher`"), (fetcher, "is closed")):
        with pytest.raises(UsageError, match=message):
            await closed.get(BAD)
        with pytest.raises(UsageError, match=message):
            await anext(closed.stream([BAD]))
        with pytest.raises(UsageError, match=message):
            async with closed.open("GET", BAD):
                pass


async def test_a_fetcher_is_opened_once() -> None:
    """Neither within its `async with` nor after it."""
    fetcher = Fetcher()
    async with fetcher:
        with pytest.raises(UsageError, match="opened once"):
            await fetcher.__aenter__()

    with pytest.raises(UsageError, match="opened once"):
        await fetcher.__aenter__()


async def test_a_fetcher_of_another_loop_says_so() -> None:
    """At once, and not after retries that cannot succeed."""
    async with Fetcher() as fetcher:
        with pytest.raises(UsageError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, fetcher.get(BAD))


async def test_an_error_names_keywords() -> None:
    """A script has no flags: neither when a Fetcher is made nor in what a request ends with."""
    with pytest.raises(UsageError, match=r"^cookies_file: 'missing': no such file"):
        Fetcher(cookies_file="missing")
    private = response(b"", "Location: http://10.0.0.1/", status="302 Found")
    async with raw_server(answering(private)) as where, Fetcher(retries=0) as fetcher:
        with pytest.raises(FetchError, match=r"name this host: allow_nets 10\.0\.0\.1/32 allows it"):
            await fetcher.get(url_at(where))


async def test_a_good_answer_raises_nothing() -> None:
    """`raise_for_status` passes what is below 400."""
    async with raw_server(answering(OK)) as where, Fetcher() as fetcher:
        (await fetcher.get(url_at(where))).raise_for_status()
