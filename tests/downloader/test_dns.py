"""downloader.dns: names that need no lookup, and lookups that many share."""

import asyncio
import time
from pathlib import Path

import pytest

from crawler.core.discovery import Way
from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.client import Fetcher
from crawler.downloader.hosts_file import HostsFile
from support.fetching import OK, answering, ask, ask_url, failure, open_fetcher
from support.nameserver import Reply, name_server
from support.rawserver import raw_server
from support.resolving import addresses, reason, resolver


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.b.localhost", "LOCALHOST"])
async def test_localhost_is_this_machine_without_asking(name: str) -> None:
    """No server decides the addresses of localhost."""
    async with name_server({}) as server, resolver(server) as names:
        found = await addresses(names, name)

    assert found == ["127.0.0.1", "::1"]
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


@pytest.mark.both_loops
async def test_a_hundred_waiters_are_one_lookup() -> None:
    """Each gets the addresses."""
    table = {"some.example": Reply("127.0.0.9", delay=0.05)}
    async with name_server(table) as server, resolver(server) as names:
        found = await asyncio.gather(*(addresses(names, "some.example") for _ in range(100)))

    assert found == [["127.0.0.9"]] * 100
    assert server.count("some.example") == 1


async def test_pools_share_what_is_known() -> None:
    """Named or not, a host is looked up once."""
    async with (
        name_server({"some.example": Reply("127.0.0.1")}) as server,
        raw_server(answering(OK)) as (_, port),
        open_fetcher(resolver=server.address, allow_nets=("127.0.0.0/8",)) as fetcher,
    ):
        for named, foreign in ((True, False), (True, True), (False, False)):
            response = await fetcher.fetch(ask(("some.example", port), named=named, way=Way(foreign=foreign)))
            assert response.body == b"good"
            assert response.timing.dns is not None

    assert server.count("some.example") == 1


@pytest.mark.both_loops
async def test_a_waiter_that_is_cancelled_leaves_the_lookup_to_others() -> None:
    """Even the one who began it."""
    async with name_server({"some.example": Reply("127.0.0.9", delay=0.1)}) as server, resolver(server) as names:
        first = asyncio.create_task(addresses(names, "some.example"))
        second = asyncio.create_task(addresses(names, "some.example"))
        await asyncio.sleep(0)
        first.cancel()

        assert await second == ["127.0.0.9"]
        assert first.cancelled()
    assert server.count("some.example") == 1


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
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await names.resolve("b.example")
        await first
        await reason(names, "c.example")

    assert server.count("b.example") == 0


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
            for _ in range(3):  # turns of the loop in which the questions are sent
                await asyncio.sleep(0)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        after = open_files()

    assert [(type(error), getattr(error, "counted", None)) for error in ended] == [(FetchError, False)] * 5
    assert after == before


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
