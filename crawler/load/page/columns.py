"""The columns of time of a page: the seconds of a test, merged until they fit, and the axis that all charts share.

Rules
- A page has at most `MOST` columns of time. Neighbours are merged, so a run of ten hours has a page like a short one.
- A last interval much shorter than the others joins its neighbour: a rate over three milliseconds says nothing.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from crawler.load.counts import merged
from crawler.load.figures import interval_percentile, most
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import SECOND
from crawler.load.page.chart import Band, Chart, Hit, Points
from crawler.load.page.scales import Scale, clock, logarithmic, round_time, span
from crawler.load.records import Phase

MOST = 300


@dataclass(frozen=True, slots=True)
class Timeline:
    """The columns of time of a test, its axis, and the parts that are marked."""

    columns: Sequence[Interval]
    axis: Scale
    bands: Sequence[Band]
    times: Scale

    def points(self, value: Callable[[Interval], float | None]) -> Points:
        """Return a value of each column at its middle; the ends reach the edges of the chart."""
        found = [((one.begin + one.length / 2) / SECOND, value(one)) for one in self.columns]
        first, last = self.columns[0], self.columns[-1]
        return [(first.begin / SECOND, value(first)), *found, (last.end / SECOND, value(last))]

    def hits(self, tell: Callable[[Interval], str]) -> Iterator[Hit]:
        """Yield what each column tells under the pointer."""
        for one in self.columns:
            begin, end = one.begin / SECOND, one.end / SECOND
            yield Hit(begin, end, f"{span(begin, end)}: {tell(one)}")

    def chart(self, label: str, y: Scale, height: int) -> Chart:
        """Return a chart on this axis, with what is marked."""
        return Chart(label, self.axis, y, height)


def timeline(intervals: Sequence[Interval], phases: Sequence[Phase]) -> Timeline | None:
    """Return the columns of a test; None = it has none."""
    columns = merged_columns(intervals, MOST)
    if not columns:
        return None
    parts = [phase for phase in phases if phase.end > phase.begin]
    named = parts if len(parts) > 1 else []
    bands = [Band(one.begin / SECOND, one.end / SECOND, one.name, not one.measured) for one in named]
    values = merged(*(one.times for one in columns))
    slow = most(values) or 1_000_000
    quick = interval_percentile(values, 0.01) or min(slow, 1_000_000)
    times = logarithmic(quick, slow, round_time)
    return Timeline(columns, clock(columns[-1].end / SECOND), bands, times)


def merged_columns(intervals: Sequence[Interval], limit: int) -> list[Interval]:
    """Return at most this many intervals, made from neighbours; the given ones stay as they are."""
    rest = [one for one in intervals if one.length or one.ok or one.failed]
    size = -(-len(rest) // limit) if rest else 1
    found = [_merged(rest[at : at + size]) for at in range(0, len(rest), size)]
    if len(found) > 1 and found[-1].length < found[0].length / 2:
        found[-2:] = [_merged(found[-2:])]
    return found


def _merged(group: Sequence[Interval]) -> Interval:
    first = group[0]
    whole = replace(
        first,
        times=merged(first.times),
        lag=merged(first.lag),
        failures=dict(first.failures),
        checks=dict(first.checks),
    )
    for other in group[1:]:
        whole.append(other)
    return whole
