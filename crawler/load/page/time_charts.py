"""The charts over time, one beneath the other on one time axis: rate, latency, errors, load, and the client itself.

Rules
- Every chart has the same axis and the same columns; warm-up is hatched, and stages are marked at their begin.
- An area or a line says what it is in the legend above it, and differs from its neighbours in more than its colour.
Runs on: anywhere (pure).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from crawler.load.figures import interval_percentile, most
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import SECOND
from crawler.load.page.chart import figure, legend
from crawler.load.page.columns import Timeline, merged_columns
from crawler.load.page.markup import Html, details, table
from crawler.load.page.scales import (
    linear,
    logarithmic,
    number,
    round_number,
    round_share,
    round_time,
    share,
    span,
)
from crawler.load.page.scales import time as shown
from crawler.load.verdict import CPU_LIMIT

_ROWS = 100  # of the table
_KINDS = 6  # of failures, that a chart tells apart
_PERCENTILES = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))


def _per_second(count: int, one: Interval) -> float:
    return count * SECOND / one.length if one.length else 0.0


def rate_chart(time: Timeline) -> Html:
    """Return the chart of requests per second: due, ended, and ended well."""

    def due(one: Interval) -> float:
        return _per_second(one.scheduled, one)

    def ended(one: Interval) -> float:
        return _per_second(one.ok + one.failed, one)

    def good(one: Interval) -> float:
        return _per_second(one.ok, one)

    top = max(max(due(one), ended(one)) for one in time.columns)
    chart = time.chart("Requests per second over time: due, ended, and answered well", linear(top, round_number), 170)
    chart.bands(time.bands, named=True).area(time.points(good), "c-good")
    chart.line(time.points(ended), "c-ended").line(time.points(due), "c-due")
    chart.hits(
        time.hits(
            lambda one: f"{number(due(one))} due, {number(ended(one))} ended, {number(good(one))} good per second"
        )
    )
    keys = [("line c-due", "due"), ("line c-ended", "ended"), ("area c-good", "answered well")]
    return figure("Rate", "requests per second", legend(keys), chart, named=bool(time.bands))


def latency_chart(time: Timeline, kind: str) -> Html:
    """Return the chart of percentiles of each column."""
    chart = time.chart(f"Percentiles of the {kind} time over time, on a logarithmic scale", time.times, 210)
    chart.bands(time.bands).dots(time.points(lambda one: most(one.times))[1:-1], "c-max")
    for rank, name in reversed(_PERCENTILES):
        chart.line(time.points(partial(_percentile, rank)), f"c-{name}")

    def tell(one: Interval) -> str:
        parts = [f"{name} {shown(interval_percentile(one.times, rank))}" for rank, name in _PERCENTILES]
        return f"{', '.join(parts)}, max {shown(most(one.times))} of {number(one.ok)} answers"

    keys = [*((f"line c-{name}", name) for _, name in _PERCENTILES), ("dots c-max", "max")]
    return figure("Latency", f"{kind} time, log scale", legend(keys), chart.hits(time.hits(tell)))


def _percentile(rank: float, one: Interval) -> int | None:
    return interval_percentile(one.times, rank)


def error_chart(time: Timeline) -> Html | None:
    """Return the chart of requests without a good answer, kinds one above the other; None = there are none."""
    total: dict[str, int] = {}
    for one in time.columns:
        for kind, count in one.failures.items():
            total[kind] = total.get(kind, 0) + count
    if not total:
        return None
    kinds = sorted(total, key=lambda kind: -total[kind])
    shown_kinds = kinds if len(kinds) <= _KINDS else kinds[: _KINDS - 1]
    rows = [(kind, {kind}) for kind in shown_kinds]
    if len(kinds) > _KINDS:
        rows.append((f"{len(kinds) - len(shown_kinds)} other kinds", set(kinds) - set(shown_kinds)))
    top = max(_per_second(one.failed, one) for one in time.columns)
    chart = time.chart(
        "Requests per second without a good answer over time, by kind", linear(top, round_number, 3), 120
    )
    chart.bands(time.bands)
    below: frozenset[str] = frozenset()
    floor = time.points(lambda _: 0.0)
    for place, (_, members) in enumerate(rows):
        below |= members
        upper = time.points(partial(_rate_of, below))
        chart.area(upper, f"k{place}", floor)
        floor = upper
    chart.hits(time.hits(lambda one: _told(one.failures)))
    keys = [(f"area k{at}", f"{name} {_count(total, members):,}") for at, (name, members) in enumerate(rows)]
    return figure("Errors", "per second, by kind", legend(keys), chart)


def _rate_of(kinds: Collection[str], one: Interval) -> float:
    return _per_second(_count(one.failures, kinds), one)


def _count(failures: Mapping[str, int], kinds: Collection[str]) -> int:
    return sum(count for kind, count in failures.items() if kind in kinds)


def _told(failures: Mapping[str, int]) -> str:
    found = sorted(failures.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{count:,} {kind}" for kind, count in found) or "none"


def flight_chart(time: Timeline, *, word: str) -> Html:
    """Return the chart of requests under way and of the users or connections that take part."""
    top = max(max(one.in_flight, one.users) for one in time.columns)
    chart = time.chart(f"Requests in flight and {word} over time", linear(max(top, 1), round_number, 3), 110)
    chart.bands(time.bands).area(time.points(lambda one: one.in_flight), "c-flight")
    chart.line(time.points(lambda one: one.in_flight), "c-flight-edge")
    chart.line(time.points(lambda one: one.users), "c-users")
    chart.hits(time.hits(lambda one: f"{one.in_flight:,} in flight, {one.users:,} {word}"))
    keys = [("area c-flight", "in flight"), ("line c-users", word)]
    return figure("Load", f"requests in flight, {word}", legend(keys), chart)


def client_charts(time: Timeline, processes: int) -> Html:
    """Return the charts of the client itself: how late its loops were, and the processor time of its processes."""
    lags = time.points(lambda one: interval_percentile(one.lag, 0.99) or most(one.lag))
    known = [lag for _, lag in lags if lag]
    lag_scale = logarithmic(min(known, default=10_000), max(known, default=1_000_000), round_time, 4)
    lag = time.chart("The client's event loop lag over time, p99, on a logarithmic scale", lag_scale, 90)
    lag.bands(time.bands).line([(at, value or None) for at, value in lags], "c-lag")
    lag.hits(time.hits(lambda one: f"the client's loop was late by {shown(interval_percentile(one.lag, 0.99))} (p99)"))
    busy = [_busy(one) for one in time.columns]
    cpu = time.chart(
        "The client's processor time over time, in cores", linear(max(1.0 * processes, *busy), round_share, 2), 80
    )
    cpu.bands(time.bands).area(time.points(_busy), "c-cpu").line(time.points(_busy), "c-cpu-edge")
    cpu.level(CPU_LIMIT * processes, "above this the client is the limit")
    cpu.hits(time.hits(lambda one: f"the client used {share(_busy(one))} of a core"))
    first = figure("The client: loop lag", "p99, log scale", legend([("line c-lag", "how late it reads")]), lag)
    return Html(
        first
        + figure(
            "The client: processor",
            "share of a core",
            legend([("area c-cpu", "1 process" if processes == 1 else f"{processes} processes together")]),
            cpu,
        )
    )


def _busy(one: Interval) -> float:
    return one.cpu_seconds * SECOND / one.length if one.length else 0.0


def time_table(intervals: Sequence[Interval]) -> Html:
    """Return the figures of the charts as a table of at most a hundred rows."""
    head = ("time", "due", "ok", "failed", "p50", "p90", "p99", "max", "in flight", "users", "loop lag p99", "CPU")
    rows = [
        (
            span(one.begin / SECOND, one.end / SECOND),
            *(f"{count:,}" for count in (one.scheduled, one.ok, one.failed)),
            *(shown(interval_percentile(one.times, rank)) for rank, _ in _PERCENTILES),
            shown(most(one.times)),
            f"{one.in_flight:,}",
            f"{one.users:,}",
            shown(interval_percentile(one.lag, 0.99)),
            share(_busy(one)),
        )
        for one in merged_columns(intervals, _ROWS)
    ]
    return details("These charts as a table", table("The test over time", head, rows))
