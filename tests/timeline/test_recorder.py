"""core.trace: what is kept of a run for its trace."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.core.events import GroupDone, Leased, VisitDone, VisitTimes
from crawler.core.leases_and_commits import Totals
from crawler.core.messages import Timing
from crawler.core.metrics import Sample
from crawler.timeline.recorder import WINDOW, Trace

TURN = VisitDone(
    id=1,
    url="http://127.0.0.1/",
    laps=VisitTimes(0.0, 0.0, 0.0, 0.0),
    queued=0.0,
    timing=Timing(),
    outcome="done",
    reason="ok",
)


def turn(at: float) -> VisitDone:
    """A turn that began then."""
    return replace(TURN, laps=VisitTimes(at, at, at, at))


def sample(at: float, lag: float = 0.0) -> Sample:
    """A sample of an idle run."""
    return Sample(
        totals=Totals(),
        at=at,
        seconds=at,
        pages_per_second=0.0,
        bytes_per_second=0.0,
        fetching=0,
        waiting=0,
        queued=0,
        inbox=0,
        rss=0,
        lag=lag,
        worst_lag=lag,
    )


def test_a_short_run_is_kept_whole() -> None:
    """Below the bound nothing is left out."""
    trace = Trace(0.0)

    for number in range(2000):
        trace(turn(number / 500))

    assert len(list(trace.of(VisitDone))) == 2000
    assert (trace.stride, trace.left_out) == (1, 0)


def test_a_million_facts_leave_whole_windows() -> None:
    """A run of days keeps a bounded number of facts, and a window that is kept has all that began in it."""
    trace = Trace(0.0, most=500)

    for number in range(1_000_000):
        trace(Leased(began=number / 40, ended=number / 40, urls=1))  # ten in each window

    kept = [int(fact.began / WINDOW) for fact in trace.of(Leased)]
    assert 125 <= len(kept) <= 500
    assert {kept.count(index) for index in kept} == {10}
    assert {index % trace.stride for index in kept} == {0}
    assert trace.left_out == 0


def test_one_moment_cannot_fill_the_memory() -> None:
    """Facts beyond the bound of a single window are counted as left out."""
    trace = Trace(0.0, most=1000)

    for _ in range(10_000):
        trace(turn(0.1))

    kept = len(list(trace.of(VisitDone)))
    assert kept == 25
    assert trace.left_out == 10_000 - kept


def test_groups_are_thinned_by_the_same_windows() -> None:
    """A group stands in the trace if and only if its window does."""
    trace = Trace(0.0, most=1000)

    for number in range(4000):
        trace(turn(number / 40))
        trace(GroupDone(began=number / 40, appended=number / 40, synced=number / 40, committed=number / 40))

    turns = {int(fact.laps.started / WINDOW) for fact in trace.of(VisitDone)}
    assert {int(fact.began / WINDOW) for fact in trace.of(GroupDone)} == turns
    assert trace.stride > 1


@given(count=st.integers(0, 3000), most=st.integers(2, 40), worst=st.integers(0, 3000))
def test_the_curves_are_thinned_and_keep_the_worst_lag(count: int, most: int, worst: int) -> None:
    """Points stay in order and bounded, the first moments and the last ones are there, and no stall is lost."""
    trace = Trace(0.0, most_points=most)

    for number in range(count):
        trace(sample(number / 20, lag=float(number == worst)))

    moments = [point.at for point in trace.points]
    assert len(moments) <= most
    assert moments == sorted(moments)
    assert moments[-1:] == [(count - 1) / 20] * (count > 0)
    assert max((point.lag for point in trace.points), default=0.0) == float(worst < count)
