"""Percentiles that a sample can carry, each with its confidence interval.

Rules
- A percentile is the value of rank ceil(share x n). Its confidence interval lies between two ranks, by the binomial
  distribution of the number of values below the true percentile. Requests are taken as independent; their times may
  have any distribution.
- At least ten values must lie beyond a percentile, or it is not shown: p99 needs 1,000 values, p99.9 10,000. The p0 and
  the p100 are the extremes of the sample: they need one value, and have no interval.
- A request without an answer counts at the lower bound of its time. A percentile is itself a lower bound if it would be
  more than 0.2 % longer, two buckets, had those requests never been answered. So the few that are in flight at the end
  of a test, with short bounds, do not make a lower bound of each percentile above them.
- A percentile is written from 1 to 100, or as 0: one such as 0.99 was meant as a share, and is refused.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, sqrt

from crawler.core.histogram import FINE, add_to, bucket_at, middle

MAIN_SHARES = (0.5, 0.9, 0.99, 0.999)
SHARES = (*MAIN_SHARES, 0.9999, 0.99999)
_BEYOND = 10  # values
_EXACT = 1.002  # two buckets
_Z = 1.959964  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """One percentile, in nanoseconds.

    Attributes:
        low, high: its 95 % confidence interval.
        at_least: the value is a lower bound, since requests had no answer.
        most: the value had those requests never been answered; infinite = it would be theirs.
    """

    share: float
    value: int
    low: int
    high: int
    at_least: bool = False
    most: float = inf


def share_of(percent: object) -> float:
    """Return the share of a percentile: 0.999 for 99.9.

    Raises:
        ValueError: there is no such percentile.
    """
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        raise ValueError(f"percentile: expected a number such as 99 or 99.9, got {repr(percent)[:40]}")
    if 0 < percent < 1:
        raise ValueError(f"percentile: {percent} is a share: write {round(percent * 100, 9):g}")
    if not 0 <= percent <= 100:  # nan is not, either
        raise ValueError(f"percentile: expected a number from 1 to 100, or 0, got {percent}")
    return percent / 100


def needed(share: float) -> int:
    """Return the number of values that a percentile needs."""
    if share in {0, 1}:
        return 1
    beyond = max(round(min(share, 1 - share), 9), 1e-9)  # 1 - 0.99999 is a little less than a hundred-thousandth
    return ceil(round(_BEYOND / beyond, 6))


def quantile(known: Mapping[int, int], share: float, bounds: Mapping[int, int] | None = None) -> Quantile | None:
    """Return a percentile of a fine bucket table; None when it has too few values.

    `bounds` are lower bounds of further values.
    """
    both = dict(known)
    if bounds:
        add_to(both, [bounds])
    total = sum(both.values())
    if total < needed(share):
        return None
    rank, spread = ceil(round(share * total, 6)), _Z * sqrt(total * share * (1 - share))
    low, high = max(1, floor(share * total - spread)), min(total, ceil(share * total + spread) + 1)
    if share in {0, 1}:
        low = high = rank = max(1, rank)
    number = bucket_at(both, rank)
    most = middle(bucket_at(known, rank), FINE) if rank <= sum(known.values()) else inf
    return Quantile(
        share=share,
        value=middle(number, FINE),
        low=middle(bucket_at(both, low), FINE),
        high=middle(bucket_at(both, high), FINE),
        at_least=most > _EXACT * middle(number, FINE),
        most=most,
    )


def wanting(known: Mapping[int, int], share: float, bounds: Mapping[int, int]) -> str:
    """Return in words how many more requests a percentile needs."""
    have = sum(known.values()) + sum(bounds.values())
    kind = "ok or unanswered" if bounds else "ok"
    return f"{needed(share):,} {kind} requests are needed, {have:,} {'is' if have == 1 else 'are'} here"
