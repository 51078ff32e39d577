"""The distribution of latencies: the percentile curve of the whole test, and its heat map over time.

Rules
- The curve ends at the last percentile that the sample carries. Around it lies its 95 % interval.
- A colour of the heat map is a number of answers, on a logarithmic scale that stands beside it; no colour is none.
Runs on: anywhere (pure).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import log, log10

from crawler.core.histogram import middle
from crawler.load.figures import label
from crawler.load.page.chart import Chart, Hit, figure, legend
from crawler.load.page.columns import Timeline
from crawler.load.page.markup import Html, details, joined, table, tag
from crawler.load.page.scales import NONE, Scale, Tick, logarithmic, number, round_time, times
from crawler.load.page.scales import time as shown
from crawler.load.quantiles import Quantile, quantile
from crawler.load.result import LoadResult

_PLACES = 64  # of the curve
_HEIGHT, _ROWS = 220, 44  # of the heat map
_LEVELS = 8
_NAMED = ((0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"))
_LAST = (0.99999, "99.999 %")


def _nines(share: float) -> float:
    """Return a share as a number of nines: 0.9 is one, 0.99 two."""
    return -log10(max(1 - share, 1e-9))


def percentile_curve(result: LoadResult) -> Html | None:
    """Return the chart of time by percentile; None = too few answers for a median."""
    judged = list(_curve(result.response, result.unanswered))
    if not judged:
        return None
    service = list(_curve(result.service, {})) if result.asked.is_open else []
    both = [*judged, *service]
    y = logarithmic(min(one.low for one in both), max(one.high for one in both), round_time)
    end = max(_nines(one.share) for one in both)
    named = [(share, text) for share, text in (*_NAMED, _LAST) if _nines(share) <= end + 0.05]
    x = Scale(low=0.0, high=end, ticks=tuple(Tick(_nines(share) / end, text) for share, text in named))
    kind = "response" if result.asked.is_open else "service"
    chart = Chart(f"The {kind} time by percentile, both on logarithmic scales", x, y, 240)
    places = [_nines(one.share) for one in judged]
    chart.area(
        list(zip(places, [one.high for one in judged], strict=True)),
        "c-between",
        list(zip(places, [one.low for one in judged], strict=True)),
    )
    chart.line([(_nines(one.share), one.value) for one in service], "c-service")
    chart.line([(_nines(one.share), one.value) for one in judged], "c-response")
    chart.hits(_curve_hits(judged, kind))
    keys = [("line c-response", kind), ("area c-between", "95 % interval")]
    keys += [("line c-service", "service")] if service else []
    head = ("percentile", kind, "95 % interval", *(["service"] if service else []))
    rows = [_row(share, text, result) for share, text in named[1:]]
    data = details("This curve as a table", table(f"Percentiles of the {kind} time", head, rows))
    return Html(figure("Percentile curve", "each step right is ten times rarer", legend(keys), chart) + data)


def _curve(table: Mapping[int, int], bounds: Mapping[int, int]) -> Iterator[Quantile]:
    for place in range(_PLACES + 1):
        found = quantile(table, 1 - 10 ** (-5 * place / _PLACES), bounds) if place else quantile(table, 0.001, bounds)
        if found is None:
            return
        yield found


def _curve_hits(curve: list[Quantile], kind: str) -> Iterator[Hit]:
    places = [_nines(one.share) for one in curve]
    edges = [places[0], *((one + other) / 2 for one, other in pairwise(places)), places[-1]]
    for one, begin, end in zip(curve, edges, edges[1:], strict=False):
        at_least = "at least " if one.at_least else ""
        text = f"{label(round(one.share, 6))} of the {kind} time: {at_least}{shown(one.value)}"
        yield Hit(begin, end, f"{text} (95 % interval {times(one.low, one.high)})")


def _row(share: float, text: str, result: LoadResult) -> list[str]:
    one, service = result.quantile(share), quantile(result.service, share)
    cells = [f"{'≥ ' if one.at_least else ''}{shown(one.value)}", interval(one)] if one else [NONE, NONE]
    return [text, *cells, *([shown(service.value) if service else NONE] if result.asked.is_open else [])]


def interval(one: Quantile) -> str:
    """Return a percentile's interval; of a lower bound only the lower end means something."""
    return f"≥ {shown(one.low)}" if one.at_least else times(one.low, one.high)


def heat_map(time: Timeline, kind: str) -> Html | None:
    """Return the map of time and latency, coloured by the number of answers; None = there are no answers."""
    cells = [_column(time, one.times) for one in time.columns]
    top = max((count for column in cells for count in column.values()), default=0)
    if not top:
        return None
    chart = Chart(f"Heat map of {kind} times over time: darker is more answers", time.axis, time.times, _HEIGHT)
    paths: defaultdict[int, list[str]] = defaultdict(list)
    for one, column in zip(time.columns, cells, strict=True):
        left, right = (round(time.axis(edge / 1e9) * 1000, 1) for edge in (one.begin, one.end))
        for level, low, high in _blocks({row: _level(count, top) for row, count in column.items()}):
            paths[level].append(f"M{left:g} {_ROWS - low}V{_ROWS - high}H{right:g}V{_ROWS - low}z")
    drawn = "".join(f'<path d="{"".join(paths[level])}" class="h{level}"/>' for level in sorted(paths))
    chart.raw(f'<svg viewBox="0 0 1000 {_ROWS}" preserveAspectRatio="none" class="heat">{drawn}</svg>')
    chart.bands(time.bands)
    chart.hits(time.hits(lambda one: _told(time, one.times)))
    return figure("Heat map", f"{kind} time, log scale", _ramp(top), chart)


def _column(time: Timeline, answers: Mapping[int, int]) -> dict[int, int]:
    """Return the answers of one column of time by row, the lowest row first."""
    rows: defaultdict[int, int] = defaultdict(int)
    for bucket, count in answers.items():
        rows[min(_ROWS - 1, int(time.times(middle(bucket)) * _ROWS))] += count
    return rows


def _level(count: int, top: int) -> int:
    return min(_LEVELS - 1, int(log(count) / log(top) * _LEVELS)) if top > 1 else _LEVELS - 1


def _blocks(levels: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield neighbouring rows of one level as one block: its level, its lowest row, and the row above it."""
    block: tuple[int, int, int] | None = None
    for row in sorted(levels):
        if block and block[2] == row and block[0] == levels[row]:
            block = (block[0], block[1], row + 1)
            continue
        if block:
            yield block
        block = (levels[row], row, row + 1)
    if block:
        yield block


def _told(time: Timeline, answers: Mapping[int, int]) -> str:
    rows = _column(time, answers)
    if not rows:
        return "no answer"
    row = max(rows, key=lambda row: rows[row])
    low, high = (time.times.low * (time.times.high / time.times.low) ** (edge / _ROWS) for edge in (row, row + 1))
    return f"{number(sum(answers.values()))} answers, most of them ({number(rows[row])}) in {times(low, high)}"


def _ramp(top: int) -> Html:
    """Return the scale of the colours."""
    swatches = joined(
        Html(f'<rect x="{level * 12.5}%" width="12.6%" height="10" class="h{level}"/>') for level in range(_LEVELS)
    )
    drawn = tag("svg", swatches, role="img", aria_label=f"colours from 1 to {top:,} answers, logarithmic")
    return tag("div", tag("span", "1"), drawn, tag("span", f"{top:,} answers"), class_="ramp")
