"""downloader.dns_lookup: one question, until an answer comes or its time is over."""

import asyncio

import pytest

from crawler.core.reasons import Reason
from support.fetching import HandClock
from support.nameserver import REFUSED, SERVFAIL, SILENT, UNKNOWN, Reply, name_server
from support.resolving import addresses, reason, resolver


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
