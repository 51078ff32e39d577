"""load.intervals: the seconds of a load test."""

from crawler.core.histogram import FINE, bucket, percentile
from crawler.load.counts import note
from crawler.load.intervals import MOST, Interval, IntervalLog, Moment, halved, merge_intervals
from crawler.load.nanoseconds import MILLISECOND, SECOND


def moment(seconds: float, **changes: int) -> Moment:
    """The end of an interval, at which nothing is under way unless it is said."""
    facts = {"scheduled": 0, "in_flight": 0, "users": 0} | changes
    return Moment(now=round(seconds * SECOND), measured=True, cpu=seconds / 10, **facts)


def test_an_interval_keeps_what_was_noted_within_it() -> None:
    """Times become coarse buckets, and counts since the start become counts of the second."""
    log = IntervalLog()
    log.start(0.0)
    note(log.current.times, 5 * MILLISECOND)
    log.close(moment(1, scheduled=3))
    log.current.fail("timeout")

    log.close(moment(2, scheduled=8, in_flight=2))

    first, second = log.closed
    assert (first.ok, first.failed, first.scheduled, first.begin, first.length) == (1, 0, 3, 0, SECOND)
    assert abs((percentile(first.times, 1) or 0) - 5 * MILLISECOND) <= 0.01 * 5 * MILLISECOND
    assert (second.ok, second.failures, second.scheduled, second.in_flight) == (0, {"timeout": 1}, 5, 2)
    assert [round(one.cpu_seconds, 9) for one in log.closed] == [0.1, 0.1]
    assert (log.total.ok, log.total.failed, log.total.end) == (1, 1, 2 * SECOND)


def test_a_long_test_has_longer_intervals_and_loses_nothing() -> None:
    """Memory is bounded; every answer is still in one of them, and they follow each other without a gap."""
    log = IntervalLog()
    log.start(0.0)
    end = 0
    for _ in range(3 * MOST):
        note(log.current.times, 1000)
        end += log.current.length
        log.close(moment(end / SECOND))

    assert len(log.closed) <= MOST
    assert sum(one.ok for one in log.closed) == 3 * MOST
    assert all(one.end == other.begin for one, other in zip(log.closed, log.closed[1:], strict=False))
    assert log.closed[-1].end == end


def test_halving_adds_neighbours() -> None:
    """Counts add up; what holds at the end is that of the later one; an odd one stays."""
    three = [Interval(begin=n * SECOND, scheduled=n, in_flight=n, times={bucket(9): 1}) for n in range(3)]  # type: ignore[arg-type]

    pair, single = halved(three)

    assert (pair.begin, pair.length, pair.scheduled, pair.in_flight, pair.ok) == (0, 2 * SECOND, 1, 1, 2)
    assert (single.begin, single.length, single.scheduled) == (2 * SECOND, SECOND, 2)


def test_the_processes_share_their_seconds() -> None:
    """Counts and requests in flight add up; a process that ended earlier has fewer seconds."""
    mine = [Interval(begin=n * SECOND, scheduled=1, in_flight=1, failures={"a": 1}) for n in range(3)]
    other = [Interval(begin=n * SECOND, scheduled=2, in_flight=2, failures={"b": 1}) for n in range(2)]

    total = merge_intervals([mine, other])

    assert [one.scheduled for one in total] == [3, 3, 1]
    assert [one.in_flight for one in total] == [3, 3, 1]
    assert total[0].failures == {"a": 1, "b": 1}


def test_intervals_of_different_lengths_meet() -> None:
    """A process whose intervals were halved earlier sets the length for all."""
    fine = [Interval(begin=n * SECOND, scheduled=1) for n in range(4)]
    wide = [Interval(begin=n * 2 * SECOND, length=2 * SECOND, scheduled=5) for n in range(2)]

    total = merge_intervals([fine, wide])

    assert [(one.begin, one.length, one.scheduled) for one in total] == [
        (0, 2 * SECOND, 7),
        (2 * SECOND, 2 * SECOND, 7),
    ]


def test_a_coarse_copy_keeps_every_value_within_a_hundredth() -> None:
    """Fine buckets become coarse ones of nearly the same value."""
    interval = Interval(begin=0)
    for value in (0, 1, 999, 12_345, 10**6, 10**9, 10**11):
        interval.times[bucket(value, FINE)] += 1

    assert interval.coarsened().ok == interval.ok == 7
