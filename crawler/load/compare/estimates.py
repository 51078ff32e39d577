"""The statistics of a comparison: from the values of blocks to an interval of the ratio.

Rules
- The unit is the block, a few seconds of load. Requests within it depend on each other, so they are no sample.
- Ratios are differences of logarithms. Where blocks of A and B alternate, each pair of neighbours gives one difference:
  what drifts in both cancels out. Two runs at different times have no pairs, and their variances add.
- Neighbours may depend on each other. While their lag-1 autocorrelation is 0.2 or more, two blocks become one; what
  remains widens the interval by sqrt((1 + r) / (1 - r)).
- The estimate is the mean without the fifth of the values at either end: one disturbed block moves it little. Its
  standard error is the deviation of 10,000 bootstrap draws; the interval takes Student's t.
  Plain bootstrap percentiles of 15 blocks are too narrow: they would raise false alarms in 8 of 100 comparisons.
- All metrics of a comparison are judged together, so each gets its part of the 5 % (Bonferroni): the intervals hold
  together with 95 %.
- The smallest change that would have been seen in 95 of 100 such comparisons is the half width of the interval plus
  t (95 %) standard errors.
Runs on: anywhere (pure): chance comes in as a function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, fmean, pstdev

DRAWS = 10_000
ALARMS = 0.05  # false ones, over all metrics
_FOUND = 0.95
_TRIM = 0.2
_CORRELATED = 0.2
_LEAST = 6  # blocks after merging
_MOST = 0.8  # autocorrelation that the widening believes

Chance = Callable[[], float]
"""A number from 0 to below 1, such as `random.Random(seed).random`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A difference B - A (of logarithms, or of shares), its interval, and the smallest that would have been seen.

    Attributes:
        blocks: values that the estimate rests on, after merging; of two runs, of the shorter one.
        correlation: of neighbours, after merging.
    """

    value: float
    low: float
    high: float
    smallest: float
    blocks: int
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    value: float
    error: float
    freedom: float
    blocks: int
    correlation: float


def paired(differences: Sequence[float], chance: Chance, *, metrics: int = 1, draws: int = DRAWS) -> Estimate:
    """Return the estimate from the differences B - A of neighbours, in their order in time."""
    return _estimate(_side(differences, chance, draws), metrics)


def unpaired(
    a: Sequence[float], b: Sequence[float], chance: Chance, *, metrics: int = 1, draws: int = DRAWS
) -> Estimate:
    """Return the estimate from two series that were not measured together."""
    one, other = _side(a, chance, draws), _side(b, chance, draws)
    variances = [side.error**2 for side in (one, other)]
    spread = sum(variance**2 / side.freedom for variance, side in zip(variances, (one, other), strict=True))
    both = _Side(
        value=other.value - one.value,
        error=sqrt(sum(variances)),
        freedom=sum(variances) ** 2 / spread if spread else min(one.freedom, other.freedom),  # Welch
        blocks=min(one.blocks, other.blocks),
        correlation=max(one.correlation, other.correlation),
    )
    return _estimate(both, metrics)


def _estimate(side: _Side, metrics: int) -> Estimate:
    half = _student(1 - ALARMS / metrics / 2, side.freedom) * side.error
    return Estimate(
        value=side.value,
        low=side.value - half,
        high=side.value + half,
        smallest=half + _student(_FOUND, side.freedom) * side.error,
        blocks=side.blocks,
        correlation=side.correlation,
    )


def _side(values: Sequence[float], chance: Chance, draws: int) -> _Side:
    merged = merge_dependent(values)
    count = len(merged)
    means = [trimmed_mean([merged[int(chance() * count)] for _ in range(count)]) for _ in range(draws)]
    correlation = min(_MOST, max(0.0, autocorrelation(merged) - 1 / count))
    return _Side(
        value=trimmed_mean(merged),
        error=pstdev(means) * sqrt(count / (count - 1)) * sqrt((1 + correlation) / (1 - correlation)),
        freedom=count - 1,
        blocks=count,
        correlation=correlation,
    )


def merge_dependent(values: Sequence[float]) -> list[float]:
    """Return the values with neighbours averaged, again and again, while they depend on each other."""
    merged = list(values)
    while len(merged) >= 2 * _LEAST and autocorrelation(merged) >= _CORRELATED:
        merged = merged[len(merged) % 2 :]
        merged = [fmean(pair) for pair in zip(merged[::2], merged[1::2], strict=True)]
    return merged


def autocorrelation(values: Sequence[float]) -> float:
    """Return the lag-1 autocorrelation; of a short series the estimate is too low by 1/n, which is added."""
    middle = fmean(values)
    deviations = [value - middle for value in values]
    square = sum(deviation**2 for deviation in deviations)
    if not square:
        return 0.0
    return sum(x * y for x, y in pairwise(deviations)) / square + 1 / len(values)


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean without the fifth of the values at either end."""
    cut = int(_TRIM * len(values))
    return fmean(sorted(values)[cut : len(values) - cut])


def _student(share: float, freedom: float) -> float:
    """Return a quantile of Student's t, by the expansion of Cornish and Fisher (within 1 % from five degrees on)."""
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
