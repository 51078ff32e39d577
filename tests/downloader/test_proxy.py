"""downloader.proxy and downloader.pool: requests through a proxy."""

import asyncio

import pytest

from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from support.fetching import OK, answering, ask, ask_url, failure, open_fetcher
from support.forbidden import forbidden_urls
from support.rawserver import raw_server


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
    assert "407" in str(error) or "Proxy Authentication Required" in str(error)
    assert heads[0].startswith(b"CONNECT public.example:443 HTTP/1.1\r\n")
    assert b"secret" not in heads[0]


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
