"""downloader.dialing and downloader.sockets: addresses at the dial, sockets, unix sockets, and failures of all."""

import asyncio
import errno
import gc
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.core.addresses import AddressPolicy
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.connection import HttpConnection
from crawler.downloader.failures import unix_error
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock
from support.certificates import AUTHORITY, authority_file, server_context
from support.fetching import OK, HandClock, answering, ask, ask_url, failure, open_fetcher
from support.nameserver import Reply, name_server
from support.rawserver import raw_server


async def test_an_unnamed_host_on_this_machine_is_not_dialled() -> None:
    """The refusal says why, and the server never sees a connection."""
    opened: list[None] = []
    async with raw_server(answering(OK, opened=opened)) as (_, port), open_fetcher() as fetcher:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            error = await failure(fetcher, ask_url(f"http://{host}:{port}/", named=False))
            assert error.reason == Reason.BLOCKED_ADDRESS
            assert "--allow-net" in str(error)

    assert opened == []


async def test_allowed_networks_are_dialled() -> None:
    """`--allow-net` opens one private network to links."""
    async with raw_server(answering(OK)) as where, open_fetcher(allow_nets=("127.0.0.0/8",)) as fetcher:
        assert (await fetcher.fetch(ask(where, named=False))).body == b"good"


async def test_a_reserved_address_is_never_dialled() -> None:
    """Naming it does not help."""
    async with open_fetcher() as fetcher:
        for host in ("0.0.0.0", "[64:ff9b::7f00:1]", "169.254.169.254"):
            assert (await failure(fetcher, ask_url(f"http://{host}/"))).reason == Reason.BLOCKED_ADDRESS


async def test_the_last_files_are_left_to_the_run() -> None:
    """A socket that would take one of them is this machine's limit, and whatever else needs a file has it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with raw_server(answering(OK)) as where:
        os.close(lowest := os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 20, hard))
        try:
            async with open_fetcher() as fetcher:
                error = await failure(fetcher, ask(where))
            os.close(os.open(os.devnull, os.O_RDONLY))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert error.reason is Reason.CLIENT_LIMIT
    assert "ulimit -n" in str(error)


async def test_a_name_that_leads_into_a_private_network_is_refused() -> None:
    """A link's host is judged by the address that is dialled, whatever a name server says, and says the next time."""
    for lie in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "10.0.0.1 127.0.0.1", "::ffff:127.0.0.1"):
        async with name_server({"evil.example": Reply(lie, ttl=0)}) as server:
            async with open_fetcher(resolver=server.address) as fetcher:
                error = await failure(fetcher, ask_url("http://evil.example:8080/", named=False))

            assert error.reason is Reason.BLOCKED_ADDRESS


async def test_a_name_with_fifty_addresses_is_dialled_at_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four addresses have been tried when the dial fails."""
    dialled: list[str] = []
    refusal = AddressPolicy.refusal

    def noting(self: AddressPolicy, address: str, *, named: bool) -> str | None:
        dialled.append(address)
        return refusal(self, address, named=named)

    monkeypatch.setattr(AddressPolicy, "refusal", noting)
    table = {"many.example": Reply(" ".join(f"127.0.1.{number}" for number in range(1, 51)))}
    async with name_server(table) as server, open_fetcher(resolver=server.address) as fetcher:
        async with raw_server(answering(OK)) as (_, port):
            pass
        error = await failure(fetcher, ask(("many.example", port)))

    assert error.reason is Reason.CONNECT_REFUSED
    assert {*dialled} == {"127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"}


async def test_nothing_listens() -> None:
    """A closed port is told as such."""
    async with raw_server(answering(OK)) as where:
        pass
    async with open_fetcher() as fetcher:
        error = await failure(fetcher, ask(where))

    assert error.reason == Reason.CONNECT_REFUSED
    assert f"{where[0]}:{where[1]}" in str(error)


async def test_running_out_of_files_is_this_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE at the dial blames no host."""

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with raw_server(answering(OK)) as where, open_fetcher() as fetcher:
        monkeypatch.setattr("crawler.downloader.sockets.socket.socket", fail)
        error = await failure(fetcher, ask(where))

    assert isinstance(error, FetchError)
    assert error.reason == Reason.CLIENT_LIMIT
    assert not error.reason.blames_host


@pytest.mark.both_loops
async def test_no_segment_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both loops ask for TCP_NODELAY themselves."""
    options: list[int] = []
    made = HttpConnection.connection_made

    def noting(self: HttpConnection, transport: asyncio.BaseTransport) -> None:
        options.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(HttpConnection, "connection_made", noting)
    async with raw_server(answering(OK)) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where))

    assert [bool(option) for option in options] == [True]


@pytest.mark.both_loops
async def test_a_refused_dial_leaves_nothing_to_the_garbage_collector() -> None:
    """Its errors are in no reference cycle: a list of thousands of dead hosts would pay for each."""
    async with raw_server(answering(OK)) as where:
        pass
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        async with open_fetcher() as fetcher:
            with suppress(FetchError):
                await fetcher.fetch(ask(where))
        gc.collect()
        left = [garbage for garbage in gc.garbage if isinstance(garbage, Exception)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

    assert not left


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.both_loops
async def test_a_unix_socket_takes_every_request(scheme: str, tmp_path: Path) -> None:
    """The URL gives host, target and the name in the certificate; no name is looked up and no address judged."""
    heads, clock = list[bytes](), HandClock()
    tls = server_context(AUTHORITY.issue_cert("some.example", "169.254.169.254")) if scheme == "https" else None
    async with (
        raw_server(answering(OK, heads=heads), str(tmp_path / "app.sock"), tls=tls) as (path, _),
        HttpFetcher(FetchConfig(ca_file=authority_file(tmp_path)), clock=clock, unix_socket=path) as fetcher,
    ):
        for host, named in (("some.example", True), ("some.example", True), ("169.254.169.254", False)):
            response = await fetcher.fetch(ask_url(f"{scheme}://{host}/a?b", named=named))
            clock.now += 1

    assert [head.partition(b"\r\nUser")[0] for head in heads] == [
        b"GET /a?b HTTP/1.1\r\nHost: some.example",
        b"GET /a?b HTTP/1.1\r\nHost: some.example",
        b"GET /a?b HTTP/1.1\r\nHost: 169.254.169.254",
    ]
    assert (response.body, response.peer) == (b"good", None)


@pytest.mark.both_loops
async def test_tls_over_a_unix_socket_is_verified(tmp_path: Path) -> None:
    """The user named the socket, and not a host that may be anyone's."""
    tls = server_context(AUTHORITY.issue_cert("other.example"))
    async with (
        raw_server(answering(OK), str(tmp_path / "app.sock"), tls=tls) as (path, _),
        HttpFetcher(FetchConfig(ca_file=authority_file(tmp_path)), clock=SystemClock(), unix_socket=path) as fetcher,
    ):
        assert (await failure(fetcher, ask_url("https://some.example/"))).reason is Reason.TLS_HOSTNAME


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [
        ("nothing", Reason.CONNECT_FAILED, "No such file or directory"),
        ("file", Reason.CONNECT_REFUSED, "nothing listens at"),
        ("x" * 200, Reason.CONNECT_FAILED, "path too long"),
        ("full", Reason.CLIENT_LIMIT, "lower --concurrency"),
    ],
)
@pytest.mark.both_loops
async def test_a_unix_socket_that_does_not_answer_is_told(name: str, reason: Reason, said: str, tmp_path: Path) -> None:
    """No file, no listener, no path at all, and a listener whose queue is full."""
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as waiting:
        full.bind(str(tmp_path / "full"))
        full.listen(0)
        waiting.connect(str(tmp_path / "full"))
        path = str(tmp_path / name)
        async with HttpFetcher(FetchConfig(), clock=SystemClock(), unix_socket=path) as fetcher:
            error = await failure(fetcher, ask_url("http://some.example/"))

    assert error.reason is reason
    assert said in str(error)


def test_a_unix_socket_without_permission_is_told() -> None:
    """It is no address that the policy refuses."""
    error = unix_error(PermissionError(errno.EACCES, "Permission denied"), "/run/app.sock")

    assert error.reason is Reason.CONNECT_FAILED
    assert str(error) == "no connection to /run/app.sock (--unix-socket): you may not write to it"
