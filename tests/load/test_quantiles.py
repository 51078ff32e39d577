"""load.quantiles: percentiles that a sample can carry."""

from collections import Counter
from random import Random

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.quantiles import needed, quantile


def table(values: list[int]) -> Counter[int]:
    """Their fine bucket table."""
    return Counter(bucket(value, FINE) for value in values)


@pytest.mark.parametrize(
    ("share", "count"), [(0.5, 20), (0.9, 100), (0.99, 1000), (0.999, 10_000), (0.9999, 100_000), (0.99999, 1_000_000)]
)
def test_a_percentile_needs_ten_values_beyond_it(share: float, count: int) -> None:
    """One value fewer, and it is not given."""
    assert needed(share) == count
    assert quantile({5: count}, share) is not None
    assert quantile({5: count - 1}, share) is None


def test_the_interval_holds_the_true_value_as_often_as_it_says() -> None:
    """In 95 of 100 samples, about, the interval of the p90 holds the true one."""
    chance, true, hits = Random(11), 900_000, 0  # noqa: S311

    for _ in range(400):
        found = quantile(table([chance.randrange(1_000_000) for _ in range(500)]), 0.9)
        assert found is not None
        hits += found.low * 0.999 <= true <= found.high * 1.001

    assert 0.92 <= hits / 400 <= 0.99


def test_an_interval_shrinks_with_the_sample() -> None:
    """A hundred times the values, a tenth of the width."""
    few, many = (quantile(table([n * 1000 for n in range(1, count)]), 0.5) for count in (1000, 100_000))

    assert few is not None
    assert many is not None
    assert (few.high - few.low) / few.value > 5 * (many.high - many.low) / many.value


def test_a_request_without_an_answer_counts_at_what_is_known_of_it() -> None:
    """Bounds below a percentile make it a lower bound itself; bounds above leave it exact."""
    known = table([1_000_000] * 990)

    below, above = quantile(known, 0.99, table([500_000] * 100)), quantile(known, 0.9, table([9_000_000] * 100))

    assert below is not None
    assert below.at_least
    assert above is not None
    assert not above.at_least


def test_unanswered_requests_shift_the_percentiles() -> None:
    """A tenth of all waiting for a second makes that second the p99."""
    found = quantile(table([1_000_000] * 900), 0.99, table([1_000_000_000] * 100))

    assert found is not None
    assert found.value == pytest.approx(1_000_000_000, rel=0.001)
