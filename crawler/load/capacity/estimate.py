"""The time that a search still takes, as an estimate: the search itself, against a server that is made up.

Strategy: a second search is told all that the first one has seen. Then it goes on with a server that holds every rate
up to a likely limit: the middle of the interval, once there is one, or three doublings above the rate that held last.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean

from crawler.load.capacity.evidence import Batch
from crawler.load.capacity.search import Bounds, Search, Steps
from crawler.load.capacity.windows import JUDGING, Outcome, Seen, Window
from crawler.load.quantiles import Quantile
from crawler.load.result import LoadVerdict

_BETWEEN = 0.5  # seconds around each window: its start, and the requests under way at its end
_FURTHER = 8  # times the rate that held last
_CEILING = 50_000.0  # requests per second, as long as it is not measured
_IDLE = Quantile(share=0.5, value=1_000_000, low=1_000_000, high=1_000_000)
_CLEAR = (Batch(1_000_000, 0.0, 1_000_000.0),) * 2  # independent answers: so many that five windows are enough
_LIKELY = Seen(
    outcome=Outcome.HELD,
    because="",
    why="",
    excess=(-0.01,),
    allowed=(0.0,),
    batches=_CLEAR,
    is_behind=False,
    is_failing=False,
    answered=_CEILING,
    verdict=LoadVerdict.OK,
    said="",
    advice="",
    p50=_IDLE,
    p99=None,
    service=None,
    waited=0.0,
    errors=0.0,
)


def seconds_left(bounds: Bounds, history: Sequence[Seen]) -> float:
    """Return how long the windows that are left are likely to take, in seconds; `history` is what was seen so far."""
    search, known = Search(bounds), list[tuple[Window, Seen]]()
    steps = search.steps()
    window = next(steps, None)
    for seen in history:
        if window is not None:
            known.append((window, seen))
            window = _next(steps, seen)
    limits = max((len(seen.excess) for seen in history), default=1)
    limit, seconds = _likely_limit(search, bounds, known), 0.0
    while window is not None:
        seconds += window.settle + window.seconds + _BETWEEN
        if window.stage in JUDGING:
            seen = _judged(window, known, limits, is_held=(window.rate or 0) <= limit)
        else:  # the idle server, and the drained one that is as quick
            seen = replace(_LIKELY, p50=search.idle.p50 if search.idle else _IDLE)
        window = _next(steps, seen)
    return seconds


def _next(steps: Steps, seen: Seen) -> Window | None:
    try:
        return steps.send(seen)
    except StopIteration:
        return None


def _likely_limit(search: Search, bounds: Bounds, known: Sequence[tuple[Window, Seen]]) -> float:
    """Return the capacity that is likely after what a search has seen."""
    low = search.low or bounds.begin
    missed = [window.rate for window, seen in known if seen.outcome is Outcome.MISSED and (window.rate or 0) > low]
    high = min(filter(None, [search.high, *missed]), default=None)
    return _FURTHER * low if high is None else sqrt(low * high)


def _judged(window: Window, known: Sequence[tuple[Window, Seen]], limits: int, *, is_held: bool) -> Seen:
    """Return what a window may show: figures clear of every limit, or those that its rate had on average."""
    outcome = Outcome.HELD if is_held else Outcome.MISSED
    same = [seen for other, seen in known if other.rate == window.rate and seen.outcome is outcome]
    excess = tuple(map(fmean, zip(*(seen.excess for seen in same), strict=True))) if same else ()
    usual = (-0.01 if is_held else 1.0,) * limits
    return replace(_LIKELY, outcome=outcome, allowed=(0.0,) * limits, excess=excess or usual)
