"""downloader.dns_cache: for how long names and failures hold, and the order of addresses."""

import pytest

from support.fetching import HandClock
from support.nameserver import SERVFAIL, SILENT, UNKNOWN, Reply, name_server
from support.resolving import addresses, reason, resolver


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
    monkeypatch.setattr("crawler.downloader.dns_cache.NAMES_CACHED", 2)
    table = {f"{letter}.example": Reply("127.0.0.9") for letter in "abc"}
    async with name_server(table) as server, resolver(server) as names:
        for host in (*table, *table):
            await names.resolve(host)
        await names.resolve("c.example")

    assert [server.count(host) for host in table] == [2, 2, 2]


async def test_four_addresses_are_tried() -> None:
    """Both families in turn; the next dial begins further on."""
    table = {"many.example": Reply(" ".join(f"127.0.1.{number} ::{number}" for number in range(1, 26)))}
    async with name_server(table) as server, resolver(server) as names:
        assert await addresses(names, "many.example") == ["::1", "127.0.1.1", "::2", "127.0.1.2"]
        assert await addresses(names, "many.example") == ["::2", "127.0.1.2", "::3", "127.0.1.3"]
