"""The evidence of windows: answers that depend on each other, and the most that a share may be."""

import pytest

from crawler.core.histogram import bucket
from crawler.load.capacity.evidence import batches_of, most_share, worth
from crawler.load.counts import Table
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import MILLISECOND


def second(*milliseconds: float, measured: bool = True) -> Interval:
    """A second with 50 answers of each of these times."""
    return Interval(
        begin=0, measured=measured, times=Table(int, {bucket(round(one * MILLISECOND)): 50 for one in milliseconds})
    )


def test_answers_that_are_alike_in_every_second_are_worth_their_number() -> None:
    """Each second has the same mix, so nothing depends on the moment."""
    assert worth(batches_of([second(1, 2, 4)] * 8)) == 8 * 150


def test_a_burst_is_worth_a_few_answers() -> None:
    """All answers of one second are slow: each second counts as about one answer."""
    found = worth(batches_of([*[second(1)] * 7, second(30)]))

    assert found == pytest.approx(7)


def test_a_warm_up_and_an_empty_second_are_no_batch() -> None:
    """One batch alone tells nothing of the dependence."""
    assert worth(batches_of([second(9, measured=False), Interval(begin=0), second(1)])) == 0


def test_long_windows_have_ten_batches() -> None:
    """Their seconds are merged, without loss."""
    batches = batches_of([second(1)] * 25)

    assert [batch.answers for batch in batches] == [150] * 8 + [50]


@pytest.mark.parametrize(("seen", "most"), [(0, 4.6), (1, 6.6), (10, 20.1)])
def test_the_most_is_the_upper_limit_of_a_poisson_count(seen: int, most: float) -> None:
    """99 %, on one side, as tables of the distribution have it."""
    assert most_share(seen / 1000, 1000) * 1000 == pytest.approx(most, abs=0.12)


def test_no_answers_allow_any_share() -> None:
    """Nothing is proved by nothing."""
    assert most_share(0.0, 0.0) == 1
