"""core.recent_rate: a rate over the last few seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.recent_rate import RecentRate


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
    """However the readings are spaced, the rate lies between nothing and the fastest stretch."""
    rate, now, count, fastest = RecentRate(), 0.0, 0, 0.0
    rate.at(now, count)
    for seconds, more in moves:
        now, count, fastest = now + seconds, count + more, max(fastest, more / seconds)

        assert 0 <= rate.at(now, count) <= fastest * (1 + 1e-9)


def test_the_readings_stay_few() -> None:
    """However long a run goes on, only the window's readings are kept."""
    rate = RecentRate()
    for look in range(1000):
        rate.at(look / 4, look)

    assert len(rate._readings) == pytest.approx(21, abs=2)
