"""downloader.tls and downloader.failures: TLS is verified, and each way to fail has a name."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from crawler.core.discovery import Way
from crawler.core.reasons import Reason
from support.certificates import AUTHORITY, BAD, authority_file, server_context
from support.fetching import OK, answering, ask_url, failure, open_fetcher
from support.nameserver import Reply, name_server
from support.rawserver import raw_server


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """The authority that the good servers are certified by."""
    return authority_file(tmp_path)


@asynccontextmanager
async def tls_server(
    cert: trustme.LeafCert, *, seen: list[object] | None = None, where: tuple[str, int] = ("127.0.0.1", 0)
) -> AsyncIterator[int]:
    """Answer over TLS and yield the port; `seen` collects the certificates of the clients."""
    context = server_context(cert)
    if seen is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        AUTHORITY.configure_trust(context)
    serve = answering(OK)

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if seen is not None:
            seen.append(writer.get_extra_info("peercert"))
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    server = await asyncio.start_server(note, *where, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.both_loops
async def test_a_good_certificate_is_good(ca_file: str) -> None:
    """A host certified by a trusted authority is fetched, and TLS has its own phase."""
    async with (
        tls_server(AUTHORITY.issue_cert("localhost", "127.0.0.1")) as port,
        open_fetcher(ca_file=ca_file) as fetcher,
    ):
        response = await fetcher.fetch(ask_url(f"https://localhost:{port}/"))

    assert response.body == b"good"
    assert response.timing.tls is not None


@pytest.mark.parametrize(("cert", "reason"), BAD.values(), ids=BAD)
@pytest.mark.both_loops
async def test_a_bad_certificate_is_named(cert: trustme.LeafCert, reason: Reason, ca_file: str) -> None:
    """Out of date, for another host and untrusted are different outcomes."""
    async with tls_server(cert) as port, open_fetcher(ca_file=ca_file) as fetcher:
        assert (await failure(fetcher, ask_url(f"https://localhost:{port}/"))).reason == reason


async def test_a_host_with_a_bad_certificate_at_one_address_is_asked_at_the_next(ca_file: str) -> None:
    """A TLS failure ends one address, not the host."""
    good, bad = AUTHORITY.issue_cert("some.example"), trustme.CA().issue_cert("some.example")
    async with (
        tls_server(bad) as port,
        tls_server(good, where=("127.0.0.2", port)),
        name_server({"some.example": Reply("127.0.0.1 127.0.0.2")}) as names,
        open_fetcher(ca_file=ca_file, resolver=names.address) as fetcher,
    ):
        assert (await fetcher.fetch(ask_url(f"https://some.example:{port}/"))).body == b"good"


async def test_an_insecure_host_is_not_verified_and_all_others_are() -> None:
    """The exception is for the host that was named, not for every host."""
    bad = trustme.CA().issue_cert("localhost", "127.0.0.1")
    async with tls_server(bad) as port, open_fetcher(insecure_hosts=("localhost",)) as fetcher:
        assert (await fetcher.fetch(ask_url(f"https://localhost:{port}/"))).body == b"good"
        assert (await failure(fetcher, ask_url(f"https://127.0.0.1:{port}/"))).reason == Reason.TLS_UNTRUSTED


async def test_only_named_hosts_see_the_client_certificate(ca_file: str, tmp_path: Path) -> None:
    """A certificate tells who asks; hosts that merely came along do not learn it, nor does a redirect show it."""
    own = AUTHORITY.issue_cert("me@example.com")
    path = tmp_path / "me.pem"
    own.private_key_and_cert_chain_pem.write_to_path(path)
    seen: list[object] = []
    async with (
        tls_server(AUTHORITY.issue_cert("localhost"), seen=seen) as port,
        open_fetcher(ca_file=ca_file, client_cert=str(path), allow_nets=("127.0.0.0/8",)) as fetcher,
    ):
        for named, foreign in ((True, False), (True, True), (False, False)):
            await fetcher.fetch(ask_url(f"https://localhost:{port}/", named=named, way=Way(foreign=foreign)))

    assert [bool(cert) for cert in seen] == [True, False, False]


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silent", "plain http"])
@pytest.mark.both_loops
async def test_a_server_that_speaks_no_tls_is_named(greeting: bytes) -> None:
    """Plain text where TLS is due fails as TLS; silence runs into the connect limit."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await asyncio.sleep(60)

    async with raw_server(serve) as (host, port), open_fetcher(connect_timeout=0.2) as fetcher:
        error = await failure(fetcher, ask_url(f"https://{host}:{port}/"))

    assert error.reason == (Reason.TLS_FAILED if greeting else Reason.CONNECT_TIMEOUT)


@pytest.mark.both_loops
async def test_an_endless_body_over_tls_ends_at_once(ca_file: str) -> None:
    """The connection is dropped without a polite end of TLS, which could take half a minute."""
    context = server_context(AUTHORITY.issue_cert("localhost"))
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(bytes(65536))
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        writer.transport.abort()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server, open_fetcher(ca_file=ca_file, max_body=100_000) as fetcher:
        response = await fetcher.fetch(ask_url(f"https://localhost:{server.sockets[0].getsockname()[1]}/"))
        async with asyncio.timeout(1):
            await gone.wait()

    assert (len(response.body), response.cut) == (100_000, True)
