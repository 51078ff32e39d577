"""load.page: columns of time, charts whose points are where the values are, and colours that mean counts."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.histogram import bucket
from crawler.load.counts import Table
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.page.chart import Chart
from crawler.load.page.columns import merged_columns, timeline
from crawler.load.page.distributions import heat_map
from crawler.load.page.scales import Scale
from crawler.load.page.time_charts import error_chart, rate_chart
from crawler.load.records import Phase
from support.html_pages import parsed

UNIT = Scale(low=0.0, high=10.0)


def second(number: int, ok: int = 0, **changes: object) -> Interval:
    """One second with this many answers of 5 ms."""
    interval = Interval(
        begin=number * SECOND, scheduled=ok, times=Table(int, {bucket(5 * MILLISECOND): ok} if ok else {})
    )
    for name, value in changes.items():
        setattr(interval, name, value)
    return interval


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=1, max_size=400),
    st.integers(2, 60),
)
def test_columns_are_few_and_hold_every_request(counts: list[tuple[int, int]], limit: int) -> None:
    """Merging loses no answer and no failure, leaves no gap, and changes none of the intervals."""
    seconds = [second(n, ok, failures={"timeout": bad} if bad else {}) for n, (ok, bad) in enumerate(counts)]

    columns = merged_columns(seconds, limit)

    assert len(columns) <= limit
    assert (sum(one.ok for one in columns), sum(one.failed for one in columns)) == tuple(
        map(sum, zip(*counts, strict=True))
    )
    assert all(one.end == other.begin for one, other in pairwise(columns))
    assert [(one.ok, one.failed, one.length) for one in seconds] == [(ok, bad, SECOND) for ok, bad in counts]


def test_a_rest_of_a_second_is_no_column_of_its_own() -> None:
    """Five answers in three milliseconds are not 1,700 per second."""
    columns = merged_columns([second(0, 10), second(1, 10), second(2, 5, length=3 * MILLISECOND)], 300)

    assert [one.ok for one in columns] == [10, 15]


def test_a_line_passes_through_its_values_and_breaks_at_a_gap() -> None:
    """The inner layer is 1,000 wide; y goes down; a value without neighbours is a dot."""
    chart = Chart("a line", UNIT, UNIT, 100).line([(0, 0), (5, 10), (6, None), (8, 5)], "x")

    assert '<path d="M0 100L500 0M800 50h0" class="line x"/>' in chart.html()


def test_an_area_stands_on_the_axis_or_on_the_one_below() -> None:
    """Kinds of errors are stacked, so the height of each is its count."""
    points = [(0, 2.0), (10, 4.0)]

    chart = Chart("areas", UNIT, UNIT, 100).area(points, "a").area([(0, 5.0), (10, 5.0)], "b", points)

    assert '<path d="M0 80L1000 60V100H0z" class="area a"/>' in chart.html()
    assert '<path d="M0 50L1000 50L1000 60L0 80z" class="area b"/>' in chart.html()


def test_the_rate_tells_its_columns_under_the_pointer() -> None:
    """Due, ended and good per second, of the column's own length."""
    time = timeline([second(0, 100, length=2 * SECOND), second(2, 20, length=2 * SECOND, failures={"timeout": 4})], [])
    assert time is not None

    titles = [one.text for one in parsed(rate_chart(time)).named("title")]

    assert titles == [
        "0\u20132 s: 50 due, 50 ended, 50 good per second",
        "2\u20134 s: 10 due, 12 ended, 10 good per second",
    ]


def test_errors_beyond_the_sixth_kind_share_a_colour() -> None:
    """The five commonest kinds and all the others, each with its count; no error, no chart."""
    failures = {f"status_{500 + n}": 10 - n for n in range(8)}
    time, quiet = timeline([second(0, 1, failures=failures)], []), timeline([second(0, 1)], [])
    assert time is not None
    assert quiet is not None

    items = [one.text for one in parsed(error_chart(time) or "").named("li")]

    assert items == [
        "status_500 10",
        "status_501 9",
        "status_502 8",
        "status_503 7",
        "status_504 6",
        "3 other kinds 12",
    ]
    assert error_chart(quiet) is None


def test_the_heat_map_puts_a_count_where_its_time_and_its_latency_are() -> None:
    """Two seconds, quick ones often and slow ones once: the colours are the first and the last of the ramp."""
    first, last = second(0, 500), second(1)
    last.times = Table(int, {bucket(500 * MILLISECOND): 1})
    time = timeline([first, last], [])
    assert time is not None

    drawn = re.findall(r'<path d="(M[^"]*)" class="h(\d)"/>', heat_map(time, "service") or "")

    assert [(level, path.split()[0], path.split("H")[1].split("V")[0]) for path, level in drawn] == [
        ("0", "M500", "1000"),
        ("7", "M0", "500"),
    ]
    heights = [int(re.findall(r"V(\d+)", path)[0]) for path, _ in drawn]
    assert heights[0] < heights[1]


def test_warm_up_is_hatched_and_stages_are_named() -> None:
    """A part too short for its name is still marked."""
    phases = [
        Phase(name="warm-up", measured=False, end=4 * SECOND),
        Phase(name="to 100/s", begin=4 * SECOND, end=9 * SECOND + SECOND // 2),
        Phase(name="to 0/s", begin=9 * SECOND + SECOND // 2, end=10 * SECOND),
    ]
    time = timeline([second(n, 5) for n in range(10)], phases)
    assert time is not None

    chart = parsed(rate_chart(time))

    assert [one.text for one in chart.named("text") if "name" in one.attributes.get("class", "")] == [
        "warm-up",
        "to 100/s",
    ]
    assert len([one for one in chart.elements if one.attributes.get("fill") == "url(#hatch)"]) == 1
    assert len([one for one in chart.elements if one.attributes.get("class") == "edge"]) == 2
