"""downloader.proxy_dialing: a dial that is given up at any of its steps leaves no socket open."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from crawler.core.errors import FetchError
from support.certificates import AUTHORITY, authority_file, server_context
from support.fetching import ask_url, open_fetcher
from support.proxies import CONNECTED, ESTABLISHED
from support.rawserver import raw_server


@dataclass(frozen=True)
class Step:
    """One step of a dial, at which the other side falls silent.

    Attributes:
        proxy: the option, without host and port; None = the server is dialled straight.
        scheme: of the URL.
        answers: what the other side says to the messages of the steps before.
        half: what it says to the message of this one.
        tls: the other side speaks TLS.
    """

    proxy: str | None
    scheme: str
    answers: tuple[bytes, ...] = ()
    half: bytes = b""
    tls: bool = False


STEPS = {
    "straight, TLS": Step(None, "https"),
    "HTTP, the answer": Step("http://", "http"),
    "HTTP, CONNECT": Step("http://", "https"),
    "HTTP, half a head": Step("http://", "https", half=ESTABLISHED[:9]),
    "HTTP, TLS in the tunnel": Step("http://", "https", (ESTABLISHED,)),
    "HTTPS, TLS with the proxy": Step("https://", "https"),
    "HTTPS, the answer": Step("https://", "http", tls=True),
    "HTTPS, CONNECT": Step("https://", "https", tls=True),
    "HTTPS, TLS within TLS": Step("https://", "https", (ESTABLISHED,), tls=True),
    "SOCKS, the greeting": Step("socks5h://", "https"),
    "SOCKS, half of the greeting": Step("socks5h://", "https", half=b"\x05"),
    "SOCKS, the password": Step("socks5h://me:pw@", "https", (b"\x05\x02",)),
    "SOCKS, the host": Step("socks5h://me:pw@", "https", (b"\x05\x02", b"\x01\x00")),
    "SOCKS, half an address": Step("socks5h://", "https", (b"\x05\x00",), half=CONNECTED[:6]),
    "SOCKS, TLS in the tunnel": Step("socks5h://", "https", (b"\x05\x00", CONNECTED)),
    "SOCKS, the answer": Step("socks5h://", "http", (b"\x05\x00", CONNECTED)),
}


@pytest.mark.parametrize("give_up", ["cancelled", "timed out"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.both_loops
async def test_a_dial_that_is_given_up_leaves_no_socket(step: Step, give_up: str, tmp_path: Path) -> None:
    """The other side sees the connection end."""
    silent, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in step.answers:
            await reader.read(65536)
            writer.write(answer)
        await reader.read(65536)
        writer.write(step.half)
        silent.set()
        with suppress(ConnectionError):
            await reader.read()
        gone.set()

    tls = server_context(AUTHORITY.issue_cert("127.0.0.1")) if step.tls else None
    limit = 0.3 if give_up == "timed out" else 10.0
    async with raw_server(serve, tls=tls) as (host, port):
        proxy = None if step.proxy is None else f"{step.proxy}{host}:{port}"
        async with open_fetcher(
            proxy=proxy, ca_file=authority_file(tmp_path), connect_timeout=limit, first_byte_timeout=limit
        ) as fetcher:
            url = f"{step.scheme}://{'public.example' if proxy else f'{host}:{port}'}/"
            fetch = asyncio.create_task(fetcher.fetch(ask_url(url)))
            async with asyncio.timeout(5):
                await silent.wait()
                if give_up == "cancelled":
                    fetch.cancel()
                with pytest.raises(asyncio.CancelledError if give_up == "cancelled" else FetchError):
                    await fetch
                await gone.wait()
