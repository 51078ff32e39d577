"""The vote of several windows on one rate: held, missed, or neither.

Rules
- Four of five windows must agree, and the mean of their figures must be clear of the limit by more than they differ. 3
  of 5 are not enough: where windows vary by as much as the ends are apart, the interval would miss the true capacity in
  one search of five.
- A rate holds only if a percentile's limit is kept at the upper confidence limit of the share above it, too
  (`evidence.py`). Windows that show no burst of slow answers prove little where few bursts were due.
- Five windows that agree, but are worth too few independent answers, are followed by more, up to 15, as long as as many
  like them would do.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from enum import Enum, auto
from math import inf, sqrt
from statistics import mean, stdev

from crawler.load.capacity.evidence import most_share, worth
from crawler.load.capacity.windows import Outcome, Seen

VOTES, AGREE, MOST_VOTES = 5, 4, 15
_SURE = 2.13  # standard errors of a mean of five: 95 % of Student's t with four degrees of freedom


class Standing(Enum):
    """The standing of a vote."""

    OPEN = auto()
    HELD = auto()
    MISSED = auto()
    SPLIT = auto()


def standing(seen: Sequence[Seen]) -> Standing:
    """Return how the vote of these windows stands; all of them are at one rate."""
    held = sum(one.outcome is Outcome.HELD for one in seen)
    missed = sum(one.outcome is Outcome.MISSED for one in seen)
    if min(held, missed) > (1 - AGREE / VOTES) * max(VOTES, len(seen)):
        return Standing.SPLIT
    if len(seen) < VOTES:
        return Standing.OPEN
    if missed > held:
        return Standing.MISSED if _are_above(seen) else Standing.SPLIT
    if not _are_below(seen):
        return Standing.SPLIT
    if _are_many(seen):
        return Standing.HELD
    can_become = len(seen) < MOST_VOTES and _are_many(seen, MOST_VOTES / len(seen))
    return Standing.OPEN if can_become else Standing.SPLIT


def _sides(seen: Sequence[Seen]) -> tuple[list[tuple[float, float]], bool]:
    """Return for each limit by how much its figure is above it, and how far that may be off; and if all are known."""
    columns = list(zip(*(one.excess for one in seen), strict=True))
    sides = [(mean(column), _SURE * stdev(column) / sqrt(len(column))) for column in columns if inf not in column]
    return sides, len(sides) == len(columns)


def _are_below(seen: Sequence[Seen]) -> bool:
    """Return whether the mean of every figure is below its limit by more than the windows differ."""
    sides, are_known = _sides(seen)
    return are_known and all(middle + spread < 0 for middle, spread in sides)


def _are_above(seen: Sequence[Seen]) -> bool:
    """Return whether the mean of a figure is above its limit by more than the windows differ.

    A window that missed by its backlog or by figures that are not known is as clear as can be.
    """
    sides, are_known = _sides(seen)
    return (
        not are_known
        or any(middle - spread > 0 for middle, spread in sides)
        or all(one.is_behind for one in seen if one.outcome is Outcome.MISSED)
    )


def _are_many(seen: Sequence[Seen], times: float = 1.0) -> bool:
    """Return whether the windows, were there so many times as many like them, show enough independent answers.

    Enough are those whose share above a limit is below the allowed one at its upper confidence limit, too.
    """
    answers = times * worth([batch for one in seen for batch in one.batches])
    shares = ((mean(one.excess[n] for one in seen), may) for n, may in enumerate(seen[0].allowed) if may)
    return all(most_share(excess + may, answers) < may for excess, may in shares)
