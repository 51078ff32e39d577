"""load.plan: schedule and phases of a load test, from its options."""

from itertools import count, takewhile

from crawler.load.config import ShapeConfig
from crawler.load.contradictions import configure_load
from crawler.load.nanoseconds import SECOND
from crawler.load.plan import pacer, spans


def shape(**options: object) -> ShapeConfig:
    """The shape that these options give."""
    return configure_load(options).shape


def moments(planned: ShapeConfig) -> list[int]:
    """All due moments."""
    due = map(pacer(planned).due, count())
    return [moment for moment in takewhile(lambda moment: moment is not None, due) if moment is not None]


def test_stages_are_ramps_and_a_phase_each() -> None:
    """From 0 to 100/s in 10 s, 1 s along, and down again in 20 s: 500, 100 and 1,000 requests."""
    planned = shape(stages="10s:100, 1000ms:100,20:0")

    phases = [(span.begin, span.end) for span in spans(planned)]

    assert phases == [(0, 10 * SECOND), (10 * SECOND, 11 * SECOND), (11 * SECOND, 31 * SECOND)]
    assert [span.name for span in spans(planned)] == ["to 100/s", "to 100/s", "to 0/s"]
    assert [sum(a <= due < (b or 0) for due in moments(planned)) for a, b in phases] == [500, 100, 1000]


def test_requests_are_counted_after_the_warm_up() -> None:
    """Two seconds at 10/s are 20 requests; five more are measured, until the last of them is due."""
    planned = shape(rate=10, requests=5, warmup=2)

    warmup, phase = spans(planned)

    assert len(moments(planned)) == 25
    assert (warmup.end, warmup.measured) == (2 * SECOND, False)
    assert (phase.begin, phase.end) == (2 * SECOND, moments(planned)[-1] + 1)


def test_a_test_lasts_ten_seconds_where_nothing_else_ends_it() -> None:
    """A number of requests or stages ends it otherwise."""
    assert [span.end for span in spans(shape())] == [10 * SECOND]
    assert [span.end for span in spans(shape(requests=5))] == [None]
    assert [span.end for span in spans(shape(stages="1s:5"))] == [SECOND]
