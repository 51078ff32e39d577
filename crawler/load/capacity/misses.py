"""The reasons for which a window missed its rate, each as a sentence and in a few words.

Rules
- A limit of the service level is missed by its figure.
- A rate is missed, too, when under 98 % of the due requests were sent in time, or the backlog grew by more than 2 % of
  them (of few: by more than a standard deviation of a Poisson count).
- The backlog is what was due and has not ended. It counts instead of the answers, since a slow server that keeps up has
  many requests under way all the time.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from crawler.load.figures import percent
from crawler.load.records import Phase
from crawler.load.result import LoadResult
from crawler.load.thresholds import Threshold, counted_bad

_SENT = 0.98
_GROWTH = 0.02


class Miss(NamedTuple):
    """One reason: a limit that was not kept, or None where the rate was not reached."""

    limit: Threshold | None
    sentence: str
    words: str


def misses(result: LoadResult, slo: Sequence[Threshold]) -> list[Miss]:
    """Return the reasons for which a window missed its rate: limits first, in their order; none if it held."""
    checked = ((limit, *limit.check(result)) for limit in slo)
    found = [
        Miss(limit, f"{limit.text}: {figure}", f"{limit.figure} {_briefly(limit, result)}")
        for limit, is_kept, figure in checked
        if not is_kept
    ]
    return [*found, *(_falling_behind(result) if result.asked.is_open else ())]


def in_few_words(found: Sequence[Miss]) -> str:
    """Return the reason that tells the most: failures, then times, then a rate that was not reached."""
    ranked = sorted(found, key=lambda miss: 2 if miss.limit is None else 0 if miss.limit.is_share else 1)
    return ranked[0].words if ranked else ""


def _briefly(limit: Threshold, result: LoadResult) -> str:
    if limit.is_share:
        return f"{counted_bad(limit, result.total) / max(1, result.total.scheduled) * 100:.3g} %"
    if limit.share is not None:
        quantile = result.quantile(limit.share)
        time = quantile.value / 1e9 if quantile else None
    else:
        time = result.mean if limit.figure == "mean" else result.max
    if time is None:
        return "unknown"
    return f"{time:.3g} s" if time >= 1 else f"{time * 1000:.3g} ms"


def _falling_behind(result: LoadResult) -> list[Miss]:
    """Return in which way the rate was not reached; nothing if it was."""
    total = result.total
    if not total.scheduled:
        return [Miss(None, "nothing was sent", "nothing sent")]
    found = []
    if total.sent < _SENT * total.scheduled:
        found.append(Miss(None, f"only {percent(total.sent / total.scheduled)} were sent in time", "not all sent"))
    growth = _backlog(total) - sum(_backlog(phase) for phase in result.phases if not phase.measured)
    if growth > max(_GROWTH * total.scheduled, sqrt(total.scheduled)):
        found.append(Miss(None, f"the backlog grew by {growth:,} requests", "backlog grew"))
    return found


def _backlog(phase: Phase) -> int:
    """Return how many of the phase's requests had been due, and had not ended, at its end."""
    return phase.scheduled - phase.answered
