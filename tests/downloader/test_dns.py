"""downloader.dns and the files around it: names become addresses."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from crawler.core.errors import FetchError, NoNameServer, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from crawler.downloader.dns import Resolver
from crawler.downloader.hosts_file import HostsFile
from support.fetching import OK, HandClock, answering, ask, ask_url, failure, open_fetcher
from support.nameserver import REFUSED, SERVFAIL, SILENT, UNKNOWN, NameServer, Reply, name_server
from support.rawserver import raw_server


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.b.localhost", "LOCALHOST"])
async def test_localhost_is_this_machine_without_asking(name: str) -> None:
    """No server decides the addresses of localhost."""
    async with name_server({}) as server, resolver(server) as names:
        found = await names.resolve(name, 80)

    assert [result["host"] for result in found] == ["127.0.0.1", "::1"]
    assert not server.asked


BAD_NAMES = [
    "a..localhost",
    ".localhost",
    "a.localhost..",
    "..",
    ".",
    f"{'a' * 64}.localhost",
    "b" * 64,
    "b." * 127 + "c",
]


@pytest.mark.both_loops
@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_can_be_no_name_is_not_looked_up(
    name: str, scheme: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """RFC 1035, 2.3.4: a part has 1 to 63 octets, a name 253 as it is written; nothing but the error tells of it."""
    asyncio.get_running_loop().slow_callback_duration = 60  # asyncio tells of a busy machine, too
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        error = await failure(fetcher, ask_url(f"{scheme}://{name}:{port}/"))

    assert error.reason is Reason.DNS_NOT_FOUND
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


async def test_behind_a_proxy_too() -> None:
    """It is the proxy that looks names up, and TLS through it that cannot write this one."""
    tunnel = answering(b"HTTP/1.1 200 OK\r\n\r\n")
    async with raw_server(tunnel) as (_, port), open_fetcher(proxy=f"http://127.0.0.1:{port}") as fetcher:
        error = await failure(fetcher, ask_url("https://a..example/"))

    assert error.reason is Reason.DNS_NOT_FOUND


@pytest.mark.parametrize("name", ["a" * 63 + ".localhost", "x-.localhost", "a_b.localhost", "localhost."])
async def test_odd_names_are_names(name: str) -> None:
    """Other characters do no harm: the letters of a host name are a convention (RFC 2181, 11)."""
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask((name, port)))).body == b"good"


@pytest.mark.both_loops
async def test_a_name_on_this_machine_is_fetched() -> None:
    """A server on one of localhost's two addresses is found."""
    async with raw_server(answering(OK)) as (_, port), open_fetcher() as fetcher:
        assert (await fetcher.fetch(ask(("localhost", port)))).body == b"good"
        assert (await fetcher.fetch(ask(("x.localhost", port)))).body == b"good"


@asynccontextmanager
async def resolver(
    *servers: NameServer,
    limit: float = 5.0,
    now: Callable[[], float] = time.monotonic,
    hosts_file: HostsFile | None = None,
) -> AsyncIterator[Resolver]:
    """A resolver that asks these servers, closed at the end."""
    names = Resolver(limit, tuple(server.address for server in servers), now, hosts_file)
    try:
        yield names
    finally:
        await names.close()


async def addresses(names: Resolver, host: str) -> list[str]:
    """Return the addresses of a name."""
    return [result["host"] for result in await names.resolve(host, 80)]


async def reason(names: Resolver, host: str) -> Reason:
    """Return the reason of a failed lookup."""
    with pytest.raises(FetchError) as caught:
        await names.resolve(host, 80)
    assert host in str(caught.value)
    return caught.value.reason


@pytest.mark.both_loops
async def test_an_answer_that_takes_three_seconds_is_taken() -> None:
    """Quick answers for other names before do not shorten the wait."""
    table = {f"{number}.example": Reply("127.0.0.1") for number in range(30)}
    async with name_server({**table, "slow.example": Reply("127.0.0.9", delay=3)}) as server, resolver(server) as names:
        await asyncio.gather(*(names.resolve(host) for host in table))

        assert await addresses(names, "slow.example") == ["127.0.0.9"]


@pytest.mark.both_loops
async def test_a_lost_packet_is_sent_again() -> None:
    """Some time before the limit."""
    table = {"lost.example": Reply("127.0.0.9 ::1", lost=1)}
    async with name_server(table) as server, resolver(server, limit=0.5) as names:
        assert await addresses(names, "lost.example") == ["::1", "127.0.0.9"]

    assert server.count("lost.example") == 2


FAILURES = [
    (UNKNOWN, Reason.DNS_NOT_FOUND),
    (Reply(), Reason.DNS_NOT_FOUND),
    (Reply(code=SERVFAIL), Reason.DNS_TEMPORARY),
    (Reply(code=REFUSED), Reason.DNS_TEMPORARY),
    (SILENT, Reason.DNS_TIMEOUT),
    (Reply("127.0.0.1", wrong_id=True), Reason.DNS_TIMEOUT),
    (Reply("127.0.0.1", other_name="other.example"), Reason.DNS_TIMEOUT),
]


@pytest.mark.both_loops
@pytest.mark.parametrize(("reply", "expected"), FAILURES)
async def test_each_failed_lookup_has_its_reason(reply: Reply, expected: Reason) -> None:
    """Only a name that does not exist is final; an answer that is none of ours is none at all."""
    async with name_server({"some.example": reply}) as server, resolver(server, limit=0.2) as names:
        assert await reason(names, "some.example") is expected


async def test_a_name_server_that_is_not_there_is_a_failure_at_once() -> None:
    """Its machine refuses the question, and no time passes."""
    async with name_server({}) as server:
        pass
    async with asyncio.timeout(2), resolver(server) as names:
        assert await reason(names, "some.example") is Reason.DNS_TEMPORARY


@pytest.mark.parametrize("reply", [SILENT, Reply(code=SERVFAIL), Reply(code=REFUSED)])
async def test_a_second_name_server_answers_for_the_first(reply: Reply) -> None:
    """And is the first to be asked from then on."""
    table = {"a.example": Reply("127.0.0.9"), "b.example": Reply("127.0.0.8")}
    async with (
        name_server(dict.fromkeys(table, reply)) as broken,
        name_server(table) as good,
        resolver(broken, good, limit=0.5) as names,
    ):
        assert await addresses(names, "a.example") == ["127.0.0.9"]
        assert await addresses(names, "b.example") == ["127.0.0.8"]

    assert (broken.count("a.example"), broken.count("b.example")) == (1, 0)


async def test_one_kind_of_address_does_not_wait_for_the_other() -> None:
    """A server that never says whether there are IPv6 addresses costs half a second, and is asked again soon."""
    clock = HandClock()

    def only_four(_name: str, kind: str) -> Reply:
        return Reply("127.0.0.9", ttl=600) if kind == "A" else SILENT

    async with name_server(only_four) as server, resolver(server, now=clock.monotonic) as names:
        async with asyncio.timeout(2):
            assert await addresses(names, "some.example") == ["127.0.0.9"]
        clock.now += 3
        await names.resolve("some.example")

    assert server.asked["some.example", "A"] == 2


async def test_an_alias_is_followed() -> None:
    """The addresses are those of the name behind it."""
    table = {"some.example": Reply("127.0.0.9", alias="other.example")}
    async with name_server(table) as server, resolver(server) as names:
        assert await addresses(names, "some.example") == ["127.0.0.9"]


@pytest.mark.both_loops
async def test_an_answer_too_long_for_a_datagram_comes_over_tcp() -> None:
    """All of its addresses are known."""
    table = {"many.example": Reply(" ".join(f"127.0.1.{number}" for number in range(1, 255)), truncated=True)}
    async with name_server(table) as server, resolver(server) as names:
        found = [await addresses(names, "many.example") for _ in range(254)]

    assert server.asked_over_tcp["many.example", "A"] == 1
    assert len({address for part in found for address in part}) == 254


@pytest.mark.both_loops
async def test_a_hundred_waiters_are_one_lookup() -> None:
    """On whichever port."""
    table = {"some.example": Reply("127.0.0.9", delay=0.05)}
    async with name_server(table) as server, resolver(server) as names:
        found = await asyncio.gather(*(names.resolve("some.example", port) for port in range(1, 101)))

    assert {(result["host"], result["port"]) for (result,) in found} == {("127.0.0.9", port) for port in range(1, 101)}
    assert server.count("some.example") == 1


async def test_pools_share_what_is_known() -> None:
    """Named or not, a host is looked up once."""
    async with (
        name_server({"some.example": Reply("127.0.0.1")}) as server,
        raw_server(answering(OK)) as (_, port),
        open_fetcher(resolver=server.address, allow_nets=("127.0.0.0/8",)) as fetcher,
    ):
        for named, foreign in ((True, False), (True, True), (False, False)):
            response = await fetcher.fetch(ask(("some.example", port), named=named, foreign=foreign))
            assert response.body == b"good"
            assert response.timing.dns is not None

    assert server.count("some.example") == 1


@pytest.mark.both_loops
async def test_a_waiter_that_is_cancelled_leaves_the_lookup_to_others() -> None:
    """Even the one who began it."""
    async with name_server({"some.example": Reply("127.0.0.9", delay=0.1)}) as server, resolver(server) as names:
        first = asyncio.create_task(addresses(names, "some.example"))
        second = asyncio.create_task(addresses(names, "some.example"))
        await names.wait_turn("some.example")
        first.cancel()

        assert await second == ["127.0.0.9"]
        assert first.cancelled()
    assert server.count("some.example") == 1


@pytest.mark.parametrize(("ttl", "kept"), [(7, 7), (0, 1), (10_000_000, 86400)])
async def test_addresses_hold_for_their_ttl(ttl: int, kept: float) -> None:
    """From a second to a day."""
    clock = HandClock()
    async with (
        name_server({"some.example": Reply("127.0.0.9", ttl=ttl)}) as server,
        resolver(server, now=clock.monotonic) as names,
    ):
        for moment in (0, kept - 0.5, kept):
            clock.now = 1000 + moment
            await names.resolve("some.example")
            assert server.count("some.example") == (1 if moment < kept else 2)


@pytest.mark.parametrize(("reply", "kept"), [(UNKNOWN, 60), (Reply(code=SERVFAIL), 3), (SILENT, 3)])
async def test_failures_are_kept_for_a_while(reply: Reply, kept: float) -> None:
    """No such name for a minute, what may pass for three seconds."""
    clock = HandClock()
    async with name_server({"a.example": reply}) as server, resolver(server, limit=0.1, now=clock.monotonic) as names:
        first = await reason(names, "a.example")
        asked = server.count("a.example")
        clock.now += kept - 0.5
        assert await reason(names, "a.example") is first
        assert server.count("a.example") == asked

        clock.now += 0.5
        assert await reason(names, "a.example") is first
        assert server.count("a.example") > asked


async def test_the_oldest_name_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded for any number of hosts."""
    monkeypatch.setattr("crawler.downloader.dns_cache._NAMES_KEPT", 2)
    table = {f"{letter}.example": Reply("127.0.0.9") for letter in "abc"}
    async with name_server(table) as server, resolver(server) as names:
        for host in (*table, *table):
            await names.resolve(host)
        await names.resolve("c.example")

    assert [server.count(host) for host in table] == [2, 2, 2]


@pytest.mark.both_loops
async def test_few_lookups_are_under_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait, which no limit counts: neither for lookups, nor for connecting, nor for the whole fetch."""
    monkeypatch.setattr("crawler.downloader.dns.LOOKUPS", 1)
    table = {f"{number}.example": Reply("127.0.0.1", delay=0.25) for number in range(10)}
    async with (
        name_server(table) as server,
        raw_server(answering(OK)) as (_, port),
        open_fetcher(resolver=server.address, connect_timeout=2, timeout=2.2) as fetcher,
    ):
        began = time.monotonic()
        found = await asyncio.gather(*(fetcher.fetch(ask((host, port))) for host in table))

    assert time.monotonic() - began >= 10 * 0.25
    assert [response.body for response in found] == [b"good"] * 10
    assert all(response.timing.dns is not None and response.timing.dns < 1 for response in found)


async def test_a_lookup_that_nobody_waits_for_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wanted it are gone before its turn."""
    monkeypatch.setattr("crawler.downloader.dns.LOOKUPS", 1)
    async with name_server({"a.example": Reply("127.0.0.9", delay=0.1)}) as server, resolver(server) as names:
        first = asyncio.create_task(addresses(names, "a.example"))
        await names.wait_turn("a.example")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await names.resolve("b.example")
        await first
        await reason(names, "c.example")

    assert server.count("b.example") == 0


async def test_a_name_that_is_silent_among_others_is_blamed_itself() -> None:
    """Any number of them in a row is no outage: the root's name servers are known."""
    silent = [f"{number}.example" for number in range(12)]
    async with name_server(dict.fromkeys(silent, SILENT)) as server, resolver(server, limit=0.2) as names:
        reasons = await asyncio.gather(*(reason(names, host) for host in silent))

    assert set(reasons) == {Reason.DNS_TIMEOUT}
    assert server.asked["", "2"] > 0


async def outage(names: Resolver) -> NoNameServer:
    """Return the error of the last of nine lookups, while no name server answers."""
    errors = await asyncio.gather(*(names.resolve(f"{number}.example") for number in range(9)), return_exceptions=True)
    assert sum(isinstance(error, NoNameServer) for error in errors) == 2
    assert isinstance(errors[-1], NoNameServer)
    return errors[-1]


def _all_silent(server: NameServer) -> None:
    server.silent = True


def _all_failing(server: NameServer) -> None:
    server.answers = lambda *_: Reply(code=SERVFAIL)


@pytest.mark.both_loops
@pytest.mark.parametrize("break_", [_all_silent, _all_failing])
async def test_name_servers_that_are_out_are_told_as_such(break_: Callable[[NameServer], None]) -> None:
    """No host is blamed: lookups fail at once, but for one a second; the first answer ends it."""
    clock = HandClock()
    table = {"good.example": Reply("127.0.0.9"), "probe.example": SILENT}
    async with name_server(table) as server, resolver(server, limit=0.3, now=clock.monotonic) as names:
        break_(server)
        error = await outage(names)
        assert (error.reason, error.counted, error.since) == (Reason.DNS_TIMEOUT, False, 1000.0)
        assert server.address in str(error)
        assert "--resolver" in str(error)

        with pytest.raises(NoNameServer):
            await names.resolve("good.example")
        assert server.count("good.example") == 0

        clock.now += 1
        with pytest.raises(NoNameServer):
            await names.resolve("good.example")
        assert server.count("good.example") > 0

        server.silent, server.answers = False, table
        clock.now += 1
        probe = asyncio.create_task(reason(names, "probe.example"))
        await names.wait_turn("probe.example")
        assert await probe is Reason.DNS_TIMEOUT  # a dead name as a probe is no outage: the root was answered

        assert await addresses(names, "good.example") == ["127.0.0.9"]


async def test_who_waits_for_a_turn_hears_of_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for one after the other while no server answers."""
    monkeypatch.setattr("crawler.downloader.dns.LOOKUPS", 9)
    async with name_server({}) as server, resolver(server, limit=0.2) as names:
        server.silent = True
        waiting = asyncio.gather(*(names.resolve(f"{number}.example") for number in range(30)), return_exceptions=True)
        errors = await waiting

    assert [type(error) for error in errors] == [FetchError] * 7 + [NoNameServer] * 23
    assert server.count("29.example") == 0


def open_files() -> int:
    """Return the number of this process's open files."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.both_loops
async def test_nothing_is_left_open() -> None:
    """Neither sockets nor timers, whatever was under way."""
    async with name_server({"good.example": Reply("127.0.0.9")}) as server:
        before = open_files()
        async with resolver(server) as names:
            await names.resolve("good.example")
            server.silent = True
            tasks = [asyncio.create_task(names.resolve(f"{number}.example")) for number in range(5)]
            for number in range(5):
                await names.wait_turn(f"{number}.example")
            await asyncio.sleep(0)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        after = open_files()

    assert [(type(error), getattr(error, "counted", None)) for error in ended] == [(FetchError, False)] * 5
    assert after == before


@contextmanager
def no_files_left() -> Iterator[None]:
    """This process can open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        yield


@pytest.mark.both_loops
async def test_a_machine_without_files_left_is_to_blame_itself() -> None:
    """Neither the host nor the name server is: nothing could be asked."""
    async with name_server({}) as server, resolver(server) as names:
        with no_files_left():
            errors = await asyncio.gather(
                *(names.resolve(f"{number}.example") for number in range(20)), return_exceptions=True
            )

    assert {error.reason for error in errors if isinstance(error, FetchError)} == {Reason.CLIENT_LIMIT}
    assert not server.asked


async def test_four_addresses_are_tried() -> None:
    """Both families in turn; the next dial begins further on."""
    table = {"many.example": Reply(" ".join(f"127.0.1.{number} ::{number}" for number in range(1, 26)))}
    async with name_server(table) as server, resolver(server) as names:
        assert await addresses(names, "many.example") == ["::1", "127.0.1.1", "::2", "127.0.1.2"]
        assert await addresses(names, "many.example") == ["::2", "127.0.1.2", "::3", "127.0.1.3"]


async def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    """No name server is asked for a name that stands in the file."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.8 here.example\n")
    async with (
        name_server({"here.example": Reply("127.0.0.9")}) as server,
        resolver(server, hosts_file=HostsFile(file)) as names,
    ):
        assert await addresses(names, "here.example") == ["127.0.0.8"]
    assert not server.asked


async def test_through_a_proxy_only_its_own_name_is_looked_up() -> None:
    """The proxy looks up the others."""
    async with (
        name_server({"proxy.example": Reply("127.0.0.1")}) as server,
        raw_server(answering(OK)) as (_, port),
        open_fetcher(resolver=server.address, proxy=f"http://proxy.example:{port}") as fetcher,
    ):
        assert (await fetcher.fetch(ask_url("http://some.example/"))).body == b"good"

    assert {name for name, _ in server.asked} == {"proxy.example"}


async def test_scripts_name_a_resolver() -> None:
    """By the keyword `resolver`, which messages name, too."""
    async with (
        name_server({"some.example": Reply("127.0.0.1")}) as server,
        raw_server(answering(OK)) as (_, port),
        Fetcher(resolver=server.address) as fetcher,
    ):
        assert (await fetcher.get(f"http://some.example:{port}/")).content == b"good"

    with pytest.raises(UsageError, match=r"resolver: expected an IP address.*got 'ns.example'"):
        Fetcher(resolver="ns.example")


async def test_an_outage_outlives_no_probe_that_lacked_a_file() -> None:
    """Nobody was asked by it, so another name may be the next probe."""
    clock = HandClock()
    async with (
        name_server({"good.example": Reply("127.0.0.9")}) as server,
        resolver(server, limit=0.3, now=clock.monotonic) as names,
    ):
        server.silent = True
        await outage(names)
        server.silent = False
        clock.now += 1
        with no_files_left(), pytest.raises(FetchError, match="open files"):
            await names.resolve("good.example")

        clock.now += 60

        assert await addresses(names, "good.example") == ["127.0.0.9"]
