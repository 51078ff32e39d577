"""core.histogram: latencies as bucket counts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.histogram import bucket, middle, percentile

VALUES = st.integers(0, 10**13) | st.integers(0, 300)  # nanoseconds, up to hours
SAMPLES = st.lists(VALUES, min_size=1, max_size=200)


def counted(values: list[int]) -> Counter[int]:
    """The bucket table of these values."""
    return Counter(map(bucket, values))


@given(VALUES)
def test_a_bucket_knows_its_values_within_one_percent(value: int) -> None:
    """The middle of a value's bucket is within half a percent of it, and small values are exact."""
    shown = middle(bucket(value))

    assert abs(shown - value) <= value / 200
    assert value > 255 or shown == value


@given(VALUES, VALUES)
def test_buckets_keep_the_order(one: int, other: int) -> None:
    """A larger value is never in a lower bucket, and a higher bucket never has a lower middle."""
    low, high = sorted((one, other))

    assert bucket(low) <= bucket(high)
    assert middle(bucket(low)) <= middle(bucket(high))


def test_buckets_have_no_gaps() -> None:
    """Every bucket number up to the last belongs to some value."""
    edges = sorted({bucket(n << shift) for shift in range(40) for n in range(256)})

    assert edges == list(range(len(edges)))


@given(SAMPLES, st.sampled_from([0, 1, 25, 50, 75, 90, 99, 100]))
def test_percentiles_are_those_of_the_sorted_list(values: list[int], share: int) -> None:
    """A percentile differs from the exact one by less than 1 %."""
    exact = sorted(values)[max(0, -(-share * len(values) // 100) - 1)]

    found = percentile(counted(values), share / 100)

    assert found is not None
    assert abs(found - exact) <= exact / 100


@pytest.mark.parametrize("share", [50, 90, 99])
def test_a_percentile_counts_exactly(share: int) -> None:
    """No number of values makes floating point move the rank by one."""
    for total in range(1, 2000):
        rank = -(-share * total // 100)  # in whole numbers
        counts = {1: rank, 2: total - rank}

        assert percentile(counts, share / 100) == 1, total
        assert percentile({1: rank - 1, 2: total - rank + 1}, share / 100) == 2, total


def test_nothing_recorded_has_no_percentile() -> None:
    """An empty table has no percentile rather than a zero."""
    assert percentile({}, 0.5) is None
    assert percentile({5: 0}, 0.5) is None


@given(SAMPLES, SAMPLES, SAMPLES)
def test_merging_is_adding_in_any_order(one: list[int], two: list[int], three: list[int]) -> None:
    """Tables merged in any grouping and order are the table of all values."""
    whole = counted(one + two + three)

    assert (counted(one) + counted(two)) + counted(three) == whole
    assert counted(three) + (counted(two) + counted(one)) == whole


def test_a_table_stays_small() -> None:
    """From a nanosecond to an hour there are fewer than 5000 buckets."""
    assert bucket(3600 * 10**9) < 5000
