"""core.metrics: sums as committed, and how they have moved lately."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.handover import Committed, Group, Totals
from crawler.core.metrics import Metrics


def commit(metrics: Metrics, done: int, *, failed: int = 0, size: int = 0) -> None:
    """Let a group be committed that leads to these totals."""
    metrics.committed(Committed(group=Group(), totals=Totals(done=done, failed=failed, bytes=size)))


def test_the_account_is_that_of_the_last_commit() -> None:
    """What is shown is what the last commit said."""
    metrics = Metrics()

    commit(metrics, 2, failed=1)
    commit(metrics, 5, failed=1)

    assert (metrics.totals.done, metrics.totals.failed) == (5, 1)


def test_a_rate_is_taken_over_the_last_seconds() -> None:
    """Pages are done and failed ones; what happened longer ago than the window no longer counts."""
    metrics = Metrics()
    metrics.rates(0.0)
    commit(metrics, 90, failed=10, size=1000)

    assert metrics.rates(2.0) == (50.0, 500.0)

    for second in range(3, 9):
        metrics.rates(float(second))
    assert metrics.rates(9.0) == (0.0, 0.0)


def test_the_first_look_has_no_rate() -> None:
    """Without time between two looks there is no speed to tell."""
    metrics = Metrics()
    commit(metrics, 5)

    assert metrics.rates(1.0) == (0.0, 0.0)
    assert metrics.rates(1.0) == (0.0, 0.0)


def test_what_an_earlier_life_did_is_no_speed_of_this_one() -> None:
    """A resumed run that was looked at before it was opened does not show its whole past as a rate."""
    metrics = Metrics()
    metrics.rates(0.0)

    metrics.begin(Totals(done=1_000_000, bytes=10**9), 0.5)

    assert metrics.totals.done == 1_000_000
    assert metrics.rates(1.0) == (0.0, 0.0)
    assert metrics.rates(2.0) == (0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 100)), max_size=40))
def test_a_rate_is_never_negative_nor_above_the_fastest_moment(moves: list[tuple[float, int]]) -> None:
    """However the looks are spaced, the rate lies between nothing and the fastest stretch."""
    metrics, now, done, fastest = Metrics(), 0.0, 0, 0.0
    metrics.rates(now)
    for seconds, pages in moves:
        now, done, fastest = now + seconds, done + pages, max(fastest, pages / seconds)
        commit(metrics, done)

        rate, _ = metrics.rates(now)

        assert 0 <= rate <= fastest * (1 + 1e-9)


def test_the_history_stays_short() -> None:
    """However long a run goes on, only the window's looks are kept."""
    metrics = Metrics()
    for look in range(1000):
        metrics.rates(look / 4)

    assert len(metrics._history) == pytest.approx(21, abs=2)
