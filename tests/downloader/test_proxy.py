"""downloader.proxy, downloader.tunnel and downloader.proxy_line: requests through an HTTP proxy."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from crawler.downloader.proxy import proxy_from
from support.certificates import AUTHORITY, BAD, authority_file, server_context
from support.fetching import OK, HandClock, answering, ask, ask_url, failure, open_fetcher, saying
from support.forbidden import forbidden_urls
from support.nameserver import name_server
from support.proxies import ESTABLISHED, tunnelling
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
    assert "407 Proxy Authentication Required" in str(error)
    assert heads[0].startswith(b"CONNECT public.example:443 HTTP/1.1\r\nHost: public.example:443\r\n")
    assert b"secret" not in heads[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Fine\r\n\r\n",
    ],
)
@pytest.mark.both_loops
async def test_https_is_fetched_through_a_tunnel(answer: bytes, tmp_path: Path) -> None:
    """TLS is the target's own, whatever length the proxy's answer claims, and the connection is kept alive."""
    tls, heads, clock = server_context(AUTHORITY.issue_cert("some.example")), list[bytes](), HandClock()
    async with (
        raw_server(answering(OK, heads=heads), tls=tls) as (_, target),
        raw_server(tunnelling(target, answer)) as (host, port),
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
        raw_server(tunnelling(target)) as (host, port),
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
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, Reason.PROXY_FAILED),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, Reason.PROXY_FAILED),
    ],
)
@pytest.mark.both_loops
async def test_a_tunnel_that_does_not_open_is_an_error(answer: bytes, reason: Reason) -> None:
    """A proxy that speaks in the target's place, or leaves, opens none."""
    async with raw_server(saying(answer)) as (host, port), open_fetcher(proxy=f"http://{host}:{port}") as fetcher:
        assert (await failure(fetcher, ask_url("https://public.example/"))).reason == reason


@pytest.mark.both_loops
async def test_a_proxy_that_does_not_answer_is_left() -> None:
    """The connect timeout covers the tunnel too; the proxy, which took the request, waits for the target."""
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


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str) -> None:
    """A dead proxy is not a dead target, and its message says what to check, without the password."""
    async with raw_server(answering(OK)) as (host, port):
        pass
    async with open_fetcher(proxy=f"{scheme}://me:hunter2@{host}:{port}") as fetcher:
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason == Reason.PROXY_FAILED
    assert str(error) == (
        f"--proxy: the proxy {host}:{port} was not reached: nothing listens at {host}:{port}; "
        "check its scheme and address"
    )


async def test_a_proxy_without_an_address_is_named() -> None:
    """A name that leads nowhere is the proxy's, not the target's."""
    async with (
        name_server({}) as server,
        open_fetcher(proxy="http://proxy.example", resolver=server.address) as fetcher,
    ):
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason == Reason.PROXY_FAILED
    assert str(error).startswith("--proxy: the proxy proxy.example:80 was not found: ")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (407, "put the user name and password into its URL"),
        (403, "its rules forbid this host or port"),
        (502, "the host may be down"),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, advice: str) -> None:
    """The status is the proxy's word, and so is its phrase."""
    answer = f"HTTP/1.1 {status} No\r\n\r\n".encode()
    async with raw_server(saying(answer)) as (host, port), open_fetcher(proxy=f"http://{host}:{port}") as fetcher:
        error = await failure(fetcher, ask_url("https://public.example/"))

    assert f"the proxy {host}:{port} did not connect to public.example:443: {status} No; {advice}" in str(error)


@pytest.mark.parametrize("target_tls", [False, True], ids=["http", "https"])
@pytest.mark.both_loops
async def test_a_proxy_is_reached_over_tls(target_tls: bool, tmp_path: Path) -> None:
    """An http URL is asked of it, TLS to an https target runs inside; both connections are kept alive."""
    to_proxy = server_context(AUTHORITY.issue_cert("127.0.0.1"))
    to_target = server_context(AUTHORITY.issue_cert("some.example"))
    heads, opened, clock = list[bytes](), list[None](), HandClock()
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    answer = answering(body, heads=heads, opened=opened)
    async with (
        raw_server(answer, tls=to_target) as (_, target),
        raw_server(tunnelling(target) if target_tls else answer, tls=to_proxy) as (host, port),
        open_fetcher(
            proxy=f"https://me:secret@{host}:{port}", ca_file=authority_file(tmp_path), clock=clock
        ) as fetcher,
    ):
        for _ in range(2):
            response = await fetcher.fetch(ask_url(f"http{'s' * target_tls}://some.example/a"))
            clock.now += 1

    line = b"GET /a HTTP/1.1" if target_tls else b"GET http://some.example/a HTTP/1.1"
    assert [head.partition(b"\r\n")[0] for head in heads] == [line] * 2
    assert [b"Proxy-Authorization: Basic bWU6c2VjcmV0" in head for head in heads] == [not target_tls] * 2
    assert (len(opened), len(response.body), response.peer) == (1, 300_000, None)


@pytest.mark.parametrize(("cert", "_reason"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.both_loops
async def test_a_proxy_with_a_bad_certificate_is_not_used(
    cert: trustme.LeafCert, _reason: Reason, scheme: str, tmp_path: Path
) -> None:
    """The failure is the proxy's, whatever the target; `--insecure-host` accepts it as any host's."""
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads), tls=server_context(cert)) as (host, port):
        way: dict[str, Any] = {"proxy": f"https://{host}:{port}", "ca_file": authority_file(tmp_path)}
        async with open_fetcher(**way) as fetcher:
            error = await failure(fetcher, ask_url(f"{scheme}://public.example/"))
        assert heads == []
        async with open_fetcher(**way, insecure_hosts=(host,)) as fetcher:
            await fetcher.fetch(ask_url("http://public.example/"))

    assert error.reason is Reason.PROXY_FAILED
    assert f"the proxy {host}:{port} was not reached: the certificate of {host}:{port} " in str(error)


@pytest.mark.both_loops
async def test_a_bad_certificate_behind_tls_with_the_proxy_is_the_targets(tmp_path: Path) -> None:
    """Both are verified, each by its own name."""
    async with (
        raw_server(answering(OK), tls=server_context(AUTHORITY.issue_cert("other.example"))) as (_, target),
        raw_server(tunnelling(target), tls=server_context(AUTHORITY.issue_cert("127.0.0.1"))) as (host, port),
        open_fetcher(proxy=f"https://{host}:{port}", ca_file=authority_file(tmp_path)) as fetcher,
    ):
        error = await failure(fetcher, ask_url("https://some.example/"))

    assert error.reason is Reason.TLS_HOSTNAME


@pytest.mark.both_loops
async def test_a_proxy_that_leaves_with_its_answer_is_not_waited_for(tmp_path: Path) -> None:
    """Its end comes in the same segment, before the target could be greeted: the dial is over at once."""
    async with (
        raw_server(saying(ESTABLISHED), tls=server_context(AUTHORITY.issue_cert("127.0.0.1"))) as (host, port),
        open_fetcher(proxy=f"https://{host}:{port}", ca_file=authority_file(tmp_path)) as fetcher,
        asyncio.timeout(5),
    ):
        error = await failure(fetcher, ask_url("https://public.example/"))

    assert error.reason is Reason.CONNECT_FAILED


@pytest.mark.both_loops
async def test_a_proxy_without_tls_is_told() -> None:
    """The message says that the scheme may be wrong."""
    async with (
        raw_server(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (host, port),
        open_fetcher(proxy=f"https://{host}:{port}", connect_timeout=0.5) as fetcher,
    ):
        error = await failure(fetcher, ask_url("https://public.example/"))

    assert error.reason is Reason.PROXY_FAILED


async def test_the_proxy_sees_no_certificate_of_the_users(tmp_path: Path) -> None:
    """The client certificate is for the hosts that the user asks."""
    own = AUTHORITY.issue_cert("me@example.com")
    path = tmp_path / "me.pem"
    own.private_key_and_cert_chain_pem.write_to_path(path)
    context, seen = server_context(AUTHORITY.issue_cert("127.0.0.1")), list[object]()
    context.verify_mode = ssl.CERT_OPTIONAL
    AUTHORITY.configure_trust(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peercert"))
        await answering(OK)(reader, writer)

    async with (
        raw_server(serve, tls=context) as (host, port),
        open_fetcher(
            proxy=f"https://{host}:{port}", ca_file=authority_file(tmp_path), client_cert=str(path)
        ) as fetcher,
    ):
        await fetcher.fetch(ask_url("http://public.example/"))

    assert seen == [None]


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
    ("text", "shown", "user"),
    [
        ("http://p.example", "<Proxy http://p.example:80>", None),
        ("http://p.example:3128/path?query", "<Proxy http://p.example:3128>", None),
        ("HTTPS://P.Example", "<Proxy https://p.example:443>", None),
        ("https://p.example:80", "<Proxy https://p.example:80>", None),
        ("socks5://me:hunter2@127.0.0.1", "<Proxy socks5://127.0.0.1:1080>", ("me", "hunter2")),
        ("socks5h://me@[::1]:80", "<Proxy socks5h://[::1]:80>", ("me", "")),
        ("socks5h://p.example:443/", "<Proxy socks5h://p.example:443>", None),
        ("http://me%40work:a%3Ab%25@p.example", "<Proxy http://p.example:80>", ("me@work", "a:b%")),
    ],
)
def test_a_url_names_a_proxy(text: str, shown: str, user: tuple[str, str] | None) -> None:
    """The port is the scheme's own, or 1080 for SOCKS; credentials are percent-decoded and never shown."""
    proxy = proxy_from(text, "--proxy")

    assert (repr(proxy), proxy.user) == (shown, user)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("proxy.example:8080", "write http:// in front, as in http://localhost:3128"),
        ("", "write http:// in front"),
        ("http://", "its host or port is not valid"),
        ("socks5://", "its host or port is not valid"),
        ("https://me:hunter2@proxy.example:99999", "its host or port is not valid"),
        ("socks4://me:hunter2@127.0.0.1:1080", "it has the scheme of no proxy: give an http://, https://, socks5://"),
        ("://proxy.example", "it has the scheme of no proxy"),
    ],
)
def test_what_is_no_proxy_is_refused(text: str, said: str) -> None:
    """The message names the option and says what to write, and repeats no password."""
    with pytest.raises(UsageError, match=r"^--proxy: ") as raised:
        open_fetcher(proxy=text)

    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
