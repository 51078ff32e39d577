"""The end of a test whose threshold cannot be met any more (`--abort`).

Rules
- A threshold is lost when no continuation of the test can meet it: not if all requests that are left are answered at
  once, well, and on the right side of the limit. So a test that can still pass goes on.
- An open loop and `-n` know how many requests are left. A closed loop that a time ends does not: for it the requests so
  far are projected, at twice their pace, and nothing is decided in its first second or first tenth. So a server that
  recovers and becomes twice as quick is waited for.
- How many checks of scripts are left is never known, so only a limit of none for those that fail can be lost.
- Requests in flight are left. A request that timed out or was shed has ended.
Strategy: each process counts `Tally`s, whole numbers, that add up; the sum decides. One tally reads the table of times
once (a thousand buckets, 0.04 ms), so once a second is enough (`tally_walk.py`).
Runs on: anywhere (pure).
"""

from functools import lru_cache
from math import ceil, sqrt
from operator import le, lt
from typing import NamedTuple

from crawler.core.histogram import FINE, bucket, middle
from crawler.load.config import ShapeConfig
from crawler.load.counts import Table
from crawler.load.quantiles import needed
from crawler.load.records import Phase
from crawler.load.thresholds import Threshold, counted_bad

_FIRST = 1.0  # seconds in which nothing is projected
_TENTH = 0.1
_PACE = 2  # times the pace so far
_SPREAD = 7  # standard deviations of a Poisson count: more come once in 10^12 tests


class Tally(NamedTuple):
    """The counts on which a threshold depends; those of several processes are added.

    Attributes:
        against: requests or times on the wrong side: of a share, those that it counts; otherwise times beyond the
            limit, lower bounds included.
        known: good answers.
        unknown: requests that timed out or were shed.
        failed: requests that failed.
        spent: sum of the good answers' times, in nanoseconds.
    """

    against: int = 0
    known: int = 0
    unknown: int = 0
    failed: int = 0
    spent: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def ended(self) -> int:
        """Return the number of requests that have ended."""
        return self.known + self.unknown + self.failed


class Outlook(NamedTuple):
    """The rest of a part of a test.

    Attributes:
        left: the most requests that may still end in it.
        elapsed: its seconds so far.
        seconds: its seconds in all; None = its last request ends it.
    """

    left: int
    elapsed: float
    seconds: float | None = None


def tally(threshold: Threshold, so_far: Phase, *, is_open: bool) -> Tally:
    """Return one process's counts for a threshold, of the part that its scope names."""
    ended = so_far.outcomes
    times = [so_far.response] if is_open else so_far.service_tables
    against = spent = 0
    if threshold.is_share:
        against = counted_bad(threshold, so_far)
    elif threshold.figure != "rate":
        against = sum(_beyond(threshold, table) for table in (*times, so_far.timed_out, so_far.shed))
    if threshold.figure == "mean":
        spent = sum(middle(number, FINE) * count for table in times for number, count in table.items())
    return Tally(
        against=against,
        known=ended["ok"],
        unknown=ended["timed_out"] + ended["shed"],
        failed=ended["failed"],
        spent=spent,
    )


def _beyond(threshold: Threshold, table: Table) -> int:
    """Return how many times of a table are on the wrong side of a limit."""
    border = _border(threshold.sign, threshold.limit)
    if threshold.is_upper:
        return sum([count for number, count in table.items() if number >= border])
    return sum([count for number, count in table.items() if number < border])


@lru_cache(maxsize=1024)
def _border(sign: str, limit: float) -> int:
    """Return the first bucket on the wrong side of an upper limit, or on the right side of a lower one."""
    is_before = le if sign in {"<=", ">"} else lt
    number = bucket(round(limit * 1e9), FINE)
    while number and not is_before(middle(number - 1, FINE) / 1e9, limit):
        number -= 1
    while is_before(middle(number, FINE) / 1e9, limit):
        number += 1
    return number


def is_lost(threshold: Threshold, so_far: Tally, outlook: Outlook) -> bool:
    """Return whether no continuation of the test can meet the threshold."""
    is_below = threshold.sign in {"<", "<="}
    if threshold.figure == "checks":
        return is_below and not threshold.limit and so_far.against > 0
    if threshold.is_share:
        whole = so_far.ended + outlook.left
        best = so_far.against if is_below else so_far.against + outlook.left
        return whole > 0 and not threshold.holds(best / whole)
    if threshold.figure == "rate":
        return _is_rate_lost(threshold, so_far, outlook, is_below=is_below)
    values = so_far.known + so_far.unknown + outlook.left  # those that failed have no time
    if threshold.share is not None:
        return _is_percentile_lost(threshold.share, so_far, values, is_below=is_below)
    if not is_below:  # one long answer that is left can raise the mean and the maximum above any limit
        return not outlook.left and not (so_far.known and _is_above(threshold, so_far))
    is_over = so_far.against > 0 if threshold.figure == "max" else _is_mean_over(threshold, so_far, values)
    return so_far.unknown > 0 or is_over  # of a request without an answer only a lower bound is known


def _is_percentile_lost(share: float, so_far: Tally, values: int, *, is_below: bool) -> bool:
    """Return whether a percentile is lost, of which there will be so many values at the most."""
    rank = max(1, ceil(round(share * values, 6)))
    if values < needed(share) or (share == 1 and is_below and so_far.unknown):
        return True
    return values - so_far.against < rank if is_below else so_far.against >= rank


def _is_mean_over(threshold: Threshold, so_far: Tally, values: int) -> bool:
    """Return whether the mean is too long even if all that is left takes no time."""
    return so_far.known > 0 and not threshold.holds(so_far.spent / values / 1e9)


def _is_rate_lost(threshold: Threshold, so_far: Tally, outlook: Outlook, *, is_below: bool) -> bool:
    answered = so_far.known + so_far.failed
    if not is_below:
        seconds = outlook.elapsed if outlook.seconds is None else outlook.seconds
        return seconds > 0 and not threshold.holds((answered + outlook.left) / seconds)
    return bool(outlook.seconds) and not threshold.holds(answered / (outlook.seconds or 1.0))


def _is_above(threshold: Threshold, so_far: Tally) -> bool:
    if threshold.figure == "max":
        return so_far.against < so_far.known + so_far.unknown
    return threshold.holds(so_far.spent / so_far.known / 1e9)


def most_requests(shape: ShapeConfig, stage: int | None = None) -> int | None:
    """Return the most requests that a test, or its stage of this number from 0, measures; None = only time limits it.

    Of Poisson arrivals it is a bound: their number is a matter of chance.
    """
    if not shape.is_open:
        return shape.requests
    if shape.stages is not None:
        steps = shape.steps()
        rates = [0.0, *(rate for _, rate in steps)]
        areas = [seconds * (a + b) / 2 for (seconds, _), a, b in zip(steps, rates, rates[1:], strict=False)]
        amount: float | None = sum(areas) if stage is None else areas[stage]
    else:
        amount = None if shape.duration is None else shape.duration * (shape.rate or 0)
    if amount is None:
        return shape.requests
    spread = _SPREAD * sqrt(amount) + _SPREAD**2 if shape.poisson else 0
    most = ceil(round(amount + spread, 6)) + (stage is not None)  # a stage may take over the request at its border
    return most if shape.requests is None else min(most, shape.requests)


def projected(ended: int, elapsed: float, seconds: float, growth: float = 1.0) -> int | None:
    """Return the most requests that are taken to be left in a closed loop that ends by time; None = too early to say.

    Args:
        ended: requests so far.
        elapsed: seconds so far.
        seconds: of the whole part.
        growth: how many times as many users as so far there may be in the rest.
    """
    if elapsed < max(_FIRST, _TENTH * seconds):
        return None
    return ceil(_PACE * growth * ended / elapsed * max(0.0, seconds - elapsed)) + 1
