"""core.metrics: a rate over the last seconds, and sums as committed with theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.leases_and_commits import Committed, Group, Totals
from crawler.core.metrics import Metrics, RecentRate


def commit(metrics: Metrics, done: int, *, failed: int = 0, size: int = 0) -> None:
    """Let a group be committed that leads to these totals."""
    metrics.committed(Committed(group=Group(), totals=Totals(done=done, failed=failed, bytes=size)))


def test_the_account_is_that_of_the_last_commit() -> None:
    """The account shows the figures of the last commit."""
    metrics = Metrics()

    commit(metrics, 2, failed=1)
    commit(metrics, 5, failed=1)

    assert (metrics.totals.done, metrics.totals.failed) == (5, 1)


def test_rates_are_those_of_pages_and_bytes() -> None:
    """Pages are done and failed ones."""
    metrics = Metrics()
    metrics.rates(0.0)

    commit(metrics, 90, failed=10, size=1000)

    assert metrics.rates(2.0) == (50.0, 500.0)


def test_what_an_earlier_life_did_is_no_speed_of_this_one() -> None:
    """A resumed run that was looked at before it was opened does not show its whole past as a rate."""
    metrics = Metrics()
    metrics.rates(0.0)

    metrics.begin(Totals(done=1_000_000, bytes=10**9), 0.5)

    assert metrics.totals.done == 1_000_000
    assert metrics.rates(1.0) == (0.0, 0.0)
    assert metrics.rates(2.0) == (0.0, 0.0)


def test_a_rate_is_taken_over_the_last_seconds() -> None:
    """A reading that is older than the window no longer counts."""
    rate = RecentRate()

    shown = [rate.at(float(second), 100 if second >= 2 else 0) for second in range(9)]

    assert shown == [0, 0, 50, 100 / 3, 25, 20, 20, 0, 0]


def test_the_first_reading_has_no_rate() -> None:
    """Without time between two readings there is no speed to tell."""
    rate = RecentRate()

    assert rate.at(1.0, 5) == 0
    assert rate.at(1.0, 9) == 0


def test_two_readings_are_enough_however_far_apart() -> None:
    """A display that looks every minute shows the rate of that minute."""
    rate = RecentRate()

    assert [rate.at(60.0 * minute, 120 * minute) for minute in range(4)] == [0, 2, 2, 2]


@given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 100)), max_size=40))
def test_a_rate_is_never_negative_nor_above_the_fastest_moment(moves: list[tuple[float, int]]) -> None:
    """The rate lies between nothing and the fastest stretch, for readings at any distance."""
    rate, now, count, fastest = RecentRate(), 0.0, 0, 0.0
    rate.at(now, count)
    for seconds, more in moves:
        now, count, fastest = now + seconds, count + more, max(fastest, more / seconds)

        assert 0 <= rate.at(now, count) <= fastest * (1 + 1e-9)


def test_the_readings_stay_few() -> None:
    """Only the window's readings are kept, for a run of any length."""
    rate = RecentRate()
    for look in range(1000):
        rate.at(look / 4, look)

    assert len(rate._readings) == pytest.approx(21, abs=2)
