"""downloader.proxy and downloader.pool: requests through a proxy."""

import asyncio
from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from support.certificates import AUTHORITY, authority_file, server_context
from support.fetching import OK, HandClock, answering, ask, ask_url, failure, open_fetcher, saying
from support.forbidden import forbidden_urls
from support.rawserver import Handler, raw_server


async def test_http_is_asked_of_the_proxy_in_full() -> None:
    """The proxy sees the whole URL, its own credentials, and the target's host."""
    heads: list[bytes] = []
    async with (
        raw_server(answering(OK, heads=heads)) as (host, port),
        open_fetcher(proxy=f"http://me:secret@{host}:{port}") as fetcher,
    ):
        response = await fetcher.fetch(ask_url("http://public.example/a?b"))

    assert heads[0].startswith(b"GET http://public.example/a?b HTTP/1.1\r\nHost: public.example\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]
    assert response.body == b"good"
    assert response.peer is None


async def test_https_asks_the_proxy_for_a_tunnel() -> None:
    """A refusal of the proxy is its own failure; the target's headers never reach it."""
    heads: list[bytes] = []
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with (
        raw_server(answering(refusal, heads=heads)) as (host, port),
        open_fetcher(proxy=f"http://{host}:{port}", bearer="secret") as fetcher,
    ):
        error = await failure(fetcher, ask_url("https://public.example/a"))

    assert error.reason == Reason.PROXY_FAILED
    assert "407 Proxy Authentication Required" in str(error)
    assert heads[0].startswith(b"CONNECT public.example:443 HTTP/1.1\r\nHost: public.example:443\r\n")
    assert b"secret" not in heads[0]


def _tunnelling(to_port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Handler:
    """Return a proxy that connects every tunnel to this port of loopback."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there = await asyncio.open_connection("127.0.0.1", to_port)
        writer.write(answer)
        try:
            await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        finally:
            there[1].transport.abort()

    return serve


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"])
@pytest.mark.both_loops
async def test_https_is_fetched_through_a_tunnel(answer: bytes, tmp_path: Path) -> None:
    """TLS is the target's own, whatever length the proxy's answer claims, and the connection is kept alive."""
    tls, heads, clock = server_context(AUTHORITY.issue_cert("some.example")), list[bytes](), HandClock()
    async with (
        raw_server(answering(OK, heads=heads), tls=tls) as (_, target),
        raw_server(_tunnelling(target, answer)) as (host, port),
        open_fetcher(proxy=f"http://{host}:{port}", ca_file=authority_file(tmp_path), clock=clock) as fetcher,
    ):
        for _ in range(2):
            response = await fetcher.fetch(ask_url("https://some.example./a"))
            clock.now += 1

    assert response.body == b"good"
    assert [head.partition(b"\r\n")[0] for head in heads] == [b"GET /a HTTP/1.1"] * 2
    assert response.timing.connect is None


@pytest.mark.both_loops
async def test_a_bad_certificate_behind_a_tunnel_is_named() -> None:
    """The target is verified as without a proxy."""
    tls = server_context(AUTHORITY.issue_cert("some.example"))
    async with (
        raw_server(answering(OK), tls=tls) as (_, target),
        raw_server(_tunnelling(target)) as (host, port),
        open_fetcher(proxy=f"http://{host}:{port}") as fetcher,
    ):
        assert (await failure(fetcher, ask_url("https://some.example/"))).reason == Reason.TLS_UNTRUSTED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Reason.PROTOCOL_ERROR),
        (b"no HTTP at all\r\n\r\n", Reason.PROXY_FAILED),
        (b"", Reason.PROXY_FAILED),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", Reason.PROXY_FAILED),
        (b"HTTP/1.1 200 OK\r\n\r\n", Reason.CONNECT_FAILED),
        (b"HTTP/1.1 503 \r\nContent-Length: 4\r\n\r\ngone", Reason.PROXY_FAILED),
    ],
)
@pytest.mark.both_loops
async def test_a_tunnel_that_does_not_open_is_an_error(answer: bytes, reason: Reason) -> None:
    """A proxy that speaks in the target's place, or leaves, opens none."""
    async with raw_server(saying(answer)) as (host, port), open_fetcher(proxy=f"http://{host}:{port}") as fetcher:
        assert (await failure(fetcher, ask_url("https://public.example/"))).reason == reason


@pytest.mark.both_loops
async def test_a_proxy_that_does_not_answer_is_left() -> None:
    """The connect timeout covers the tunnel too."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with (
        raw_server(serve) as (host, port),
        open_fetcher(proxy=f"http://{host}:{port}", connect_timeout=0.2) as fetcher,
    ):
        error = await failure(fetcher, ask_url("https://public.example/"))
        async with asyncio.timeout(5):
            await gone.wait()

    assert error.reason == Reason.CONNECT_TIMEOUT


async def test_a_proxy_that_is_not_there_is_named() -> None:
    """A dead proxy is not a dead target."""
    async with raw_server(answering(OK)) as (host, port):
        pass
    async with open_fetcher(proxy=f"http://{host}:{port}") as fetcher:
        assert (await failure(fetcher, ask_url("http://public.example/"))).reason == Reason.PROXY_FAILED


@pytest.mark.parametrize(
    ("host", "named"),
    [
        *((host, False) for host in ("127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "2130706433")),
        *(
            (host, False)
            for host in ("localhost", "LOCALHOST.", "x.localhost", "localhost.localdomain", "ip6-localhost")
        ),
        *((host, False) for host in ("metadata.google.internal", "instance-data", "METADATA.google.internal.")),
        *((host, True) for host in ("169.254.169.254", "metadata.google.internal", "0.0.0.0")),
    ],
)
async def test_a_refused_address_is_refused_behind_a_proxy_too(host: str, named: bool) -> None:
    """An address in the URL is judged, although the proxy would dial it, and so is a name that stands for one."""
    heads: list[bytes] = []
    async with (
        raw_server(answering(OK, heads=heads)) as proxy,
        open_fetcher(proxy=f"http://{proxy[0]}:{proxy[1]}") as fetcher,
    ):
        error = await failure(fetcher, ask_url(f"http://{host}/", named=named))

    assert error.reason == Reason.BLOCKED_ADDRESS
    assert heads == []


@pytest.mark.parametrize(
    ("host", "named", "allowed"),
    [
        ("localhost", True, ()),
        ("localhost", False, ("127.0.0.0/8",)),
        ("metadata.google.internal", False, ("169.254.169.254",)),
        ("public.example", False, ()),
    ],
)
async def test_what_is_allowed_goes_through_the_proxy(host: str, named: bool, allowed: tuple[str, ...]) -> None:
    """Naming a host and `--allow-net` open the same as without a proxy; other names are the proxy's to look up."""
    async with (
        raw_server(answering(OK)) as proxy,
        open_fetcher(proxy=f"http://{proxy[0]}:{proxy[1]}", allow_nets=allowed) as fetcher,
    ):
        assert (await fetcher.fetch(ask_url(f"http://{host}/", named=named))).body == b"good"


async def test_no_redirect_leads_a_proxy_to_its_own_network() -> None:
    """Every disguise of this machine's name and of forbidden addresses: the proxy is not asked once."""
    heads: list[bytes] = []
    async with (
        raw_server(answering(OK, heads=heads)) as proxy,
        open_fetcher(proxy=f"http://{proxy[0]}:{proxy[1]}") as fetcher,
    ):
        for url in forbidden_urls(8000):
            assert (await failure(fetcher, ask_url(url, named=False))).reason == Reason.BLOCKED_ADDRESS

    assert heads == []


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment see nothing."""
    asked: list[None] = []

    async def canary(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.append(None)

    async with raw_server(canary) as (host, port), raw_server(answering(OK)) as where:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{host}:{port}")
        async with open_fetcher() as fetcher:
            assert (await fetcher.fetch(ask(where))).body == b"good"

    assert asked == []


@pytest.mark.parametrize(
    "text", ["socks5://127.0.0.1:1080", "https://proxy.example", "proxy.example:8080", "", "http://"]
)
def test_what_is_no_http_proxy_is_refused(text: str) -> None:
    """The message says so, and repeats no password."""
    with pytest.raises(UsageError, match="proxy"):
        open_fetcher(proxy=text)
