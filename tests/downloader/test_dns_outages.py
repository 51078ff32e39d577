"""downloader.dns: lookups while the name servers are out, or this machine lacks files."""

import asyncio
from collections.abc import Callable

import pytest

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.reasons import Reason
from crawler.downloader.dns import Resolver
from support.fetching import HandClock
from support.nameserver import SERVFAIL, SILENT, NameServer, Reply, name_server
from support.resolving import addresses, no_files_left, reason, resolver


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
        assert (
            await reason(names, "probe.example") is Reason.DNS_TIMEOUT
        )  # a dead name as a probe is no outage: the root was answered

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
