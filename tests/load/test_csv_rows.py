"""load.csv_rows: a row per second, which a spreadsheet reads."""

import csv
from io import StringIO

from crawler.core.histogram import bucket
from crawler.load.counts import Table
from crawler.load.csv_rows import COLUMNS, csv_text
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Phase
from support.load_results import load_result
from support.simulation import simulated


def rows(text: str) -> list[dict[str, str]]:
    """The rows as another program reads them."""
    return list(csv.DictReader(StringIO(text, newline=""), strict=True))


def test_each_second_is_a_row_with_every_column() -> None:
    """Counts, percentiles that the second carries, and failures of all kinds in one cell."""
    times = Table(int, {bucket(2 * MILLISECOND): 150, bucket(80 * MILLISECOND): 3})
    second = Interval(
        begin=SECOND, measured=True, scheduled=160, times=times, failures={"timeout": 2, "status_503": 5}, in_flight=1
    )
    second.checks = {"the cart": 2, "script_error": 1}
    second.users, second.cpu_seconds, second.lag = 4, 0.25, Table(int, {bucket(MILLISECOND): 200})
    result = load_result(
        [Phase(name="measured", end=3 * SECOND)], intervals=(Interval(begin=0, measured=False), second)
    )

    text = csv_text(result)

    empty, full = rows(text)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert list(full.values())[:8] == ["1.0", "1.0", "measured", "yes", "160", "153", "7", "2"]
    assert [round(float(full[name])) for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms")] == [2, 2, 80, 80]
    assert full["p99.9_ms"] == ""
    assert [full[name] for name in ("in_flight", "users", "cpu", "failures", "checks")] == [
        "1",
        "4",
        "0.25",
        "status_503=5;timeout=2",
        "script_error=1;the cart=2",
    ]
    assert round(float(full["lag_p99_ms"]), 1) == 1.0
    assert (empty["measured"], empty["ok"], empty["p50_ms"], empty["failures"], empty["checks"]) == (
        *("no", "0", "", "", ""),
    )


def test_the_rows_add_up_to_the_test() -> None:
    """The seconds of a real loop in virtual time hold each of its answers, once, and name their phase."""
    loop, _ = simulated(lambda _n, _now: 5 * MILLISECOND, rate=100, seconds=3, warmup=1, connections=4)
    result = load_result(loop.phases, rate=100, intervals=loop.log.closed)

    found = rows(csv_text(result))

    assert sum(int(row["ok"]) for row in found) == sum(phase.ok for phase in loop.phases) == 400
    assert [row["phase"] for row in found][:4] == ["warm-up", "measured", "measured", "measured"]
