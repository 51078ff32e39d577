"""load.closed_loop, load.open_loop: many requests, groups of targets and several hosts, in virtual time."""

import pytest

from crawler.load.base_loop import Loop
from crawler.load.exchange import Request
from crawler.load.nanoseconds import MILLISECOND, SECOND
from support.simulation import Server, Simulation, Targets, measured, simulated

A, B, C = (Request(b"GET /%c HTTP/1.1\r\n\r\n" % letter, group=number % 2) for number, letter in enumerate(b"abc"))


@pytest.mark.parametrize("rate", [None, 100.0])
def test_requests_take_turns_and_count_in_their_groups(rate: float | None) -> None:
    """Three requests of two groups are sent alike often; the groups add up to the whole."""
    loop, server = simulated(
        lambda _n, _now: MILLISECOND,
        rate=rate,
        requests=None,
        seconds=3,
        connections=4,
        targets=Targets((A, B, C), "ab"),
    )

    phase = measured(loop)
    first, second = loop.groups
    assert max(server.requests.values()) - min(server.requests.values()) <= 1
    assert set(server.requests) == {A.data, B.data, C.data}
    assert (first.name, second.name) == ("a", "b")
    assert first.is_whole
    assert second.is_whole
    assert first.ok + second.ok == phase.ok
    assert abs(first.ok - 2 * second.ok) <= 4


def test_a_number_of_requests_is_that_of_all_targets() -> None:
    """Ten requests are four, three and three."""
    loop, server = simulated(
        lambda _n, _now: MILLISECOND, requests=10, seconds=None, connections=3, targets=Targets((A, B, C), "ab")
    )

    assert measured(loop).outcomes["ok"] == 10
    assert [server.requests[one.data] for one in (A, B, C)] == [4, 3, 3]


def test_one_group_needs_no_table() -> None:
    """Its record is that of the whole."""
    loop, _ = simulated(lambda _n, _now: MILLISECOND, requests=10, seconds=None, targets=Targets((A, C), ("",)))

    assert loop.groups == []


HERE, THERE = Request(b"GET /here HTTP/1.1\r\n\r\n", host=0), Request(b"GET /there HTTP/1.1\r\n\r\n", host=1)


def test_a_host_that_stalls_delays_no_other_in_an_open_loop() -> None:
    """The requests of the other host are sent when they are due, while the first host's wait for a connection."""

    def stalls(_: int, now: int) -> int:
        return 2 * SECOND if now < 2 * SECOND else MILLISECOND

    two = Targets((HERE, THERE), ("here", "there"), others=[lambda _n, _now: MILLISECOND])
    here, there = HERE, THERE._replace(group=1)

    loop, server = simulated(
        stalls, rate=100, connections=2, seconds=4, targets=Targets((here, there), two.groups, two.others)
    )

    slow, quick = loop.groups
    assert measured(loop).scheduled == 400
    assert server.received == slow.ok == 200
    assert quick.ok == 200
    assert not quick.waiting
    assert sum(slow.waiting.values()) > 90


def test_each_user_of_a_closed_loop_has_a_connection_to_each_host() -> None:
    """Requests go to their own host, and no connection is given up for the other."""
    targets = Targets((HERE, THERE, THERE), ("",), others=[lambda _n, _now: MILLISECOND])

    loop, server = simulated(lambda _n, _now: MILLISECOND, connections=3, seconds=2, targets=targets)

    phase = measured(loop)
    assert phase.opened == 6
    assert server.dialled == 3
    assert set(server.requests) == {HERE.data}
    assert abs(phase.ok - 3 * server.received) <= 6


def test_the_seconds_add_up_to_the_test() -> None:
    """Each answer, failure and timeout is in exactly one second, and each second tells of what happened in it."""
    loop, _ = simulated(
        lambda n, now: None if n % 10 == 3 else 400 * MILLISECOND if 2 * SECOND < now < 3 * SECOND else MILLISECOND,
        rate=100,
        seconds=5,
        timeout=0.5,
        connections=64,
    )

    phase = measured(loop)
    seconds = loop.log.closed
    assert sum(one.ok for one in seconds) == phase.ok == 450
    assert sum(one.failures.get("timeout", 0) for one in seconds) == phase.outcomes["timed_out"] == 50
    assert [one.scheduled for one in seconds[:5]] == [100] * 5
    assert [one.begin for one in seconds] == [number * SECOND for number in range(len(seconds))]
    assert max(seconds[2].times) > max(seconds[1].times)


def test_requests_per_connection_are_limited() -> None:
    """After three requests a connection is closed by us, which is no failure."""
    loop, server = simulated(lambda _n, _now: MILLISECOND, requests=30, seconds=None, connections=2, per_connection=3)

    assert measured(loop).outcomes["ok"] == 30
    assert server.dialled == 10


def test_a_kept_connection_that_the_server_closes_costs_no_request() -> None:
    """A server that closes under each fifth request gets it again over a new connection, and all are good."""

    def close_each_fifth(number: int, _now: int) -> int:
        return -1 if number % 5 == 4 else MILLISECOND

    loop, server = simulated(close_each_fifth, requests=100, seconds=None, connections=2)

    phase = measured(loop)
    assert phase.outcomes["ok"] == 100
    assert phase.asked_again == server.received - 100 > 0
    assert phase.failures == {}


def test_an_idle_connection_that_another_host_closes_costs_no_request() -> None:
    """The user still waits for its answer elsewhere: it gets no second request, and the first one is not lost."""
    slow, quick = HERE, THERE
    targets = Targets((slow, slow, slow, quick), ("",), others=[lambda _n, _now: MILLISECOND])

    def closes_idle(_simulation: Simulation, _loop: Loop) -> None:
        servers[1].hangs_up_after = 30 * MILLISECOND

    servers: list[Server] = []
    loop, server = simulated(
        lambda _n, _now: 100 * MILLISECOND,
        requests=100,
        seconds=None,
        connections=4,
        targets=targets,
        disturb=closes_idle,
        servers=servers,
    )

    phase = measured(loop)
    assert phase.outcomes["ok"] == 100
    assert server.received + servers[1].received == 100
    assert phase.closed_by_server > 10


def test_many_requests_that_were_never_sent_are_all_counted() -> None:
    """A server that is silent, at 50,000/s over four connections: four in flight, and all others shed."""
    loop, _ = simulated(lambda _n, _now: None, rate=50_000, seconds=1, connections=4, grace=0.1)

    assert measured(loop).outcomes == {"ok": 0, "failed": 0, "timed_out": 0, "shed": 49_996, "in_flight": 4}


def test_a_wish_to_end_at_once_ends_the_counting_of_what_was_not_sent() -> None:
    """The rest is left out, and what is counted adds up."""
    loop, _ = simulated(
        lambda _n, _now: None,
        rate=100_000,
        seconds=2,
        connections=4,
        disturb=lambda simulation, loop: simulation.at(SECOND, lambda _: loop.stop(at_once=True)),
    )

    phase = measured(loop)
    assert 20_000 <= phase.outcomes["shed"] <= 40_000
    assert phase.outcomes["in_flight"] == 4
