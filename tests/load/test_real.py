"""Load tests of real servers on loopback: what comes back, what goes wrong, and that all of it adds up."""

import asyncio
import errno
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

import crawler
from crawler.core.reasons import Reason
from crawler.load.report import load_text
from crawler.load.result import LoadResult, LoadVerdict
from crawler.runtime.tasks import background
from support.certificates import AUTHORITY, BAD, NAMES, authority_file, server_context
from support.rawserver import Handler, raw_server

pytestmark = pytest.mark.both_loops

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Counting:
    """Answers every request on a connection with the same bytes, and counts them."""

    def __init__(self, answer: bytes = HELLO, *, times: int | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._wanted = 0
        self._has_them = asyncio.Event()
        self._answer = answer
        self._times = times

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; after `times` answers it is closed."""
        self.connections += 1
        count = 0
        while count != self._times:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self._answer)
            count += 1
            if len(self.requests) == self._wanted:
                self._has_them.set()

    async def has(self, requests: int) -> None:
        """Wait until so many requests have come."""
        self._wanted = requests
        await self._has_them.wait()


async def load(handler: Handler, **options: Any) -> LoadResult:
    """Load-test a server with this handler; the account must add up."""
    async with raw_server(handler) as (host, port):
        result = await crawler.load_test(
            f"http://{host}:{port}/path?q", **{"requests": 200, "connections": 4, **options}
        )
    assert all(phase.is_whole for phase in result.phases)
    return result


def kinds(result: LoadResult) -> dict[str, int]:
    """Return the number of failures of each kind."""
    return {kind: failure.count for kind, failure in result.total.failures.items()}


async def test_every_request_is_counted_once_here_and_there() -> None:
    """The good answers equal the requests that the server saw, over the connections that were asked for."""
    server = Counting()

    result = await load(server)

    assert result.outcomes["ok"] == len(server.requests) == 200
    assert server.connections == 4
    assert sum(phase.opened for phase in result.phases) == 4
    assert result.total.bytes == 200 * len(HELLO)


async def test_a_rate_is_kept() -> None:
    """200 requests at 1,000/s take a fifth of a second, and each is sent when it is due or after."""
    server = Counting()

    result = await load(server, rate=1000)

    assert result.outcomes["ok"] == len(server.requests) == 200
    assert result.seconds == pytest.approx(0.199, abs=0.002)
    assert sum(result.total.pacing.values()) + sum(result.total.waiting.values()) == 200


async def test_signals_are_the_programs() -> None:
    """No handler is installed while a test runs on the caller's loop, nor left behind."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before, during = [signal.getsignal(one) for one in signals], list[object]()

    async def look() -> None:
        await asyncio.sleep(0.05)
        during.extend(signal.getsignal(one) for one in signals)

    async with background(look):
        await load(Counting(), requests=100, rate=500)

    assert during == before == [signal.getsignal(one) for one in signals]


async def test_what_is_sent_is_what_was_asked_for() -> None:
    """Method, headers and body arrive as typed, with an honest User-Agent."""
    server = Counting()

    await load(server, requests=1, connections=1, method="PUT", headers={"X-A": "b"}, body="some text")

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"PUT /path?q HTTP/1.1"
    assert b"X-A: b" in lines
    assert any(line.startswith(b"User-Agent: crawler-load/") for line in lines)
    assert body == b"some text"


async def test_without_keep_alive_each_request_has_its_own_connection() -> None:
    """The server is told to close, and we close whatever it does."""
    server = Counting()

    result = await load(server, requests=20, keep_alive=False)

    assert server.connections >= 20
    assert result.total.fresh.count == 20
    assert all(b"Connection: close" in request for request in server.requests)


@pytest.mark.parametrize("rate", [None, 500.0])
async def test_a_connection_carries_as_many_requests_as_it_may(rate: float | None) -> None:
    """Then it is closed on this side, and the report knows how many there must be."""
    server = Counting()

    result = await load(server, requests=40, connections=2, requests_per_connection=5, rate=rate)

    assert result.outcomes["ok"] == len(server.requests) == 40
    assert server.connections == pytest.approx(8, abs=2)
    assert sum(phase.closed_by_server for phase in result.phases) == 0
    assert "(ideal 8)" in load_text(result)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + 300_000 * b"x",
    ],
    ids=["chunked", "interim", "no content", "redirect", "large"],
)
async def test_answers_of_every_kind_are_good(answer: bytes) -> None:
    """Each is one answer of one request; a redirect is not followed."""
    server = Counting(answer)

    result = await load(server, requests=20)

    assert result.outcomes["ok"] == len(server.requests) == 20
    assert kinds(result) == {}


async def test_an_answer_to_head_may_announce_a_body() -> None:
    """Its length is that of the body that GET would have brought."""
    server = Counting(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    result = await load(server, requests=20, method="HEAD")

    assert result.outcomes["ok"] == 20
    assert server.connections == 4


async def test_an_answer_may_end_with_its_connection() -> None:
    """The next request takes a new one."""
    server = Counting(b"HTTP/1.1 200 OK\r\n\r\nhello", times=1)

    result = await load(server, requests=20)

    assert result.outcomes["ok"] == 20
    assert server.connections >= 20


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "truncated"),
        (b"HTTP/1.1 oh\r\n\r\n", "protocol_error"),
        (b"SSH-2.0-x\r\n", "protocol_error"),
        (b"", "connection_lost"),
        (b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "status_503"),
    ],
)
async def test_what_goes_wrong_is_named(answer: bytes, kind: str) -> None:
    """Each failure has its kind and three examples, and nothing is measured of it as if it were good."""
    result = await load(Counting(answer, times=1), requests=20)

    assert kinds(result) == {kind: 20}
    assert result.outcomes["failed"] == 20
    assert result.total.bytes == 20 * len(answer)
    assert (result.verdict, result.because) == (LoadVerdict.NOTHING_OK, f"no request was ok: 20 {kind}")
    assert result.p50 is None
    failure = result.total.failures[kind]
    assert failure.first.at <= failure.last.at
    assert failure.worst.port is not None


async def test_a_server_that_does_not_answer_is_timed_out() -> None:
    """One request per connection, at the timeout and not much later."""

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    result = await load(mute, requests=4, timeout=0.2)

    assert result.outcomes["timed_out"] == 4
    assert kinds(result) == {"timeout": 4}
    assert 0.2 <= (result.max or 0) < 2


async def test_nobody_there_ends_early_and_says_so() -> None:
    """A closed port is named, and not hammered for ten seconds."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        port = plug.getsockname()[1]

    result = await crawler.load_test(f"http://127.0.0.1:{port}/", connections=2)

    assert result.gave_up
    assert set(kinds(result)) == {"connect_refused"}
    assert result.total.is_whole
    assert result.seconds < 3


@pytest.mark.parametrize("rate", [None, 200.0])
async def test_a_server_that_is_killed_and_restarted_is_seen_and_met_again(rate: float | None) -> None:
    """Requests fail while it is away, by name, succeed before and after, and all add up."""
    first, second = Counting(), Counting()
    async with raw_server(first) as (host, port):
        test = asyncio.create_task(crawler.load_test(f"http://{host}:{port}/", rate=rate, duration=1.5, connections=4))
        await first.has(50)
    await asyncio.sleep(0.3)  # it is away for a while
    async with raw_server(second, host, port):
        result = await test

    assert all(phase.is_whole for phase in result.phases)
    assert {"connect_refused"} <= set(kinds(result)) <= {"connect_refused", "connection_lost", "truncated"}
    assert result.outcomes["ok"] > 50
    assert second.requests


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_a_machine_that_runs_out_is_blamed_itself(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file or port left is the client's limit, named with its error; the verdict says CLIENT-BOUND."""

    class Plug(socket.socket):
        made = 0

        def __init__(self, *arguments: int) -> None:
            type(self).made += 1
            if self.made > 30:
                raise OSError(code, "none left")
            super().__init__(*arguments)

    server = Counting()
    async with raw_server(server) as (host, port):
        ours = SimpleNamespace(socket=Plug, SOCK_STREAM=socket.SOCK_STREAM, AF_UNIX=socket.AF_UNIX)
        monkeypatch.setattr("crawler.load.dial.socket", ours)
        result = await crawler.load_test(
            f"http://{host}:{port}/", duration=1, rate=200, connections=4, keep_alive=False
        )

    assert result.total.is_whole
    assert result.outcomes["ok"] == len(server.requests) > 0
    assert errno.errorcode[code] in result.total.failures["client_limit"].first.detail
    assert result.verdict in {LoadVerdict.CLIENT_BOUND, LoadVerdict.TOO_SHORT}


@asynccontextmanager
async def tls_server(server: Counting, certificate: trustme.LeafCert) -> AsyncIterator[str]:
    """A server that answers over TLS with this certificate."""
    async with raw_server(server, tls=server_context(certificate)) as (host, port):
        yield f"https://{host}:{port}/"


async def test_https_is_verified_and_its_steps_are_timed(tmp_path: Path) -> None:
    """With a certificate that is trusted, requests succeed, and connecting and TLS are apart."""
    server = Counting()

    async with tls_server(server, AUTHORITY.issue_cert(*NAMES)) as url:
        result = await crawler.load_test(url, requests=40, connections=4, ca_file=authority_file(tmp_path))

    assert result.outcomes["ok"] == len(server.requests) == 40
    opening = result.phases[0]
    assert sum(opening.connect.values()) == sum(opening.tls.values()) == 4


@pytest.mark.parametrize(("certificate", "reason"), BAD.values(), ids=BAD)
async def test_a_bad_certificate_is_named(certificate: trustme.LeafCert, reason: Reason, tmp_path: Path) -> None:
    """Nothing is sent to a server that is not who it should be, unless verification is switched off."""
    server = Counting()

    async with tls_server(server, certificate) as url:
        result = await crawler.load_test(url, duration=5, connections=2, ca_file=authority_file(tmp_path))
        assert set(kinds(result)) == {reason}
        assert not server.requests
        blind = await crawler.load_test(url, requests=10, connections=2, insecure=True)

    assert blind.outcomes["ok"] == 10


async def test_a_unix_socket_is_tested_like_a_port(tmp_path: Path) -> None:
    """The URL gives the host and the path of the request."""
    server = Counting()
    path = str(tmp_path / "s")

    async with raw_server(server, path):
        result = await crawler.load_test("http://app/x", unix_socket=path, requests=20, connections=2)

    assert result.outcomes["ok"] == len(server.requests) == 20
    assert server.requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: app\r\n")


async def test_what_a_request_was_told_reaches_the_server_and_no_report() -> None:
    """Credentials of the URL, any bytes of a body and a method of one's own are sent; the report masks the URL."""
    server = Counting()

    async with raw_server(server) as (host, port):
        result = await crawler.load_test(
            f"http://me:hunter2@{host}:{port}/", requests=1, connections=1, method="REPORT", body=b"\x00\n\xff"
        )

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"REPORT / HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6aHVudGVyMg==" in head
    assert body == b"\x00\n\xff"
    assert "hunter2" not in result.to_json() + load_text(result)
    assert result.asked.url == f"http://{host}:{port}/"


async def test_any_port_of_this_machine_can_be_tested() -> None:
    """Those on which a crawl asks for no page, as far as no other program listens there."""
    tested = 0
    for port in (5060, 6000, 6566, 6666, 10080):
        with suppress(OSError):
            async with raw_server(Counting(), "127.0.0.1", port) as (host, _):
                result = await crawler.load_test(f"http://{host}:{port}/", requests=20, connections=2)
                assert result.outcomes["ok"] == 20
                tested += 1

    assert tested


async def test_every_percentile_is_a_number_or_an_error() -> None:
    """The hundredth is the maximum, and a share is not taken for a percentage."""
    result = await load(Counting(), requests=100)

    assert result.percentile(100) == result.max
    assert 0 < (result.percentile(0) or 0) <= (result.p50 or 0)
    with pytest.raises(ValueError, match=r"0.99 is a share: write 99"):
        result.percentile(0.99)


async def test_a_replay_that_a_time_ends_sends_nothing_afterwards(tmp_path: Path) -> None:
    """Of 40 requests within four seconds, those of the first second are sent; the grace is for answers."""
    log, server = tmp_path / "access.log", Counting()
    log.write_text(
        "".join(f'1.2.3.4 - - [14/Nov/2023:22:13:{20 + n // 10} +0000] "GET /r HTTP/1.1" 200 5\n' for n in range(40))
    )

    result = await load(server, targets=log, replay=1, duration=1, requests=None, grace=1.5)

    assert result.outcomes["scheduled"] == result.outcomes["ok"] == len(server.requests) == 10


async def test_a_test_that_is_stopped_while_it_dials_ends_at_once() -> None:
    """A listener with a full queue answers no dial; the timeout is not waited for."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        test = crawler.LoadTest(f"http://127.0.0.1:{listener.getsockname()[1]}/", connections=8, duration=1, timeout=30)

        async with asyncio.timeout(5), background(stop_soon, test):
            result = await test.run()

    assert result.interrupted
    assert result.outcomes["scheduled"] == 0


async def stop_soon(test: crawler.LoadTest) -> None:
    """Stop a test that dials."""
    await asyncio.sleep(0.3)
    test.stop()
