"""The reasons for which a window missed, in few words."""

import pytest
from load.capacity.test_windows import phase

from crawler.load.capacity.misses import in_few_words, misses
from crawler.load.nanoseconds import SECOND
from crawler.load.records import Example, Phase
from crawler.load.thresholds import parse_threshold
from support.load_results import load_result


def words(found: Phase, *slo: str) -> str:
    """The words for a window of 200 requests per second."""
    return in_few_words(misses(load_result([found], rate=200), [parse_threshold(limit) for limit in slo]))


def failing(count: int) -> Phase:
    """2,000 requests, of which so many fail."""
    found = phase(60, answers=2000 - count)
    for _ in range(count):
        found.fail("status_503", Example(at=1, took=7, port=None, detail="503"))
    found.in_flight.clear()
    found.answered = 2000
    return found


def unsent() -> Phase:
    """2,000 requests, of which half were never sent."""
    found = phase(answers=1000)
    found.sent, found.answered = 1000, 2000
    found.shed, found.in_flight = found.in_flight, found.shed
    return found


@pytest.mark.parametrize(
    ("found", "slo", "expected"),
    [
        (phase(60), ("p99<50ms",), "p99 60 ms"),
        (phase(1500), ("mean<1s",), "mean 1.5 s"),
        (failing(760), ("p99<50ms", "errors<1%"), "errors 38 %"),
        (failing(760), ("status_503<1%",), "status_503 38 %"),
        (phase(answers=0), ("mean<1s",), "mean unknown"),
        (phase(answers=1800), ("p50<50ms",), "backlog grew"),
        (unsent(), ("p50<50ms",), "not all sent"),
        (Phase(name="p", end=SECOND), (), "nothing sent"),
        (phase(10), ("p99<50ms",), ""),
    ],
)
def test_the_reason_that_tells_the_most_is_named(found: Phase, slo: tuple[str, ...], expected: str) -> None:
    """Failures before times, and times before a rate that was not reached."""
    assert words(found, *slo) == expected
