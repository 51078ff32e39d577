"""core.retry: when a failed request may be tried again."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.retry import MAX_RETRY_AFTER, backoff, delay, retry_after

NOW = 1_800_000_000.0


def test_backoff_doubles_up_to_its_cap() -> None:
    """With the largest jitter the waits are 1, 2, 4, ... and never more than the cap."""
    waits = [backoff(attempt, 1.0) for attempt in range(8)]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@given(attempt=st.integers(0, 10**9), jitter=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_bounds(attempt: int, jitter: float) -> None:
    """No number of attempts makes a wait negative, infinite or longer than the cap."""
    assert 0 <= backoff(attempt, jitter) <= 60


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("99999", MAX_RETRY_AFTER),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        (formatdate(NOW + 10**7, usegmt=True), MAX_RETRY_AFTER),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
    ],
)
def test_retry_after_takes_seconds_and_dates(value: str, seconds: float) -> None:
    """Both forms give seconds from now, never negative and at most an hour."""
    assert retry_after(value, NOW) == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "soon", "-5", "+5", "1.5", "0x10", "9e99", "١٢", "9" * 5000),
        *("Sun, 06 Nov 99999 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT", "," * 30),
    ],
)
def test_retry_after_ignores_what_it_cannot_read(value: str | None) -> None:
    """A value outside the grammar says nothing, however long or large it is."""
    assert retry_after(value, NOW) is None


@given(st.text(max_size=60))
def test_retry_after_never_raises(value: str) -> None:
    """Any text gives None or seconds within an hour."""
    seconds = retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


def test_the_longer_wish_wins() -> None:
    """The server's wish lengthens the back-off and never shortens it."""
    assert delay(3, 0.5, 30) == 30
    assert delay(3, 0.5, 1) == 4
    assert delay(3, 0.5) == 4
