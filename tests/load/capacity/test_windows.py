"""The finding of one window of a capacity search."""

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.capacity.windows import Outcome, observe
from crawler.load.counts import Table, note
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadVerdict
from crawler.load.thresholds import parse_threshold
from support.load_results import load_result

SLO = (parse_threshold("p99<50ms"), parse_threshold("errors<1%"))


def phase(milliseconds: float = 10, *, answers: int = 2000, scheduled: int = 2000, measured: bool = True) -> Phase:
    """A phase of ten seconds with so many answers, all of the same time."""
    found = Phase(name="p", measured=measured, end=10 * SECOND, scheduled=scheduled, sent=scheduled, answered=answers)
    for _ in range(answers):
        note(found.reused.whole, round(milliseconds * MILLISECOND))
        note(found.response, round(milliseconds * MILLISECOND))
        note(found.pacing, 0)
    note(found.in_flight, SECOND)
    found.in_flight = Table(int, {number: scheduled - answers for number in found.in_flight if scheduled > answers})
    return found


def test_a_window_that_keeps_the_level_holds() -> None:
    """Its figures are given, each limit's excess below 0."""
    seen = observe(load_result([phase()], rate=200), SLO)

    assert seen.outcome is Outcome.HELD
    assert seen.because.endswith(" ms; 0 %")
    assert [round(excess, 6) for excess in seen.excess] == [-0.01, -0.01]


def test_a_window_that_is_too_slow_misses() -> None:
    """All answers are above the limit: 99 % more than may be."""
    seen = observe(load_result([phase(60)], rate=200), SLO)

    assert seen.outcome is Outcome.MISSED
    assert seen.because.startswith("p99<50ms: 60.")
    assert round(seen.excess[0], 6) == 0.99


def test_a_late_client_does_not_spoil_a_window_that_holds() -> None:
    """Lateness only lengthens times, so the level is kept a fortiori."""
    late = {bucket(20 * MILLISECOND, FINE): 2000}

    held = observe(load_result([phase(10)], late, rate=200), SLO)
    missed = observe(load_result([phase(60)], late, rate=200), SLO)
    slow = observe(load_result([phase(200)], late, rate=200), SLO)

    assert (held.outcome, held.verdict) == (Outcome.HELD, LoadVerdict.CLIENT_BOUND)
    assert missed.outcome is Outcome.CLIENT
    assert "is the client's own" in missed.because
    assert slow.outcome is Outcome.MISSED  # 20 ms of 200 explain nothing


def test_a_backlog_that_grows_is_a_miss() -> None:
    """A tenth of what was due is still under way, and nothing was before."""
    warmup = phase(answers=200, scheduled=200, measured=False)

    seen = observe(load_result([warmup, phase(answers=1800)], rate=200), (parse_threshold("p50<50ms"),))

    assert (seen.outcome, seen.is_behind) == (Outcome.MISSED, True)
    assert "the backlog grew by 200 requests" in seen.because


def test_a_backlog_that_stays_is_none() -> None:
    """The same number was under way at the begin of the window."""
    warmup = phase(answers=0, scheduled=200, measured=False)

    seen = observe(load_result([warmup, phase(answers=1800)], rate=200), (parse_threshold("p50<50ms"),))

    assert (seen.outcome, seen.is_behind) == (Outcome.HELD, False)


def test_a_window_without_a_figure_misses_clearly() -> None:
    """Nothing answered: the excess is infinite, so no mean can hide it."""
    seen = observe(load_result([phase(answers=0)], rate=200), (*SLO, parse_threshold("mean<5ms")))

    assert seen.outcome is Outcome.MISSED
    assert seen.excess[2] == float("inf")


def test_a_limit_of_a_status_is_judged_by_its_share() -> None:
    """Any share of the requests can be limited, not errors alone."""
    failing = phase(answers=1900)
    for _ in range(100):
        failing.fail("status_503", Example(at=1, took=7, port=None, detail="503"))

    seen = observe(load_result([failing], rate=200), (parse_threshold("status_503<1%"), parse_threshold("timeout<1%")))

    assert seen.outcome is Outcome.MISSED
    assert [round(excess, 6) for excess in seen.excess] == [0.04, -0.01]


@pytest.mark.parametrize(
    ("failed", "answers", "slo", "is_failing"),
    [
        (40, 0, "errors<1%", True),
        (3, 37, "errors<1%", True),
        (2, 38, "errors<1%", False),  # as one server in fifteen would, whose share is 1 %
        (3, 37, "errors<5%", False),
        (0, 40, "errors<1%", False),
    ],
)
def test_failures_beyond_chance_and_the_level_are_the_servers_state(
    failed: int, answers: int, slo: str, is_failing: bool
) -> None:
    """The lower 99 % limit of their share decides; the next step names the option of a search."""
    found = phase(answers=answers, scheduled=40)
    for _ in range(failed):
        found.fail("status_503", Example(at=1, took=7, port=None, detail="503"))
    found.in_flight.clear()

    seen = observe(load_result([found], rate=10), (parse_threshold(slo),))

    assert seen.is_failing is is_failing
    assert "--threshold" not in seen.advice


def test_requests_under_way_at_the_end_have_not_failed() -> None:
    """A server slower than the wait for it is slow, and not broken."""
    seen = observe(load_result([phase(answers=0, scheduled=40)], rate=10), SLO)

    assert (seen.verdict, seen.is_failing) == (LoadVerdict.NOTHING_OK, False)


def bursting(failed: int, late: int, milliseconds: float = 20) -> Phase:
    """2,000 requests, of which so many fail, and so many are sent so late."""
    found = phase(answers=2000 - failed)
    for _ in range(failed):
        found.fail("status_503", Example(at=1, took=7, port=None, detail="503"))
    found.answered = 2000
    found.pacing.clear()
    found.pacing |= {bucket(1000, FINE): 2000 - late, bucket(round(milliseconds * MILLISECOND), FINE): late}
    return found


def test_failures_of_a_catch_up_burst_are_the_clients() -> None:
    """60 requests came 20 ms late, at a gap of 5 ms: as many may have been refused since they came at once."""
    seen = observe(load_result([bursting(60, 60)], rate=200), SLO)

    assert seen.outcome is Outcome.CLIENT
    assert seen.because.startswith("the client sent 3.0 % of the requests later than the gap between two (20")
    assert "errors<1%: 3 %" in seen.because


@pytest.mark.parametrize(
    ("failed", "late", "milliseconds", "arrivals"),
    [(400, 60, 20, "regular"), (60, 60, 4, "regular"), (60, 10, 20, "regular"), (60, 60, 20, "poisson")],
)
def test_failures_that_no_burst_explains_are_the_servers(
    failed: int, late: int, milliseconds: float, arrivals: str
) -> None:
    """More than were late, late by less than a gap, late in few cases, or arrivals that come in bursts as told."""
    seen = observe(load_result([bursting(failed, late, milliseconds)], rate=200, arrivals=arrivals), SLO)

    assert seen.outcome is Outcome.MISSED
