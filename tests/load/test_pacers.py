"""load.pacers: when each request is due."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.protocols import Pacer
from crawler.load.nanoseconds import SECOND
from crawler.load.pacers import UNIT, Curve, First, Poisson, RateStage, Regular, Share

RATES = st.integers(1, 200_000_000)  # thousandths per second
STAGES = st.lists(
    st.builds(RateStage, st.integers(1, 100 * SECOND), st.integers(0, 10**8), st.integers(0, 10**8)),
    min_size=1,
    max_size=5,
)


def constant(rate: float, seconds: float | None = None) -> Curve:
    """One rate all the time."""
    length = None if seconds is None else round(seconds * SECOND)
    return Curve([RateStage(length, round(rate * 1000), round(rate * 1000))])


def schedule(pacer: Pacer, most: int = 100_000) -> list[int]:
    """All due moments."""
    moments: list[int] = []
    while len(moments) < most and (due := pacer.due(len(moments))) is not None:
        moments.append(due)
    return moments


def test_a_constant_rate_is_even_and_exact() -> None:
    """A thousand per second are 1,000,000 ns apart, without drift."""
    moments = schedule(Regular(constant(1000, 10)))

    assert moments == [n * 1_000_000 for n in range(10_000)]


@given(RATES, st.integers(0, 10**9))
def test_no_rate_drifts(rate: int, n: int) -> None:
    """Request n is due n / rate after the start, to the nanosecond, however large n is."""
    due = Regular(Curve([RateStage(None, rate, rate)])).due(n)

    assert due == -(-n * UNIT // rate)


def test_a_rate_below_one_per_second_works() -> None:
    """Ten seconds at 0.25/s are three requests."""
    assert schedule(Regular(constant(0.25, 10))) == [0, 4 * SECOND, 8 * SECOND]


def test_a_ramp_sends_its_area() -> None:
    """From 0 to 100/s in 10 s: 500 requests, the half of them after seven tenths of the time."""
    moments = schedule(Regular(Curve([RateStage(10 * SECOND, 0, 100_000)])))

    assert len(moments) == 500
    assert moments[250] == pytest.approx(10 * SECOND / 2**0.5, rel=1e-6)


def test_stages_join_without_a_gap() -> None:
    """Up, along and down: 500, 2,000 and 500 requests, each stage's in its own time; nothing at rate 0."""
    curve = Curve(
        [
            RateStage(10 * SECOND, 0, 100_000),
            RateStage(20 * SECOND, 100_000, 100_000),
            RateStage(10 * SECOND, 100_000, 0),
            RateStage(5 * SECOND, 0, 0),
        ]
    )
    moments = schedule(Regular(curve))

    assert [sum(a <= m < b for m in moments) for a, b in pairwise([0, 10**10, 3 * 10**10, 4 * 10**10, 10**11])] == [
        500,
        2000,
        500,
        0,
    ]
    assert curve.length == 45 * SECOND


@given(STAGES, st.integers(0, 10**6))
def test_moments_never_go_back_and_stay_within_the_schedule(stages: list[RateStage], n: int) -> None:
    """Later requests are due later, and none after the end."""
    curve = Curve(stages)
    one, other = Regular(curve).due(n), Regular(curve).due(n + 1)

    assert other is None or (one is not None and one <= other)
    assert one is None or 0 <= one <= (curve.length or 0)


def test_poisson_gaps_are_exponential() -> None:
    """Their mean is 1 / rate, their deviation the same, and as many are shorter than the mean as should be."""
    moments = schedule(Poisson(constant(1000), Random(7).random), 50_000)  # noqa: S311

    gaps = [later - earlier for earlier, later in pairwise(moments)]
    average = sum(gaps) / len(gaps)
    assert average == pytest.approx(1_000_000, rel=0.02)
    assert (sum((gap - average) ** 2 for gap in gaps) / len(gaps)) ** 0.5 == pytest.approx(1_000_000, rel=0.03)
    assert sum(gap < 1_000_000 for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.01)


def test_a_seed_is_a_schedule() -> None:
    """The same seed gives the same moments, another one others."""
    one, same, other = (schedule(Poisson(constant(100), Random(seed).random), 50) for seed in (7, 7, 8))  # noqa: S311

    assert one == same != other


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_the_whole_schedule(count: int) -> None:
    """The processes that share a schedule send exactly it together, in any number."""

    def whole() -> Pacer:
        return First(Poisson(constant(1000), Random(3).random), 1000)  # noqa: S311

    shares = [moment for index in range(count) for moment in schedule(Share(whole(), index, count))]

    assert sorted(shares) == schedule(whole())
