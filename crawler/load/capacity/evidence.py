"""The evidence of windows for a share: how many independent answers they are worth, and the most the share may be.

Near saturation slow answers come in rare bursts: a queue that has grown delays hundreds of requests, one after the
other. A thousand answers are then worth as little as ten independent ones, and most windows show no burst at all.
Rules
- The answers of a window are cut into batches. The variance of the batches' means, over the one that independent
  answers would have, is the number of answers that count as one (the method of batch means). It is taken of the
  logarithms of the times, which one answer of minutes does not rule.
- What is told apart by nothing else is estimated from above: the limit is that of a Poisson count (99 %).
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Sequence
from math import log, sqrt
from typing import NamedTuple

from crawler.core.histogram import middle
from crawler.load.intervals import Interval

_BATCHES = 10  # of a window, at most
_Z = 2.326  # 99 % of a normal distribution, on one side: several rates are tried, and one wrong one is enough


class Batch(NamedTuple):
    """Neighbouring answers: their number, and the sums of the logarithms of their times and of the squares."""

    answers: int
    total: float
    squares: float


def batches_of(intervals: Iterable[Interval]) -> tuple[Batch, ...]:
    """Return the measured seconds of a window as batches."""
    seconds = [_batch(interval) for interval in intervals if interval.measured and interval.times]
    size = -(-len(seconds) // _BATCHES)
    groups = (seconds[at : at + size] for at in range(0, len(seconds), size or 1))
    return tuple(Batch(*map(sum, zip(*group, strict=True))) for group in groups)


def _batch(interval: Interval) -> Batch:
    logs = [(log(middle(number) + 1), count) for number, count in interval.times.items()]
    return Batch(
        interval.ok, sum(count * value for value, count in logs), sum(count * value * value for value, count in logs)
    )


def worth(batches: Sequence[Batch]) -> float:
    """Return the number of independent answers that these are worth; 0 = fewer than two batches."""
    count = sum(batch.answers for batch in batches)
    if len(batches) < 2:
        return 0.0
    middle_ = sum(batch.total for batch in batches) / count
    between = sum(batch.answers * (batch.total / batch.answers - middle_) ** 2 for batch in batches) / (
        len(batches) - 1
    )
    within = sum(batch.squares for batch in batches) / count - middle_**2
    return count / max(1.0, between / within) if within > 1e-12 else float(count)


def most_share(share: float, answers: float) -> float:
    """Return the upper 99 % limit of a share that was seen in so many independent answers (Wilson and Hilferty)."""
    if answers <= 0:
        return 1.0
    seen = share * answers + 1
    return float(seen * (1 - 1 / (9 * seen) + _Z / (3 * sqrt(seen))) ** 3 / answers)


def least_share(share: float, answers: float) -> float:
    """Return the lower 99 % limit of a share that was seen in so many independent answers (Wilson and Hilferty)."""
    seen = share * answers
    if seen <= 0:
        return 0.0
    return float(seen * max(0.0, 1 - 1 / (9 * seen) - _Z / (3 * sqrt(seen))) ** 3 / answers)
