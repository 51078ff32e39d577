"""A load test against servers whose truth is known, in virtual time."""

from collections import Counter
from random import Random

import pytest

from crawler.core.histogram import FINE, bucket, mean, middle
from crawler.load.base_loop import Loop
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.pacers import Curve, Poisson, RateStage
from crawler.load.records import ClientCost, LoadRecord, merge_phases, sum_up
from crawler.load.result import LoadResult, LoadVerdict
from support.load_results import load_result
from support.simulation import Simulation, measured, simulated


def stalling(_: int, now: int) -> int:
    """A millisecond for each answer, but from second 5 to 6 of the test nothing at all."""
    begin, end = 5 * SECOND, 6 * SECOND
    return max(MILLISECOND, end - now) if begin <= now < end else MILLISECOND


def above(table: dict[int, int], nanoseconds: int) -> int:
    """Return the number of values that are larger."""
    return sum(count for number, count in table.items() if middle(number, FINE) > nanoseconds)


def judged(loop: Loop, rate: float | None = None) -> LoadResult:
    """The result of a simulated test, with the lag that its loop had; all of it must add up."""
    measured(loop)
    return load_result(loop.phases, loop.setup.gauge.client.lag, rate=rate)


def test_a_stall_of_a_second_is_seen_by_every_request_that_was_due_in_it() -> None:
    """At 1,000/s, 1,000 arrivals meet a stall of 1 s: their response times are evenly spread over that second."""
    loop, server = simulated(stalling, rate=1000, connections=64)

    phase = measured(loop)

    assert server.received == phase.ok == phase.scheduled == 10_000
    for tenth in range(1, 10):
        predicted = 1000 - 100 * tenth
        assert above(phase.response, tenth * SECOND // 10) == pytest.approx(predicted, abs=20)
    assert above(phase.response, SECOND + 50 * MILLISECOND) == 0


def test_what_a_closed_view_would_have_shown_of_the_stall_is_shown_beside_it() -> None:
    """By the service time only the requests that were in flight saw the stall: one per connection."""
    loop, _ = simulated(stalling, rate=1000, connections=64)

    phase = measured(loop)

    assert 0 < above(phase.service(), 100 * MILLISECOND) <= 64
    assert sum(phase.waiting.values()) >= 900


def test_the_latencies_of_the_server_come_back() -> None:
    """A list of latencies becomes exactly the buckets of that list."""
    chance = Random(3)  # noqa: S311
    latencies = [round(10 ** chance.uniform(5, 8.5)) for _ in range(5000)]

    loop, _ = simulated(lambda n, _: latencies[n], seconds=None, requests=5000, connections=10)

    assert Counter(measured(loop).service()) == Counter(bucket(one, FINE) for one in latencies)


@pytest.mark.parametrize("rate", [None, 500.0])
def test_the_server_counts_the_same(rate: float | None) -> None:
    """Every request that the server got is in the account, and no other."""
    chance = Random(1)  # noqa: S311

    loop, server = simulated(
        lambda _n, _now: chance.randrange(1, 200) * MILLISECOND, rate=rate, connections=20, seconds=3
    )

    phase = measured(loop)
    assert server.received == phase.ok + sum(phase.in_flight.values())


def test_requests_in_flight_at_the_end_are_counted_with_what_they_had_waited() -> None:
    """A server that stops answering leaves one request per connection in flight, which took at least so long."""
    loop, _ = simulated(lambda _, now: None if now > 2 * SECOND else MILLISECOND, rate=100, connections=8, seconds=3)

    phase = measured(loop)

    assert phase.outcomes["in_flight"] == 8
    assert phase.outcomes["shed"] == pytest.approx(92, abs=2)
    assert above(phase.in_flight, 1900 * MILLISECOND) == 8
    assert above(phase.shed, 0) >= 91


def test_a_timeout_counts_at_least_as_its_time() -> None:
    """A request that never gets an answer is a timeout, and its connection is replaced."""
    loop, server = simulated(
        lambda n, _: None if n == 5 else MILLISECOND, rate=100, connections=4, seconds=3, timeout=0.5
    )

    phase = measured(loop)

    assert phase.outcomes == {"ok": 299, "failed": 0, "timed_out": 1, "shed": 0, "in_flight": 0}
    assert above(phase.timed_out, 499 * MILLISECOND) == 1
    assert phase.failures["timeout"].count == 1
    assert server.dialled == 5


def test_the_warm_up_is_apart() -> None:
    """Slow first answers are in the warm-up's account and not in the measured one."""
    loop, _ = simulated(
        lambda _, now: 50 * MILLISECOND if now < SECOND else MILLISECOND, rate=100, seconds=2, warmup=1.5
    )

    warmup, phase = loop.phases
    assert (warmup.scheduled, phase.scheduled) == (150, 200)
    assert above(warmup.response, 40 * MILLISECOND) >= 98
    assert above(measured(loop).response, 40 * MILLISECOND) == 0


def test_a_request_is_never_sent_before_it_is_due() -> None:
    """Each request reaches the server at its moment or later, for gaps of any length."""
    arrivals: list[int] = []
    due = Poisson(Curve([RateStage(SECOND, 300_000, 300_000)]), Random(7).random)  # noqa: S311
    schedule = [moment for n in range(1000) if (moment := due.due(n)) is not None]

    def arrive(_: int, now: int) -> int:
        arrivals.append(now)
        return 100_000

    loop, _ = simulated(
        arrive,
        pacer=Poisson(Curve([RateStage(SECOND, 300_000, 300_000)]), Random(7).random),  # noqa: S311
        seconds=1,
    )

    assert len(arrivals) == len(schedule)
    assert all(came >= loop.origin + moment for came, moment in zip(arrivals, schedule, strict=True))


def test_poisson_arrivals_wait_as_queueing_theory_says() -> None:
    """One server, 1 ms each, 80 % busy (M/D/1): the mean wait is rho / (2 (1 - rho)) services, here 2 ms."""
    rate = 800_000
    pacer = Poisson(Curve([RateStage(200 * SECOND, rate, rate)]), Random(5).random)  # noqa: S311

    loop, _ = simulated(lambda _n, _now: MILLISECOND, pacer=pacer, connections=1, seconds=200)

    waited = (mean(measured(loop).response, FINE) or 0) - MILLISECOND
    assert waited == pytest.approx(2 * MILLISECOND, rel=0.1)


def busy(simulation: Simulation, loop: Loop) -> None:
    """Something on the client's loop computes for 20 ms, ten times a second."""

    def compute(moment: int) -> None:
        simulation.block(20 * MILLISECOND)
        if not loop.is_over:
            simulation.at(moment + 100 * MILLISECOND, compute)

    simulation.at(simulation.now() + 7 * MILLISECOND, compute)


@pytest.mark.parametrize("rate", [None, 500.0])
def test_a_client_that_is_slowed_is_called_the_limit_with_its_share(rate: float | None) -> None:
    """20 ms in every 100 are the client's own: the p90 holds up to 10 ms of them, and is named."""
    loop, _ = simulated(lambda _n, _now: MILLISECOND, rate=rate, disturb=busy, seconds=5)
    found = judged(loop, rate)

    assert found.verdict is LoadVerdict.CLIENT_BOUND
    assert found.because.startswith("up to ")
    assert "p90 is the client's own" in found.because  # a fifth of the time is in the p90 and not in the median
    assert "idler machine" in found.advice
    assert mean(found.lag, FINE) == pytest.approx(2 * MILLISECOND, rel=0.15)
    assert max(middle(number, FINE) for number in found.lag) == pytest.approx(20 * MILLISECOND, rel=0.3)


@pytest.mark.parametrize(("rate", "verdict"), [(500.0, LoadVerdict.OK), (2000.0, LoadVerdict.CLIENT_BOUND)])
def test_one_pause_of_the_client_is_blamed_for_the_percentile_that_it_reaches(
    rate: float, verdict: LoadVerdict
) -> None:
    """60 ms of 10 s are in no p99, although they are a tenth of the mean; where a p99.9 is shown, it is theirs."""

    def pause(simulation: Simulation, _: Loop) -> None:
        simulation.at(5 * SECOND, lambda _: simulation.block(60 * MILLISECOND))

    loop, _ = simulated(lambda _n, _now: MILLISECOND, rate=rate, disturb=pause, seconds=10)
    found = judged(loop, rate)

    assert (mean(found.lag, FINE) or 0) > 0.1 * (mean(found.response, FINE) or 0)
    assert found.verdict is verdict
    assert ("p99.9" in found.because) is (verdict is LoadVerdict.CLIENT_BOUND)


def test_a_server_that_never_answers_is_not_called_a_short_test() -> None:
    """The verdict says that nothing was ok, and what became of the requests instead."""
    loop, _ = simulated(lambda _n, _now: None, rate=100, connections=8, seconds=3)

    found = judged(loop, 100)

    assert (found.verdict, found.because) == (LoadVerdict.NOTHING_OK, "no request was ok: 292 shed, 8 in flight")
    assert found.advice == "the server was too slow: a lower rate, more connections (-c), or a longer test"


def test_a_queue_does_not_hide_a_slow_client() -> None:
    """A client that is half of every service time is to blame for the queue, too, however long that has become."""
    loop, _ = simulated(lambda _n, _now: MILLISECOND, rate=3600, connections=4, disturb=busy, seconds=5)

    found = judged(loop, 3600)

    assert (mean(found.response, FINE) or 0) > 10 * (mean(found.lag, FINE) or 0)
    assert found.verdict is LoadVerdict.CLIENT_BOUND


def test_a_client_with_time_to_spare_is_not_blamed() -> None:
    """The same load without the disturbance is the server's."""
    loop, _ = simulated(lambda _n, _now: MILLISECOND, seconds=5)

    assert judged(loop).verdict is LoadVerdict.SERVER_BOUND


def test_a_rate_beyond_the_server_is_not_reached() -> None:
    """Eight connections of 100 ms manage 80/s, half of what was asked for."""
    loop, _ = simulated(lambda _n, _now: 100 * MILLISECOND, rate=160, connections=8, seconds=10)

    found = judged(loop, 160)

    assert found.verdict is LoadVerdict.RATE_NOT_REACHED
    assert found.because.startswith("of 1,600 scheduled requests 50.0 % were sent in time, 5.0 % in the grace")
    assert found.because.endswith(", 45.0 % never")
    assert found.total.scheduled - found.total.outcomes["shed"] == 880
    assert "-c" in found.advice


def test_shares_merge_into_the_whole() -> None:
    """Two processes' records merged are those of one that did all of it."""
    whole, _ = simulated(lambda n, _: (1 + n % 7) * MILLISECOND, seconds=None, requests=700, connections=1)
    one, _ = simulated(lambda n, _: (1 + n % 7) * MILLISECOND, seconds=None, requests=350, connections=1)
    other, _ = simulated(lambda n, _: (1 + n % 7) * MILLISECOND, seconds=None, requests=350, connections=1)

    records = [LoadRecord(phases=loop.phases, client=ClientCost()) for loop in (one, other)]
    merged = sum_up(merge_phases([record.phases for record in records]))

    assert merged.scheduled == 700
    assert Counter(merged.service()) == Counter(measured(whole).service())


def test_an_interrupted_test_adds_up() -> None:
    """Stopped half way, everything that came due until then is counted, and nothing after it."""

    def interrupt(simulation: Simulation, loop: Loop) -> None:
        simulation.at(simulation.now() + 5 * SECOND, lambda _: loop.stop())

    loop, server = simulated(lambda _n, _now: 300 * MILLISECOND, rate=100, connections=10, disturb=interrupt)

    phase = measured(loop)
    assert phase.scheduled == pytest.approx(500, abs=2)
    assert server.received == phase.ok == phase.scheduled - phase.outcomes["shed"]


def test_a_test_that_is_interrupted_while_it_warms_up_has_measured_nothing() -> None:
    """Not even a negative time."""

    def interrupt(simulation: Simulation, loop: Loop) -> None:
        simulation.at(simulation.now() + SECOND, lambda _: loop.stop())

    loop, _ = simulated(lambda _n, _now: MILLISECOND, rate=100, warmup=2, seconds=5, disturb=interrupt)

    phase = measured(loop)
    assert (phase.scheduled, phase.seconds, phase.rate) == (0, 0, 0)
    assert loop.phases[0].scheduled == pytest.approx(100, abs=2)


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    """The tables of a hundred thousand requests are no longer than those of ten thousand."""

    def size(requests: int) -> int:
        loop, _ = simulated(lambda n, _: 1000 + n % 5000 * 100, seconds=None, requests=requests, connections=8)
        phase = measured(loop)
        return len(phase.fresh.whole) + len(phase.reused.whole) + len(phase.response) + len(loop.heads)

    assert size(100_000) <= size(10_000) + 10


def test_a_request_that_is_due_at_the_end_belongs_to_the_last_phase() -> None:
    """Due moments are rounded up to whole nanoseconds, so that of the last request may be the end itself."""
    loop, server = simulated(lambda _n, _now: MILLISECOND, rate=300, seconds=4.176666667)

    phase = measured(loop)

    assert phase.scheduled == phase.ok == server.received == 1254
