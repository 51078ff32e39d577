"""Progress while a run works: a rate over the last seconds, and the sums of a crawl as committed with their rates.

Rule: sums come from commits only, so a display shows what is safe on disk.
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

from collections import deque

import msgspec

from crawler.core.leases_and_commits import Committed, Totals

_WINDOW = 5.0  # seconds


class RecentRate:
    """The rate of one counter, from the readings of the last five seconds, or from the last two if those are older."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def at(self, now: float, count: int) -> float:
        """Note a reading and return the rate per second since the oldest one; 0 for the first reading."""
        self._readings.append((now, count))
        while len(self._readings) > 2 and now - self._readings[0][0] > _WINDOW:
            self._readings.popleft()
        then, before = self._readings[0]
        return (count - before) / (now - then) if now > then else 0.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a run, for a display.

    Attributes:
        at: on the monotonic clock; `seconds` is since this life began.
        fetching: fetches that hold a slot; `waiting` = dials and other waits for a host, which hold none.
        queued: leased URLs that wait for their host; pending ones are in `totals`.
        rss: resident memory of this process in bytes.
        inbox: entries that wait for the storage thread.
        lag, worst_lag: how late the event loop is and was at most, in seconds.
    """

    totals: Totals
    at: float
    seconds: float
    pages_per_second: float
    bytes_per_second: float
    fetching: int
    waiting: int
    queued: int
    inbox: int
    rss: int
    lag: float
    worst_lag: float

    @property
    def in_flight(self) -> int:
        """Return the number of requests under way."""
        return self.fetching + self.waiting


class Metrics(msgspec.Struct):
    """The newest sums, and the rates of pages and bytes."""

    totals: Totals = msgspec.field(default_factory=Totals)
    _pages: RecentRate = msgspec.field(default_factory=RecentRate)
    _bytes: RecentRate = msgspec.field(default_factory=RecentRate)

    def begin(self, totals: Totals, now: float) -> None:
        """Start from the sums of an earlier life, which count in no rate of this one."""
        self.totals, self._pages, self._bytes = totals, RecentRate(), RecentRate()
        self.rates(now)

    def committed(self, committed: Committed) -> None:
        """Take the sums of a group that is on disk."""
        self.totals = committed.totals

    def rates(self, now: float) -> tuple[float, float]:
        """Return pages and bytes per second over the last few seconds; `now` is monotonic."""
        totals = self.totals
        return self._pages.at(now, totals.done + totals.failed), self._bytes.at(now, totals.bytes)
