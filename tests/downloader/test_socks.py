"""downloader.socks: requests through a SOCKS5 proxy."""

import asyncio
from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from support.certificates import AUTHORITY, authority_file, server_context
from support.fetching import OK, HandClock, answering, ask_url, failure, open_fetcher
from support.forbidden import forbidden_urls
from support.nameserver import Reply, name_server
from support.proxies import CONNECTED, SocksProxy
from support.rawserver import Handler, raw_server

USERS = {"anyone": None, "a user": ("me", "p:w ü"), "a user without a password": ("me", "")}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
@pytest.mark.both_loops
async def test_http_goes_through_it(user: tuple[str, str] | None) -> None:
    """The server sees an ordinary request, the proxy a name, its user and password, and no header."""
    heads, clock = list[bytes](), HandClock()
    written = {None: "", "p:w ü": "me:p%3Aw%20%C3%BC@", "": "me@"}[user and user[1]]
    async with raw_server(answering(OK, heads=heads)) as (_, target):
        proxy = SocksProxy(target, user=user, in_pieces=True)
        async with (
            raw_server(proxy.serve) as (host, port),
            open_fetcher(proxy=f"socks5h://{written}{host}:{port}", clock=clock) as fetcher,
        ):
            for _ in range(2):
                response = await fetcher.fetch(ask_url("http://public.example/a?b"))
                clock.now += 1

    assert [head[:36] for head in heads] == [b"GET /a?b HTTP/1.1\r\nHost: public.exam"] * 2
    assert proxy.asked == [("public.example", 80)]
    assert (response.body, response.peer, response.timing.connect) == (b"good", None, None)


@pytest.mark.both_loops
async def test_https_goes_through_it(tmp_path: Path) -> None:
    """TLS is the target's own."""
    tls, heads = server_context(AUTHORITY.issue_cert("some.example")), list[bytes]()
    async with raw_server(answering(OK, heads=heads), tls=tls) as (_, target):
        proxy = SocksProxy(target)
        async with (
            raw_server(proxy.serve) as (host, port),
            open_fetcher(proxy=f"socks5h://{host}:{port}", ca_file=authority_file(tmp_path)) as fetcher,
        ):
            response = await fetcher.fetch(ask_url("https://some.example/a"))
            refused = await failure(fetcher, ask_url("https://other.example/a"))

    assert heads[0].startswith(b"GET /a HTTP/1.1\r\nHost: some.example\r\n")
    assert proxy.asked == [("some.example", 443), ("other.example", 443)]
    assert response.timing.tls is not None
    assert refused.reason is Reason.TLS_HOSTNAME


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_goes_as_an_address(scheme: str, host: str) -> None:
    """Neither kind of proxy is told the text of an address for a name."""
    async with raw_server(answering(OK)) as (_, target):
        proxy = SocksProxy(target)
        async with (
            raw_server(proxy.serve) as where,
            open_fetcher(proxy=f"{scheme}://{where[0]}:{where[1]}") as fetcher,
        ):
            await fetcher.fetch(ask_url(f"http://{f'[{host}]' if ':' in host else host}:81/"))

    assert proxy.asked == [(host, 81)]


async def test_socks5_looks_names_up_here_and_judges_them() -> None:
    """The proxy is told the first address that the policy allows; of a link's host with none it hears nothing."""
    names = {"mixed.example": Reply("10.0.0.1 198.51.99.7", ttl=0), "evil.example": Reply("10.0.0.1", ttl=0)}
    async with raw_server(answering(OK)) as (_, target), name_server(names) as server:
        proxy = SocksProxy(target)
        async with (
            raw_server(proxy.serve) as (host, port),
            open_fetcher(proxy=f"socks5://{host}:{port}", resolver=server.address) as fetcher,
        ):
            response = await fetcher.fetch(ask_url("http://mixed.example/", named=False))
            refused = await failure(fetcher, ask_url("http://evil.example/", named=False))
            unknown = await failure(fetcher, ask_url("http://nothing.example/", named=False))

    assert proxy.asked == [("198.51.99.7", 80)]
    assert response.timing.dns is not None
    assert (refused.reason, unknown.reason) == (Reason.BLOCKED_ADDRESS, Reason.DNS_NOT_FOUND)
    assert "--allow-net 10.0.0.1/32" in str(refused)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_no_redirect_leads_it_to_its_own_network(scheme: str) -> None:
    """Every disguise of this machine's name and of forbidden addresses: the proxy is not asked once."""
    proxy = SocksProxy(1)
    async with (
        raw_server(proxy.serve) as (host, port),
        open_fetcher(proxy=f"{scheme}://{host}:{port}") as fetcher,
    ):
        for url in forbidden_urls(8000):
            assert (await failure(fetcher, ask_url(url, named=False))).reason == Reason.BLOCKED_ADDRESS

    assert proxy.asked == []


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        ("", ("me", "pw"), "asks for a user name and password: put them into its URL, as in socks5://user:password@"),
        ("me:hunter2@", ("me", "pw"), "refuses the user name or the password: correct them"),
    ],
)
async def test_a_missing_or_wrong_password_is_told(given: str, wanted: tuple[str, str], said: str) -> None:
    """The message says what to do and repeats no password."""
    proxy = SocksProxy(1, user=wanted)
    async with (
        raw_server(proxy.serve) as (host, port),
        open_fetcher(proxy=f"socks5h://{given}{host}:{port}") as fetcher,
    ):
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason is Reason.PROXY_FAILED
    assert said in str(error)
    assert "hunter2" not in str(error)
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (2, "its rules forbid this host or port: ask its operator"),
        (4, "host unreachable; the host may be down"),
        (5, "connection refused; the host may be down"),
        (8, "socks5h:// in place of socks5://"),
        (99, "error 99"),
    ],
)
async def test_a_refusal_is_told(reply: int, said: str) -> None:
    """A proxy may leave out the address of an answer that refuses."""
    proxy = SocksProxy(1, reply=bytes((5, reply)))
    async with raw_server(proxy.serve) as (host, port), open_fetcher(proxy=f"socks5h://{host}:{port}") as fetcher:
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason is Reason.PROXY_FAILED
    assert str(error).startswith(f"--proxy: the proxy {host}:{port} did not connect to public.example:80: ")
    assert said in str(error)


def _saying(*answers: bytes) -> Handler:
    """Return a proxy that gives each of these answers to some bytes, then waits for ever, or leaves after empty."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(1024)
            if not answer:
                return
            writer.write(answer)
        await reader.read()

    return serve


HOSTILE = {
    "leaves at once": ((b"",), Reason.PROXY_FAILED, "closed the connection"),
    "version 4": ((b"\x04\x5a",), Reason.PROXY_FAILED, "does not speak SOCKS5, but version 4"),
    "HTTP": ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), Reason.PROXY_FAILED, "does not speak SOCKS5, but version 72"),
    "a method that was not offered": ((b"\x05\x02",), Reason.PROXY_FAILED, "takes neither a password nor none"),
    "GSSAPI": ((b"\x05\x01",), Reason.PROXY_FAILED, "takes neither a password nor none"),
    "version 4 later": ((b"\x05\x00", b"\x04\x00\x00\x01"), Reason.PROXY_FAILED, "does not speak SOCKS5"),
    "an unknown kind of address": ((b"\x05\x00", b"\x05\x00\x00\x09"), Reason.PROXY_FAILED, "address of kind 9"),
    "answers at once": ((b"\x05\x00" + CONNECTED + b"HTTP/1.1 200 OK\r\n\r\n",), Reason.PROTOCOL_ERROR, "spoke before"),
    "bytes behind the answer": ((b"\x05\x00", CONNECTED + b"x"), Reason.PROTOCOL_ERROR, "spoke before it was asked"),
    "endless bytes": ((b"\x05\x00", CONNECTED + bytes(1 << 20)), Reason.PROTOCOL_ERROR, "spoke before it was asked"),
    "garbage without end": ((b"\xff" * (1 << 20),), Reason.PROXY_FAILED, "does not speak SOCKS5"),
}


@pytest.mark.parametrize(("answers", "reason", "said"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.both_loops
async def test_what_is_no_socks_proxy_is_told(answers: tuple[bytes, ...], reason: Reason, said: str) -> None:
    """Nothing that a proxy sends is taken for the target's answer."""
    async with (
        raw_server(_saying(*answers)) as (host, port),
        open_fetcher(proxy=f"socks5h://{host}:{port}", timeout=20) as fetcher,
    ):
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason is reason
    assert said in str(error)


@pytest.mark.parametrize("length", range(1, len(CONNECTED)))
async def test_an_answer_that_is_cut_anywhere_is_told(length: int) -> None:
    """A proxy that leaves within its answer has failed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"\x05\x00")
        await reader.read(1024)
        writer.write(CONNECTED[:length])

    async with raw_server(serve) as (host, port), open_fetcher(proxy=f"socks5h://{host}:{port}") as fetcher:
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason is Reason.PROXY_FAILED
    assert "closed the connection before it had answered" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.both_loops
async def test_a_proxy_that_leaves_once_it_has_connected_is_not_waited_for(scheme: str) -> None:
    """The fetch ends with the connection, and not at a timeout."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"\x05\x00")
        await reader.read(1024)
        writer.write(CONNECTED)

    async with (
        raw_server(serve) as (host, port),
        open_fetcher(proxy=f"socks5h://{host}:{port}") as fetcher,
        asyncio.timeout(5),
    ):
        error = await failure(fetcher, ask_url(f"{scheme}://public.example/"))

    assert error.reason in {Reason.CONNECTION_LOST, Reason.CONNECT_FAILED}


@pytest.mark.parametrize(
    ("answers", "reason"),
    [((), Reason.PROXY_FAILED), ((b"\x05\x00",), Reason.CONNECT_TIMEOUT)],
    ids=["greeting", "host"],
)
async def test_a_silent_proxy_is_told_from_a_silent_host(answers: tuple[bytes, ...], reason: Reason) -> None:
    """Blame the proxy until it has let us in, and then the host, for which it waits."""
    async with (
        raw_server(_saying(*answers)) as (host, port),
        open_fetcher(proxy=f"socks5h://{host}:{port}", connect_timeout=0.2) as fetcher,
    ):
        error = await failure(fetcher, ask_url("http://public.example/"))

    assert error.reason is reason
    assert "within 0.2 s" in str(error)


@pytest.mark.parametrize("user", ["x" * 256, "x:" + "y" * 256, "ü" * 128])
def test_too_long_a_password_is_refused_at_once(user: str) -> None:
    """SOCKS gives its length one byte."""
    with pytest.raises(UsageError, match="--proxy: SOCKS takes user names and passwords of at most 255 bytes"):
        open_fetcher(proxy=f"socks5://{user}@127.0.0.1")
