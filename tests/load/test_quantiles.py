"""load.quantiles: percentiles that a sample can carry."""

from collections import Counter
from random import Random

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.quantiles import needed, quantile, share_of


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


def test_the_extremes_need_one_value_and_have_no_interval() -> None:
    """The p100 is the maximum, and the p0 the minimum, of whatever there is."""
    lowest, highest = (quantile(table([1000, 2000, 3000]), share) for share in (0.0, 1.0))

    assert lowest is not None
    assert highest is not None
    assert (lowest.value, lowest.low, lowest.high) == pytest.approx((1000, 1000, 1000), rel=0.001)
    assert (highest.value, highest.low, highest.high) == pytest.approx((3000, 3000, 3000), rel=0.001)
    assert quantile({}, 1.0) is None


def test_a_percentile_that_is_a_bound_is_a_lower_bound() -> None:
    """Nine answers of a second and one request that was given up after the same second, or after two."""
    for bound in (1_000_000, 2_000_000):
        found = quantile(table([1_000_000] * 9), 1.0, table([bound]))

        assert found is not None
        assert found.at_least


def test_a_few_short_bounds_do_not_hide_what_is_known() -> None:
    """One request that was in flight at the end cannot move a p50 or a p99 of ten thousand, but the maximum."""
    known = table([1_000_000 + 100 * n for n in range(10_000)])
    in_flight = table([1000])

    middling, far, longest = (quantile(known, share, in_flight) for share in (0.5, 0.99, 1.0))

    assert middling is not None
    assert far is not None
    assert longest is not None
    assert (middling.at_least, far.at_least, longest.at_least) == (False, False, True)


def test_bounds_that_can_move_a_percentile_are_told() -> None:
    """A twentieth of all may have taken any time: the p90 would be the p95 of the others, and the p99 unknown."""
    known = table([1_000_000 + 1000 * n for n in range(1900)])

    found = [quantile(known, share, table([1000] * 100)) for share in (0.5, 0.9, 0.99)]

    assert [one is not None and one.at_least for one in found] == [True, True, True]
    assert [one is not None and one.at_least for one in (quantile(table([5] * 1900), 0.9, table([1] * 100)),)] == [
        False
    ]


def test_what_is_not_called_a_lower_bound_is_known() -> None:
    """The percentile is the one that is given, for all times that the requests without an answer may have taken."""
    chance = Random(17)  # noqa: S311
    told = 0

    for _ in range(300):
        known = [round(10 ** chance.uniform(6, 8)) for _ in range(chance.randrange(100, 400))]
        bounds = [round(10 ** chance.uniform(5, 8)) for _ in range(chance.randrange(1, 6))]
        share = chance.choice([0.5, 0.8, 0.9])
        found = quantile(table(known), share, table(bounds))
        true = quantile(table(known + [bound * chance.randrange(1, 100) for bound in bounds]), share)
        if found is not None and not found.at_least:
            assert true is not None
            assert found.value <= true.value <= 1.003 * found.value
            told += 1

    assert told > 20


def test_far_percentiles_are_a_matter_of_the_sample() -> None:
    """On both sides; none divides by zero."""
    assert needed(0.01) == 1000
    assert needed(0.999999999999) == 10_000_000_000


@pytest.mark.parametrize(("percent", "share"), [(99, 0.99), (99.9, 0.999), (0, 0.0), (100, 1.0), (1, 0.01)])
def test_a_percentile_is_a_number_from_0_to_100(percent: float, share: float) -> None:
    """The number that stands behind the letter p."""
    assert share_of(percent) == pytest.approx(share)


@pytest.mark.parametrize(
    ("percent", "said"),
    [
        (0.99, "0.99 is a share: write 99"),
        (0.999, "write 99.9"),
        (-1, "from 1 to 100"),
        (100.1, "from 1 to 100"),
        (float("nan"), "from 1 to 100"),
        (float("inf"), "from 1 to 100"),
        ("99", "a number such as 99"),
        (None, "a number such as 99"),
        (True, "a number such as 99"),
    ],
)
def test_what_is_no_percentile_is_refused(percent: object, said: str) -> None:
    """Never another one in its place."""
    with pytest.raises(ValueError, match=said):
        share_of(percent)
