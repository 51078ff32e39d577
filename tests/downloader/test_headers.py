"""downloader.headers: the headers of each request, and the hosts that see them."""

import asyncio
from typing import Any

import pytest

from crawler.core.discovery import Way
from crawler.core.errors import UsageError
from crawler.core.messages import Request
from crawler.core.urls import parse
from crawler.version import __version__
from support.fetching import OK, answering, ask, open_fetcher
from support.rawserver import raw_server


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
                await fetcher.fetch(ask(where, way=Way(foreign=True)))

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
