"""downloader.client: redirects, and what goes along with them."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from support.fetching import OK, answering
from support.forbidden import forbidden_urls
from support.path_server import PathServer, redirect_to, response, url_at
from support.rawserver import Handler, raw_server


async def test_redirects_are_followed() -> None:
    """The answer is the last one; the way there is told."""
    site = PathServer(a=redirect_to("/b"), b=redirect_to("c?d", status="301 Moved"))
    async with raw_server(site) as where, Fetcher() as fetcher:
        page = await fetcher.get(url_at(where, "/a"))

    assert page.content == b"/c?d"
    assert page.url == url_at(where, "/c?d")
    assert page.history == (url_at(where, "/a"), url_at(where, "/b"))


async def test_redirects_are_not_followed_unless_wanted() -> None:
    """Then a redirect is an answer, and its body stays packed."""
    bomb = gzip.compress(bytes(10**6))
    answer = response(bomb, "Location: /b", "Content-Encoding: gzip", status="302 Found")
    async with raw_server(answering(answer)) as where, Fetcher(follow_redirects=False) as fetcher:
        page = await fetcher.get(url_at(where, "/a"))

    assert (page.status, page.content) == (302, bomb)


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"a": redirect_to("/a")}, Reason.REDIRECT_LOOP),
        ({"a": redirect_to("/b"), "b": redirect_to("/a")}, Reason.REDIRECT_LOOP),
        ({"a": redirect_to("file:///etc/passwd")}, Reason.BAD_REDIRECT),
        ({"a": [redirect_to(f"/a?{n}") for n in range(20)]}, Reason.REDIRECT_LIMIT),
    ],
    ids=["self", "circle", "file", "without end"],
)
async def test_a_bad_redirect_ends(pages: dict[str, Any], reason: Reason) -> None:
    """Circles, foreign schemes and endless ways are errors."""
    async with raw_server(PathServer(**pages)) as where, Fetcher() as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get(url_at(where, "/a"))

    assert caught.value.reason == reason


SET = "Set-Cookie: seen=1"


@pytest.mark.parametrize(
    ("pages", "method", "cookies", "end"),
    [
        ({"a": [redirect_to("/a", status="303 See Other"), response(b"done")]}, "POST", False, b"done"),
        ({"a": [redirect_to("/a"), response(b"done")]}, "POST", False, b"done"),  # 302 makes it a GET as well
        ({"a": redirect_to("/a", status="307 Same")}, "POST", False, Reason.REDIRECT_LOOP),
        ({"a": [response(b"", SET, "Location: /a", status="302 Found"), response(b"in")]}, "GET", True, b"in"),
        ({"a": [response(b"", SET, "Location: /a", status="302 Found"), response(b"in")]}, "GET", False, None),
        ({"a": response(b"", SET, "Location: /a", status="302 Found")}, "GET", True, Reason.REDIRECT_LOOP),
        (
            {
                "a": [redirect_to("/login"), response(b"in")],
                "login": response(b"", SET, "Location: /a", status="302 Found"),
            },
            "GET",
            True,
            b"in",
        ),
        (
            {"a": [response(b"", f"Set-Cookie: n={n}", "Location: /a", status="302 Found") for n in range(20)]},
            "GET",
            True,
            Reason.REDIRECT_LIMIT,
        ),
        ({"a": response(b"page", "Location: ", status="302 Found")}, "GET", False, b"page"),
    ],
)
async def test_a_circle_is_the_same_request_again(
    pages: dict[str, Any], method: str, cookies: bool, end: bytes | Reason | None
) -> None:
    """Fetch, "HTTP-redirect fetch": a redirect may lead back to where it came from, ten times in all.

    Only where the same bytes would be sent again (method, URL, cookies) no other answer can be expected.
    """
    end = end or Reason.REDIRECT_LOOP
    async with raw_server(PathServer(**pages)) as where, Fetcher(cookies=cookies) as fetcher:
        if isinstance(end, bytes):
            assert (await fetcher.request(method, url_at(where, "/a"))).content == end
        else:
            with pytest.raises(FetchError) as caught:
                await fetcher.request(method, url_at(where, "/a"))
            assert caught.value.reason is end


async def test_no_spelling_leads_to_a_forbidden_address() -> None:
    """Redirects to every disguise of every forbidden address: not one connection."""
    dialled: list[None] = []

    async def canary(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        dialled.append(None)

    async with raw_server(canary) as (_, port):
        locations = [url.encode() for url in forbidden_urls(port)]
        async with raw_server(_redirecting(locations)) as where, Fetcher(concurrency=20, retries=0) as fetcher:
            urls = [url_at(where, f"/{number}") for number in range(len(locations))]
            answers = [answer async for answer in fetcher.stream(urls)]

    reasons = {answer.error.reason for answer in answers if isinstance(answer.error, FetchError)}
    assert len(answers) == len(locations) >= 300
    assert reasons <= {Reason.BLOCKED_ADDRESS, Reason.BAD_REDIRECT, Reason.PROTOCOL_ERROR}
    assert dialled == []


def _redirecting(locations: list[bytes]) -> Handler:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if not path[1:].isdigit():  # to a browser, "http:host/" on a page of this server is a path here
            writer.write(OK)
            return
        location = locations[int(path[1:])]
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    return serve


async def test_credentials_go_to_their_origin_only() -> None:
    """Userinfo in a URL is sent as basic authentication, and not to where the server redirects."""
    there = PathServer()
    async with raw_server(there, "127.0.0.2") as other:
        here = PathServer(a=redirect_to(url_at(other, "/b")))
        async with raw_server(here) as (host, port), Fetcher(allow_nets=("127.0.0.0/8",)) as fetcher:
            page = await fetcher.get(f"http://me:secret@{host}:{port}/a", headers={"X-Key": "secret"})

    assert "Authorization: Basic bWU6c2VjcmV0" in here.requests[0]
    assert "secret" not in there.requests[0]
    assert "bWU6c2VjcmV0" not in there.requests[0]
    assert "secret" not in page.url


async def test_redirects_go_to_the_same_unix_socket(tmp_path: Path) -> None:
    """Every request of a client goes there, other origins and refused addresses included."""
    heads: list[bytes] = []
    answers = [redirect_to("http://other.example/"), redirect_to("http://169.254.169.254/"), OK]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(answers[len(heads)], heads=heads)(reader, writer)

    async with raw_server(serve, str(tmp_path / "app.sock")) as (path, _), Fetcher(unix_socket=Path(path)) as fetcher:
        page = await fetcher.get("http://app/")

    assert page.url == "http://169.254.169.254/"
    assert [head.split(b"\r\n")[1] for head in heads] == [
        b"Host: app",
        b"Host: other.example",
        b"Host: 169.254.169.254",
    ]


async def test_a_proxy_that_failed_is_named_by_its_keyword() -> None:
    """A script has an option to mend, and no flag."""
    async with raw_server(answering(OK)) as (host, port):
        pass
    async with Fetcher(proxy=f"socks5h://{host}:{port}", retries=0) as fetcher:
        with pytest.raises(FetchError, match=rf"^proxy: the proxy {host}:{port} was not reached") as raised:
            await fetcher.get("http://public.example/")

    assert raised.value.reason is Reason.PROXY_FAILED
