"""The intervals of a load test as CSV, a row each: for a spreadsheet, or for a chart of one's own.

Rules
- The columns are the documented ones (docs/load.md), always all of them and in this order.
- An unknown figure is an empty cell. Numbers have a point, and no separators of thousands.
- The file is RFC 4180: lines end with CR LF, and a cell that needs quotes has them.
Runs on: anywhere (pure).
"""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO

from crawler.load.figures import interval_figures, interval_percentile
from crawler.load.intervals import Interval
from crawler.load.records import Phase
from crawler.load.result import LoadResult

COLUMNS = (
    *("begin_s", "seconds", "phase", "measured", "scheduled", "ok", "failed", "timed_out"),
    *("p50_ms", "p90_ms", "p99_ms", "p99.9_ms", "max_ms"),
    *("in_flight", "users", "lag_p99_ms", "cpu", "failures", "checks"),
)


def csv_text(result: LoadResult) -> str:
    """Return the rows with their header; kinds of failures are one column, `kind=count;kind=count`."""
    out = StringIO()
    rows = csv.DictWriter(out, COLUMNS, extrasaction="raise")
    rows.writeheader()
    for interval in result.intervals:
        rows.writerow(_row(interval, result.phases))
    return out.getvalue()


def _row(interval: Interval, phases: Sequence[Phase]) -> dict[str, object]:
    far = interval_percentile(interval.times, 0.999)
    figures = interval_figures(interval)
    return figures | {
        "phase": phase_at(interval, phases),
        "measured": "yes" if interval.measured else "no",
        "timed_out": interval.failures.get("timeout", 0),
        "p99.9_ms": None if far is None else far / 1e6,
        "failures": _kinds(interval.failures),
        "checks": _kinds(interval.checks),
    }


def _kinds(counts: Mapping[str, int]) -> str:
    return ";".join(f"{kind}={count}" for kind, count in sorted(counts.items()))


def phase_at(interval: Interval, phases: Sequence[Phase]) -> str:
    """Return the name of the phase in which an interval has its middle; behind the end of the last one, "grace"."""
    middle = interval.begin + interval.length // 2
    return next((phase.name for phase in phases if phase.begin <= middle < phase.end), "grace")
