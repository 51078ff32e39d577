"""The page of a capacity search: the interval in which the highest rate lies, and the knee that shows why.

Rule: rows are plain values, so any search can be drawn; times are milliseconds, rates are requests per second.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crawler.load.page.chart import Band, Chart, Points, figure, legend
from crawler.load.page.head import next_step, tile, verdict_card
from crawler.load.page.markup import Html, document, facts, joined, section, table, tag
from crawler.load.page.scales import NONE, linear, logarithmic, number, round_number, round_time, share, time

_MILLISECOND = 1e6  # nanoseconds, in which the scales show times


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """One window of a search.

    Attributes:
        rate: requests per second that were due.
        p50_ms, p99_ms: response times; None = too few answers.
        error_share: of the requests, from 0 to 1.
        held: the window met the objective; None = it judges no rate, such as a probe.
        verdict: on the window's figures, with its reason.
        phase: of the search: climb, drain, bisect, confirm.
    """

    rate: float
    p50_ms: float | None
    p99_ms: float | None
    error_share: float
    held: bool | None
    verdict: str
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityView:
    """A search that has ended.

    Attributes:
        low, high: the highest rate that held and the lowest that did not; None = there was none.
        slo: the objective as the user wrote it; `limit` the part of it that limits the p99, to `limit_ms`.
        because, advice: the finding in a sentence, and the next step.
        is_found: the search found an interval that can be used.
    """

    url: str
    slo: str
    limit: str
    limit_ms: float | None
    low: float | None
    high: float | None
    because: str
    advice: str
    is_found: bool
    rows: Sequence[CapacityRow]
    setup: Mapping[str, str]


def capacity_page(view: CapacityView) -> str:
    """Return the page."""
    title = _title(view)
    lines = [tag("p", view.because), *([next_step(view.advice)] if view.advice else [])]
    judged = [row.held for row in view.rows if row.held is not None]
    at_low = sorted((row for row in view.rows if row.held and row.rate == view.low), key=lambda row: row.p99_ms or 0)
    figures = [
        tile("held up to", _rate(view.low), "/s", "the highest rate that met the objective"),
        tile("not held from", _rate(view.high), "/s", "the lowest rate that did not"),
        tile("objective met by", f"{sum(judged)}", f" of {len(judged)} windows", view.slo),
    ]
    if at_low:
        usual = at_low[len(at_low) // 2]
        figures.append(tile("p99 at the rate that held", _ms(usual.p99_ms), "", f"p50 {_ms(usual.p50_ms)}"))
        figures.append(tile("failed there", share(usual.error_share), "", "of the requests of that window"))
    return document(
        f"{title}: {view.url}",
        tag("h1", "Capacity of ", tag("b", view.url)),
        verdict_card(title, "good" if view.is_found else "warn", lines),
        tag("dl", joined(figures), class_="tiles"),
        section("The knee", *_knees(view)),
        section("Windows, in the order in which they ran", _windows(view.rows)),
        section("Setup", facts(view.setup.items())),
        section("How to read it", tag("p", _HOW, class_="note")),
    )


_HOW = (
    "Each sign is one window of the search: across is the rate that was due, up is its p99. A disc is a window that"
    " met the objective, a cross one that did not. The shaded stretch is where the highest rate lies: the windows to"
    " its left held, those to its right did not. A curve that bends up before the shaded stretch is a growing queue."
)


def _title(view: CapacityView) -> str:
    if view.low is not None and view.high is not None:
        return f"{_rate(view.low)} to {_rate(view.high)} per second"
    if view.low is not None:
        return f"at least {_rate(view.low)} per second"
    return f"below {_rate(view.high)} per second" if view.high is not None else "no rate was found"


def _knees(view: CapacityView) -> Iterable[Html]:
    known = [row for row in view.rows if row.p99_ms is not None and row.held is not None]
    if not known:
        yield tag("p", "No window had enough answers for a p99.", class_="note")
        return
    x = linear(max(row.rate for row in known), round_number, 8)
    values = [value * _MILLISECOND for row in known for value in (row.p50_ms, row.p99_ms, view.limit_ms) if value]
    chart = Chart(
        f"p99 by rate, on a logarithmic scale; objective {view.slo}",
        x,
        logarithmic(min(values), max(values), round_time),
        320,
    )
    if view.low is not None:
        end = view.high if view.high is not None else x.high
        chart.bands([Band(view.low, end, "")]).tint(view.low, end)
    chart.line(_medians(known, lambda row: row.p50_ms), "c-service")
    chart.line(_medians(known, lambda row: row.p99_ms), "c-response")
    if view.limit_ms:
        chart.level(view.limit_ms * _MILLISECOND, view.limit)
    for row in known:
        told = (
            f"{_rate(row.rate)}/s, {row.phase}: p99 {_ms(row.p99_ms)}, {share(row.error_share)} failed, {row.verdict}"
        )
        chart.mark(row.rate, (row.p99_ms or 0) * _MILLISECOND, "yes" if row.held else "no", told)
    keys = [("line c-response", "p99"), ("line c-service", "p50"), ("sign yes", "held"), ("sign no", "did not hold")]
    yield figure("p99 by rate", "log scale, windows in requests per second", legend(keys), chart)


def _medians(rows: Sequence[CapacityRow], value: Callable[[CapacityRow], float | None]) -> Points:
    """Return the middle value at each rate, so that repeated windows do not make the line jump up and down."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if (one := value(row)) is not None:
            found.setdefault(row.rate, []).append(one)
    return [(rate, sorted(found[rate])[len(found[rate]) // 2] * _MILLISECOND) for rate in sorted(found)]


def _windows(rows: Sequence[CapacityRow]) -> Html:
    head = ("", "phase", "rate", "held", "p50", "p99", "failed", "verdict")
    lines = [
        (
            str(number_),
            row.phase,
            f"{_rate(row.rate)}/s",
            NONE
            if row.held is None
            else tag("span", "held" if row.held else "NOT HELD", class_=f"chip {'kept' if row.held else 'missed'}"),
            _ms(row.p50_ms),
            _ms(row.p99_ms),
            share(row.error_share),
            row.verdict,
        )
        for number_, row in enumerate(rows, 1)
    ]
    return table("Windows of the search", head, lines, words=(0, 1, 3, 7))


def _rate(value: float | None) -> str:
    return NONE if value is None else number(value)


def _ms(value: float | None) -> str:
    return time(None if value is None else value * _MILLISECOND)
