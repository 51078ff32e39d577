"""What a run shows of itself while it works: sums as committed, and how they have moved lately.

Rules
- Sums come from commits only, so what is shown is what is safe on disk.
- A rate is taken over the last few seconds, so that it shows what happens now.
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

from collections import deque
from dataclasses import dataclass, field

from crawler.core.handover import Committed, Totals

_WINDOW = 5.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment of a run, for whoever shows it.

    Attributes:
        at: on the monotonic clock; `seconds` is since this life began.
        fetching: fetches that hold a slot; `waiting` = dials and what else waits for a host outside of them.
        queued: leased URLs that wait for their host; pending ones are in `totals`.
        rss: resident memory of this process in bytes.
        inbox: what waits for the storage thread, in entries.
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
        """All requests under way."""
        return self.fetching + self.waiting


@dataclass(slots=True)
class Metrics:
    """The newest account, and the recent history behind its rates."""

    totals: Totals = field(default_factory=Totals)
    _history: deque[tuple[float, int, int]] = field(default_factory=deque)

    def begin(self, totals: Totals, now: float) -> None:
        """An earlier life got this far; that is no speed of this one."""
        self.totals = totals
        self._history.clear()
        self.rates(now)

    def committed(self, committed: Committed) -> None:
        """A group is on disk."""
        self.totals = committed.totals

    def rates(self, now: float) -> tuple[float, float]:
        """Pages and bytes per second over the last few seconds; `now` is monotonic."""
        pages, size = self.totals.done + self.totals.failed, self.totals.bytes
        self._history.append((now, pages, size))
        while len(self._history) > 2 and now - self._history[0][0] > _WINDOW:
            self._history.popleft()
        then, pages_then, size_then = self._history[0]
        elapsed = now - then
        return ((pages - pages_then) / elapsed, (size - size_then) / elapsed) if elapsed > 0 else (0.0, 0.0)
