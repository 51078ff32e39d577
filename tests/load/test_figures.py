"""load.figures: the intervals and the groups of a load test's JSON."""

import json

from crawler.core.histogram import bucket
from crawler.load.counts import Table
from crawler.load.intervals import Interval
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Phase
from support.load_results import load_result


def test_each_interval_has_the_same_keys() -> None:
    """A second without an answer has them too, with null for what is not known."""
    times = Table(int, {bucket(2 * MILLISECOND): 99, bucket(80 * MILLISECOND): 1})
    full = Interval(begin=0, scheduled=103, times=times, failures={"status_503": 3}, in_flight=2, users=4)
    full.cpu_seconds = 0.125
    result = load_result([Phase(name="measured", end=2 * SECOND)], intervals=(full, Interval(begin=SECOND)))

    report = json.loads(result.to_json())

    first, second = report["intervals"]
    assert report["schema"] == 2
    assert list(first) == list(second)
    assert (first["scheduled"], first["ok"], first["failed"], first["failures"]) == (103, 100, 3, {"status_503": 3})
    assert [round(first[name]) for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms")] == [2, 2, 2, 80]
    assert (first["in_flight"], first["users"], first["cpu"], second["begin_s"]) == (2, 4, 0.125, 1.0)
    assert (second["p50_ms"], second["max_ms"], second["lag_p99_ms"]) == (None, None, None)


def test_a_second_shows_no_percentile_beyond_its_last_value() -> None:
    """With 99 answers the p99 would be the maximum under another name."""
    second = Interval(begin=0, times=Table(int, {bucket(MILLISECOND): 99}))

    (row,) = json.loads(load_result([Phase(name="measured", end=SECOND)], intervals=[second]).to_json())["intervals"]

    assert (round(row["p90_ms"], 1), row["p99_ms"]) == (1.0, None)


def test_groups_have_the_figures_of_a_phase() -> None:
    """The measured requests of each group of targets, by its name."""
    group = Phase(name="GET /users/{id}", end=SECOND, scheduled=5)

    (row,) = json.loads(load_result([Phase(name="measured", end=SECOND)], groups=[group]).to_json())["groups"]

    assert (row["name"], row["outcomes"]["scheduled"]) == ("GET /users/{id}", 5)
