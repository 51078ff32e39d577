"""load.gates: what a script learns of a test that it has to pass."""

from dataclasses import replace

import pytest

import crawler
from crawler.core.errors import LoadTestFailed
from crawler.core.histogram import FINE, bucket
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import parse_threshold, with_gates
from support.load_results import load_result


def result(*, ok: int = 2000, failed: int = 0, slow: int = 0, unanswered: int = 0) -> LoadResult:
    """So many good answers of 10 ms within a second, some of 50 ms, and others that failed or never came."""
    phase = Phase(name="measured", end=SECOND, answered=ok + slow + failed)
    phase.scheduled = phase.sent = ok + slow + failed + unanswered
    phase.reused.whole[bucket(10 * MILLISECOND, FINE)] = ok
    phase.reused.whole[bucket(50 * MILLISECOND, FINE)] = slow
    for _ in range(failed):
        phase.fail("status_500", Example(at=1, took=1, port=None, detail="answered with status 500"))
    phase.in_flight[bucket(MILLISECOND, FINE)] = unanswered
    return load_result([phase])


def gated(result: LoadResult, *texts: str) -> LoadResult:
    """The result with these thresholds."""
    return with_gates(result, map(parse_threshold, texts))


def test_a_test_that_keeps_its_thresholds_has_passed() -> None:
    """Each gate has its text and its figure, and `check` gives the result back."""
    found = gated(result(), "p99<11ms", "errors<1%")

    assert [(gate.threshold, gate.is_kept, gate.figure) for gate in found.gates] == [
        ("p99<11ms", True, "9.998 ms"),
        ("errors<1%", True, "0 %"),
    ]
    assert found.passed
    assert found.check() is found
    assert found.to_dict()["gates"] == [
        {"threshold": "p99<11ms", "is_kept": True, "figure": "9.998 ms"},
        {"threshold": "errors<1%", "is_kept": True, "figure": "0 %"},
    ]


def test_all_missed_thresholds_are_told_at_once() -> None:
    """The message has each of them with its figure, and the verdict; those that are kept are left out."""
    found = gated(result(slow=200), "p99<11ms", "p50<11ms", "max<20ms")

    assert not found.passed
    with pytest.raises(LoadTestFailed) as raised:
        found.check()
    first, *gates, verdict = str(raised.value).splitlines()
    assert first == "the load test of http://h/ missed 2 of 3 thresholds"
    assert [gate.split(": ")[0] for gate in gates] == ["  p99<11ms", "  max<20ms"]
    assert verdict.startswith("verdict SERVER-BOUND (")
    assert raised.value.result is found


def test_a_failed_load_test_fails_a_test() -> None:
    """Test frameworks know an AssertionError, and it is one of the crawler's errors."""
    error = crawler.LoadTestFailed("no", result=result())

    assert isinstance(error, AssertionError)
    assert isinstance(error, crawler.CrawlerError)
    assert error.exit_code == 8


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (result(failed=100), "is FAILING (4.8 %"),
        (result(ok=0, failed=200), "is NOTHING-OK (no request was ok"),
        (replace(result(), interrupted=True), "was interrupted"),
    ],
)
def test_a_test_without_thresholds_can_fail_too(found: LoadResult, told: str) -> None:
    """It passes if the command would exit 0: a failing server and an interrupted test do not."""
    assert not found.passed
    with pytest.raises(LoadTestFailed) as raised:
        found.check()
    assert f"the load test of http://h/ {told}" in str(raised.value)


def test_a_percentile_has_its_interval_in_seconds() -> None:
    """The interval holds the value, and says how many requests it rests on."""
    interval = result(slow=20).percentile_interval(99)

    assert interval is not None
    assert (interval.low, interval.value, interval.high) == pytest.approx((0.01, 0.01, 0.05), rel=0.01)
    assert interval.samples == 2020
    assert result(ok=500).percentile_interval(99) is None


@pytest.mark.parametrize("p99", [99, "p99"])
def test_a_percentile_that_is_surely_below_passes(p99: float | str) -> None:
    """Its whole interval is below the limit."""
    result().assert_below(p99, 0.011)
    result(slow=20).assert_below(p99, 0.06)
    result(slow=200, unanswered=5).assert_below("p50", 0.02)  # those few could not move the median


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (result(slow=200), r"p99 is 4\d.\d+ ms \(95 % interval .*, 2,200 requests\): expected below 20.000 ms"),
        (result(slow=20), r"p99 is .*, 2,020 requests\): undecided whether below 20.000 ms: test longer"),
        (result(ok=400), "p99: 1,000 ok requests are needed, 400 are here"),
        (result(unanswered=300), "p99 is at least .*some requests had no answer: expected below 20.000 ms"),
        (result(failed=100), "p99 is 9.998 ms .*, but the server failed"),
        (replace(result(), interrupted=True), "p99 is 9.998 ms .*, but the test ended early"),
        (replace(result(), aborted_by="errors<1%"), "p99 is 9.998 ms .*, but the test ended early"),
    ],
)
def test_a_percentile_that_is_not_surely_below_is_told_with_its_figures(found: LoadResult, told: str) -> None:
    """The message has the figure, its interval, the number of requests and the verdict."""
    with pytest.raises(LoadTestFailed, match=told) as raised:
        found.assert_below("p99", 0.02)
    assert f"verdict {found.verdict} (" in str(raised.value)


@pytest.mark.parametrize("percentile", [0.99, "0.99", "mean", "p101", 101])
def test_a_percentile_that_does_not_exist_is_no_failure_of_the_server(percentile: float | str) -> None:
    """It is a mistake of the script."""
    with pytest.raises(ValueError, match="percentile: "):
        result().assert_below(percentile, 1)


def test_client_bound_figures_may_be_below() -> None:
    """The client's own lateness only adds to a time, so the server's is below all the more."""
    replace(result(), verdict=LoadVerdict.CLIENT_BOUND).assert_below("p99", 0.02)
