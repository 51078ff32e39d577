"""load.thresholds: what a gate lets pass."""

from dataclasses import replace

import pytest

from crawler.core.errors import UsageError
from crawler.core.histogram import FINE, bucket
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import parse_threshold
from support.load_results import load_result


def result(*, ok: int = 1990, failed: int = 0, unanswered: int = 0, milliseconds: int = 10) -> LoadResult:
    """So many good answers of this latency within a second, and others."""
    phase = Phase(name="measured", end=SECOND, scheduled=ok + failed + unanswered, answered=ok + failed)
    phase.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = ok
    for _ in range(failed):
        phase.fail("status_500", Example(at=1, took=1, port=None, detail="answered with status 500"))
    phase.in_flight[bucket(MILLISECOND, FINE)] = unanswered
    return load_result([phase])


@pytest.mark.parametrize(
    ("gate", "is_kept"),
    [
        ("p99<11ms", True),
        ("p99 < 0.011s", True),
        ("p99<9ms", False),
        ("p50>=9000us", True),
        ("mean<=11ms", True),
        ("max<1s", True),
        ("errors<0.6%", True),
        ("errors<0.5%", False),
        ("errors<0.01", True),
        ("rate>=2000", True),
        ("rate>2001", False),
        ("p99.9<11ms", False),  # 2,000 requests cannot carry it
    ],
)
def test_a_gate_is_kept_or_not(gate: str, is_kept: bool) -> None:
    """1,990 good answers of 10 ms and 10 failures in a second."""
    assert parse_threshold(gate).check(result(failed=10))[0] is is_kept


def test_what_is_only_known_from_below_is_not_below() -> None:
    """Unanswered requests hide the true percentile, whatever the known ones say."""
    hidden = result(unanswered=100)

    is_kept, figure = parse_threshold("p99<100ms").check(hidden)
    assert not is_kept
    assert figure.startswith("at least ")
    assert parse_threshold("p99>5ms").check(hidden)[0]


@pytest.mark.parametrize("change", [{"interrupted": True}, {"verdict": LoadVerdict.CLIENT_BOUND}])
def test_a_test_that_is_worth_nothing_passes_no_gate(change: dict[str, object]) -> None:
    """Neither an interrupted one nor one that its client limited."""
    assert not parse_threshold("errors<100%").check(replace(result(), **change))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "figure"),
    [
        ("p99<50ms", "1,000 ok requests are needed, 400 are here; interrupted; client-bound"),
        ("p50<50ms", "9.998 ms, but interrupted and client-bound"),
        ("errors<1%", "0 %, but interrupted and client-bound"),
    ],
)
def test_a_missed_gate_names_all_that_stands_in_its_way(gate: str, figure: str) -> None:
    """The figure that the sample lacks comes first: a test without the other faults would lack it, too."""
    poor = replace(result(ok=400), interrupted=True, verdict=LoadVerdict.CLIENT_BOUND)

    assert parse_threshold(gate).check(poor) == (False, figure)


def test_the_missing_requests_are_counted_as_the_percentiles_count_them() -> None:
    """Failed ones do not help a percentile; unanswered ones do."""
    assert parse_threshold("p90<1s").check(result(ok=1, failed=500))[1] == "100 ok requests are needed, 1 is here"
    waiting = parse_threshold("p90<1s").check(result(ok=50, unanswered=40))[1]
    assert waiting == "100 ok or unanswered requests are needed, 90 are here"
    assert parse_threshold("mean<1s").check(result(ok=0, failed=500))[1] == "no request was ok"


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<", "p99<50", "p999<5ms", "speed<5", "errors<5ms", "p99<50ms!", "p99=5ms"]
)
def test_what_is_no_gate_is_refused_with_examples(text: str) -> None:
    """The message shows how gates are written."""
    with pytest.raises(UsageError, match="such as p99<50ms"):
        parse_threshold(text)
