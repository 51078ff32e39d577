"""load.page.scales: places between 0 and 1, and ticks at numbers that people count in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.load.page.scales import (
    between,
    clock,
    linear,
    logarithmic,
    number,
    round_number,
    round_time,
    share,
    span,
    time,
    times,
)

VALUES = st.floats(1e-6, 1e12)


@given(VALUES, st.integers(2, 8))
def test_a_linear_scale_begins_at_nothing_and_ends_at_a_tick(most: float, ticks: int) -> None:
    """The largest value is inside and takes at least half of the height."""
    scale = linear(most, round_number, ticks)

    places = [tick.at for tick in scale.ticks]
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0, 1)
    assert len(places) <= ticks + 2
    assert 0.3 < most / scale.high <= 1.0001


@given(VALUES, VALUES, st.integers(3, 8))
def test_a_logarithmic_scale_holds_its_values_and_has_two_ticks(one: float, other: float, ticks: int) -> None:
    """The values may be near or far apart."""
    low, high = sorted((one, other))

    scale = logarithmic(low, high, round_time, ticks)

    assert scale.low <= low * 1.0001
    assert scale.high >= high * 0.9999
    assert scale.high / scale.low >= 4.99
    assert 2 <= len(scale.ticks) <= ticks
    assert all(-1e-9 <= tick.at <= 1 + 1e-9 for tick in scale.ticks)


@given(st.floats(0.01, 1e7))
def test_a_clock_has_a_few_ticks_and_half_of_them_where_room_is_short(end: float) -> None:
    """From the start of the test on, at most eleven, and at most six on a narrow page."""
    ticks = clock(end).ticks

    assert ticks[0].text == "0"
    assert 1 <= len(ticks) <= 11
    assert sum(not tick.is_minor for tick in ticks) <= 6
    assert len({tick.text for tick in ticks}) == len(ticks)


@given(VALUES, VALUES)
def test_a_scale_between_two_values_holds_both(one: float, other: float) -> None:
    """It need not begin at 0."""
    low, high = sorted((one, other))

    scale = between(low, high, round_number)

    assert scale.low <= low * 1.0001
    assert scale.high >= high * 0.9999
    assert len(scale.ticks) >= 2


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        *((None, "\u2013"), (420, "420 ns"), (850_000, "850 µs"), (1_234_000, "1.23 ms"), (12_340_000, "12.3 ms")),
        *((999_900_000, "1.00 s"), (123_456_000_000, "123 s")),
    ],
)
def test_a_time_has_three_digits_in_the_unit_that_fits(nanoseconds: int | None, text: str) -> None:
    """Nanoseconds to seconds; a dash where it is not known."""
    assert time(nanoseconds) == text


def test_words_of_figures() -> None:
    """Numbers, shares and stretches as the page writes them."""
    assert [number(value) for value in (0, 0.25, 12.34, 99.9, 1234567)] == ["0", "0.25", "12.3", "100", "1,234,567"]
    assert [share(value) for value in (0, 1e-6, 0.0012, 0.5, 0.99999, 1)] == [
        *("0 %", "< 0.01 %", "0.12 %", "50.0 %", "99.9 %", "100 %"),
    ]
    assert (times(91.8e6, 144e6), times(900e3, 1.2e6)) == ("91.8 to 144 ms", "900 µs to 1.20 ms")
    assert (span(3, 4), span(3600, 3636)) == ("3\u20134 s", "1:00:00\u20131:00:36")
