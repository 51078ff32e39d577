"""The windows of a capacity search: what is sent in each, and what its result says of the rate.

Rules
- A window holds its rate when every limit of the service level is kept, and the rate was reached (`misses.py`).
- A late client only lengthens times, so a window that holds in spite of it holds. One that misses while the client was
  the limit says nothing of the server, unless failures or times that the client's part cannot explain made it miss.
- A client that sends at constant gaps, and is late by more than a gap (and 1 ms), catches up in a burst. Failures of no
  more requests than it sent late may come of that, so such a window says nothing, either.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from crawler.core.histogram import FINE, middle, percentile
from crawler.core.reasons import Reason
from crawler.load.blame import is_clients
from crawler.load.capacity.evidence import Batch, batches_of, least_share
from crawler.load.capacity.misses import in_few_words, misses
from crawler.load.counts import Table, merged
from crawler.load.figures import percent
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.quantiles import Quantile, quantile
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import Threshold, counted_bad


class Stage(StrEnum):
    """The part of the search to which a window belongs."""

    CEILING = "ceiling"
    IDLE = "idle"
    CLIMB = "climb"
    DRAIN = "drain"
    BISECT = "bisect"
    CONFIRM = "confirm"


JUDGING = frozenset({Stage.CLIMB, Stage.BISECT, Stage.CONFIRM})
"""The stages whose windows judge a rate."""


class Outcome(StrEnum):
    """The finding of a window about its rate."""

    HELD = "held"
    MISSED = "missed"
    CLIENT = "client-bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window to run: requests at `rate` for `settle` seconds that do not count, then for `seconds`.

    The window of the ceiling has no rate: it sends as much as it can, to a server that does nothing.
    """

    stage: Stage
    rate: float | None
    seconds: float
    settle: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The result of a window, as far as the search and its report need it.

    Attributes:
        because: the figure that decided the outcome.
        why: the reason of a miss that tells the most, in a few words; "" = it held.
        answered: requests per second that ended.
        excess: by how much each limit of the service level was passed; below 0 = it was kept. Of a percentile it is the
            share of answers above the limit, less the share that may be there: unlike a percentile, a share does not
            depend on the order in which slow answers come, so windows can be averaged.
        allowed: the share of answers that may be above each limit; 0 = the limit is none of a percentile.
        batches: the answers, from which follows how many independent ones they are worth.
        is_behind: the rate was not reached, or the backlog grew.
        is_failing: requests failed, and by more than chance more of them than the service level allows.
        verdict, said, advice: of the load test that the window is, the figure behind it, and the next step.
        p50, p99: response times; None = the sample does not carry them. service: the median service time.
        waited: the share of the requests that found every connection busy.
        errors: the share of requests without a good answer.
    """

    outcome: Outcome
    because: str
    why: str
    excess: tuple[float, ...]
    allowed: tuple[float, ...]
    batches: tuple[Batch, ...]
    is_behind: bool
    is_failing: bool
    answered: float
    verdict: LoadVerdict
    said: str
    advice: str
    p50: Quantile | None
    p99: Quantile | None
    service: Quantile | None
    waited: float
    errors: float


def observe(result: LoadResult, slo: Sequence[Threshold]) -> Seen:
    """Return what the result of a window says of its rate."""
    figures = replace(result, verdict=LoadVerdict.OK)  # whether its client was the limit is judged below
    found = misses(figures, slo)
    missed = [miss.sentence for miss in found]
    lost = [miss.limit for miss in found if miss.limit is not None]
    is_behind = len(lost) < len(found)
    burst = "" if is_behind else _burst(result, lost)
    if not found:
        outcome = Outcome.HELD
    elif burst or is_clients(result, lost):
        outcome, missed = Outcome.CLIENT, [burst or result.because, *missed]
    else:
        outcome = Outcome.MISSED
    return Seen(
        outcome=outcome,
        because="; ".join(missed or [limit.check(figures)[1] for limit in slo]),
        why=in_few_words(found),
        excess=tuple(_excess(limit, result) for limit in slo),
        allowed=tuple(_allowed(limit) for limit in slo),
        batches=batches_of(result.intervals),
        is_behind=is_behind,
        is_failing=_is_failing(result, slo),
        answered=result.requests_per_second,
        verdict=result.verdict,
        said=result.because,
        advice=result.advice.replace("--threshold", "--slo"),
        p50=result.quantile(0.5),
        p99=result.quantile(0.99),
        service=quantile(result.service, 0.5),
        waited=sum(result.total.waiting.values()) / max(1, result.total.sent),
        errors=result.error_rate,
    )


def _is_failing(result: LoadResult, slo: Sequence[Threshold]) -> bool:
    """Return whether more requests failed than the level allows, and more than chance explains.

    Requests of which only the end was not waited for have not failed, and those of a client without files are its own.
    """
    if result.verdict not in {LoadVerdict.NOTHING_OK, LoadVerdict.FAILING} or not result.total.scheduled:
        return False
    failed = sum(each.count for kind, each in result.total.failures.items() if kind != Reason.CLIENT_LIMIT)
    allowed = max((limit.limit for limit in slo if limit.figure == "errors"), default=0.0)
    return least_share(failed / result.total.scheduled, result.total.scheduled) > allowed


def _burst(result: LoadResult, missed: Sequence[Threshold]) -> str:
    """Return in words how late the client sent, if its catching up may have made the failures; "" = it did not.

    Requests that were sent late were sent at once. A rate limiter without a burst refuses those, and no more.
    """
    rate, pacing = result.asked.rate, result.total.pacing
    late = percentile(pacing, 0.99, FINE)
    if not rate or late is None or result.asked.arrivals != "regular":
        return ""
    shares = [limit for limit in missed if limit.is_share]
    is_failing = shares and all(limit.is_share or _is_kept_by_answers(limit, result) for limit in missed)
    gap = max(MILLISECOND, SECOND / rate)
    share = sum(count for number, count in pacing.items() if middle(number, FINE) > gap) / sum(pacing.values())
    if not is_failing or late <= gap or any(_excess(limit, result) > share for limit in shares):
        return ""
    return (
        f"the client sent {percent(share)} of the requests later than the gap between two ({late / 1e6:.3g} ms at the "
        "p99), and caught up in bursts, which a rate limiter refuses"
    )


def _excess(limit: Threshold, result: LoadResult) -> float:
    """Return by how much the result passes a limit; infinite if there is no figure."""
    if limit.is_share:
        return counted_bad(limit, result.total) / max(1, result.total.scheduled) - limit.limit
    if limit.figure in {"mean", "max"}:
        value = result.mean if limit.figure == "mean" else result.max
        return inf if value is None else value / limit.limit - 1
    known = merged(result.response, result.unanswered)
    return _share_above(limit, known) - _allowed(limit) if known else inf


def _is_kept_by_answers(limit: Threshold, result: LoadResult) -> bool:
    """Return whether the good answers alone keep the limit of a percentile, which failures then have missed."""
    good = result.response
    return limit.share is not None and bool(good) and _share_above(limit, good) <= _allowed(limit)


def _share_above(limit: Threshold, times: Table) -> float:
    above = sum(count for number, count in times.items() if middle(number, FINE) > limit.limit * SECOND)
    return above / sum(times.values())


def _allowed(limit: Threshold) -> float:
    """Return the share of answers that may be above a limit; 0 = it is none of a percentile."""
    return 0.0 if limit.share is None else 1 - limit.share
