"""The seconds of a load test, one after the other: what a chart, a table per second and a monitor show.

Rules
- An answer belongs to the interval in which it came; a phase counts by the moment at which its requests were due.
- Times are kept in coarse buckets (less than 1 % wide), so a second costs a few kilobytes. Percentiles of the whole
  test come from the phases, not from here.
- An interval lasts a second. A test of more than `MOST` seconds has longer ones: neighbours are merged, so memory stays
  bounded however long the test is.
Runs on: anywhere (pure); the intervals travel between processes.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from crawler.core.histogram import FINE, add_to, bucket, middle
from crawler.load.counts import Table, new_table
from crawler.load.nanoseconds import SECOND

MOST = 3600  # intervals
MOST_CHECKS = 100
"""Names of checks that are told apart. A script may make names of data, and memory must not grow with them."""
OTHER_CHECKS = "other checks"
SCRIPT_ERROR = "script_error"


def check_name(name: str, known: Collection[str]) -> str:
    """Return the name under which a check counts beside those that are known: its own, or that of all beyond them."""
    return name if name in known or len(known) < MOST_CHECKS or name == SCRIPT_ERROR else OTHER_CHECKS


@dataclass(slots=True, kw_only=True)
class Interval:
    """One part of a test, as long as all others but the last.

    Attributes:
        begin, length: nanoseconds after the start of the test.
        measured: False = within the warm-up.
        scheduled: requests that came due within it; in a closed loop, those that were sent.
        times: response times of good answers (closed loop: service times), in coarse buckets of nanoseconds.
        failures: requests without a good answer, by kind (`status_503`, `timeout`...).
        checked: checks of scripts; `checks`: those that failed, by name.
        in_flight: requests under way at its end, over all processes.
        users: connections that took part at its end; with stages of users, the users.
        lag: how late the event loops called their timers, in coarse buckets of nanoseconds.
        cpu_seconds: processor time of the client, over all processes.
    """

    begin: int
    length: int = SECOND
    measured: bool = True
    scheduled: int = 0
    times: Table = field(default_factory=new_table)
    failures: dict[str, int] = field(default_factory=dict)
    checked: int = 0
    checks: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    users: int = 0
    lag: Table = field(default_factory=new_table)
    cpu_seconds: float = 0.0

    @property
    def end(self) -> int:
        """Return the nanosecond after the start at which it ends."""
        return self.begin + self.length

    @property
    def ok(self) -> int:
        """Return the number of good answers."""
        return sum(self.times.values())

    @property
    def failed(self) -> int:
        """Return the number of requests that ended without a good answer."""
        return sum(self.failures.values())

    def fail(self, kind: str) -> None:
        """Count one request without a good answer."""
        self.failures[kind] = self.failures.get(kind, 0) + 1

    def fail_check(self, name: str) -> None:
        """Count one check that failed, which is no request."""
        name = check_name(name, self.checks)
        self.checks[name] = self.checks.get(name, 0) + 1

    def coarsened(self) -> "Interval":
        """Return a copy with coarse buckets of an interval whose times and lags were noted in fine ones."""
        times, lag = (_coarse(table) for table in (self.times, self.lag))
        return replace(self, times=times, lag=lag)

    def add(self, other: "Interval") -> None:
        """Add the share of another process in the same interval."""
        self._add_counts(other)
        self.length = max(self.length, other.length)
        self.in_flight += other.in_flight
        self.users += other.users

    def append(self, other: "Interval") -> None:
        """Add the interval that follows; its end is now this one's."""
        self._add_counts(other)
        self.length += other.length
        self.in_flight, self.users = other.in_flight, other.users
        self.measured = self.measured or other.measured

    def _add_counts(self, other: "Interval") -> None:
        self.scheduled += other.scheduled
        self.cpu_seconds += other.cpu_seconds
        add_to(self.times, [other.times])
        add_to(self.lag, [other.lag])
        self.checked += other.checked
        for kind, count in other.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + count
        for check, count in other.checks.items():
            name = check_name(check, self.checks)
            self.checks[name] = self.checks.get(name, 0) + count


class Moment(NamedTuple):
    """The state of a process at the end of an interval.

    Attributes:
        now: nanoseconds after the start of the test.
        scheduled: requests that have come due since the start.
        cpu: seconds of processor time since any moment.
    """

    now: int
    measured: bool
    scheduled: int
    in_flight: int
    users: int
    cpu: float


class IntervalLog:
    """The intervals of one process: the loop notes into `current`, and closes it at the end of each interval.

    Attributes:
        total: the sum of all measured intervals that are closed.
    """

    def __init__(self) -> None:
        self.closed: list[Interval] = []
        self.current = Interval(begin=0)
        self.total = Interval(begin=0, length=0)
        self._length = SECOND
        self._scheduled = 0
        self._cpu: float | None = None

    def start(self, cpu: float) -> None:
        """Take the processor time at the start of the test."""
        self._cpu = cpu

    def close(self, moment: Moment) -> Interval:
        """Close the current interval at this moment, and return the next one."""
        done = self.current.coarsened()
        done.length = max(0, moment.now - done.begin)
        done.measured = moment.measured
        done.scheduled = moment.scheduled - self._scheduled
        done.in_flight, done.users = moment.in_flight, moment.users
        done.cpu_seconds = moment.cpu - (self._cpu or 0.0)
        self._scheduled, self._cpu = moment.scheduled, moment.cpu
        if done.length or not self.closed:
            self.closed.append(done)
        else:  # the test ended with the interval before
            self.closed[-1].append(done)
        if done.measured:
            self.total.append(done)
        if len(self.closed) >= MOST and done.length == self._length:
            self.closed = halved(self.closed)
            self._length *= 2
        self.current = Interval(begin=moment.now, length=self._length)
        return self.current


def _coarse(fine: Table) -> Table:
    table = new_table()
    for number, count in fine.items():
        table[bucket(middle(number, FINE))] += count
    return table


def halved(intervals: Sequence[Interval]) -> list[Interval]:
    """Return half as many intervals, each twice as long, made from neighbours."""
    pairs = list(intervals[::2])
    for first, second in zip(pairs, intervals[1::2], strict=False):
        first.append(second)
    return pairs


def merge_intervals(shares: Iterable[Sequence[Interval]]) -> list[Interval]:
    """Merge the intervals of several processes, which all began at the same moment."""
    lists = [list(share) for share in shares]
    longest = max((share[0].length for share in lists if share), default=SECOND)
    total: list[Interval] = []
    for each in lists:
        share = each
        while len(share) > 1 and share[0].length < longest:
            share = halved(share)
        for number, interval in enumerate(share):
            if number < len(total):
                total[number].add(interval)
            else:
                total.append(interval)
    return total
