"""The statistics behind a comparison."""

from random import Random
from statistics import fmean

import pytest

from crawler.load.compare.estimates import autocorrelation, merge_dependent, paired, trimmed_mean, unpaired


def test_the_trimmed_mean_ignores_a_fifth_at_either_end() -> None:
    """One value that is far off moves it no further than any other."""
    assert trimmed_mean([1, 2, 3, 4, 1000]) == trimmed_mean([1, 2, 3, 4, 5]) == 3


def test_values_that_depend_on_each_other_are_merged() -> None:
    """A slow wave has neighbours that are alike; what alternates has none."""
    wave = [number // 4 % 2 + 0.0 for number in range(48)]
    alternating = [number % 2 + 0.0 for number in range(48)]

    assert autocorrelation(wave) > 0.5
    assert len(merge_dependent(wave)) < 48
    assert merge_dependent(alternating) == alternating


def test_merging_stops_at_six_values() -> None:
    """A straight line depends on its neighbours for ever; the mean stays what it was."""
    line = [float(number) for number in range(32)]

    merged = merge_dependent(line)

    assert len(merged) == 8
    assert fmean(merged) == fmean(line)


def test_the_same_seed_gives_the_same_interval() -> None:
    """Chance comes in as a function, so a comparison can be repeated."""
    values = [Random(2).gauss(0, 1) for _ in range(15)]  # noqa: S311

    one, other = (paired(values, Random(7).random, draws=200) for _ in range(2))  # noqa: S311

    assert one == other


def test_more_metrics_make_wider_intervals() -> None:
    """Each of four has a fourth of the false alarms."""
    chance = Random(3)  # noqa: S311
    values = [chance.gauss(0, 1) for _ in range(15)]

    one, four = (paired(values, Random(7).random, metrics=count, draws=200) for count in (1, 4))  # noqa: S311

    assert four.high - four.low > 1.2 * (one.high - one.low)
    assert four.smallest > one.smallest > one.high - one.value


def test_an_interval_is_that_of_students_t() -> None:
    """Of values without outliers it is about that of the untrimmed mean: 2.14 standard errors for 15 values."""
    chance = Random(5)  # noqa: S311
    widths, plain = [], []
    for seed in range(200):
        values = [chance.gauss(0, 1) for _ in range(15)]
        found = paired(values, Random(seed).random, draws=100)  # noqa: S311
        widths.append((found.high - found.low) / 2)
        plain.append(2.145 * (sum((value - fmean(values)) ** 2 for value in values) / 14 / 15) ** 0.5)

    assert fmean(widths) / fmean(plain) == pytest.approx(1.25, abs=0.15)


def test_two_runs_without_scatter_differ_by_what_they_differ() -> None:
    """Constant values have an interval of no width."""
    found = unpaired([1.0] * 10, [3.0] * 12, Random(1).random, draws=50)  # noqa: S311

    assert (found.value, found.low, found.high, found.blocks) == (2, 2, 2, 10)
