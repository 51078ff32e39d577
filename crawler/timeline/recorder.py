"""Records the facts of a run for its trace, in bounded memory for a run of any length.

Rules
- Time is cut into windows of a quarter of a second. A window is kept with all facts that began in it, or not at all: so
  a kept window shows the true concurrency and the true waits.
- With more than `most` events in memory, every other window is dropped, and from then on the stride is doubled.
- Curves have no gaps. With too many points, each two become one: the later, with the larger lag.
- One window may hold at most a quarter of `most` events; the others are counted as left out.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from crawler.core.events import GroupDone, Leased, VisitDone
from crawler.core.metrics import Sample

WINDOW = 0.25  # seconds
MOST = 40_000  # events; a file of some 5 MB
MOST_POINTS = 2_000
_EVENTS = {VisitDone: 10, GroupDone: 4, Leased: 1}  # per fact, about

Happening = VisitDone | GroupDone | Leased
F = TypeVar("F", VisitDone, GroupDone, Leased)


class Point(NamedTuple):
    """The values of the curves at one moment: seconds, then counts, bytes and seconds."""

    at: float
    in_flight: int
    queued: int
    inbox: int
    rss: int
    lag: float


@dataclass(slots=True)
class _Window:
    """The facts that began in one quarter of a second, and the number of their events."""

    facts: list[Happening]
    events: int = 0


class Trace:
    """An observer that records; `began` is the start of the run on the monotonic clock."""

    def __init__(self, began: float, *, most: int = MOST, most_points: int = MOST_POINTS) -> None:
        self.began = began
        self.ended = began
        self.stride = 1
        self.left_out = 0
        self.points: list[Point] = []
        self._most = most
        self._most_points = most_points // 2 * 2  # they are merged in pairs
        self._windows: dict[int, _Window] = {}
        self._events = 0
        self._point_stride = 1
        self._merging = 0

    def __repr__(self) -> str:
        return f"<Trace {self._events} events, 1 of {self.stride} windows, {len(self.points)} points>"

    def __call__(self, fact: Happening | Sample) -> None:
        """Record a fact, if it began in a window that is kept."""
        if isinstance(fact, Sample):
            self.ended = max(self.ended, fact.at)
            point = Point(fact.at, fact.in_flight, fact.queued, fact.inbox, fact.rss, fact.lag)
            self.points.append(_both(self.points.pop(), point) if self._merging else point)
            self._merging = (self._merging + 1) % self._point_stride
            if len(self.points) >= self._most_points and not self._merging:
                self.points = [_both(*pair) for pair in zip(self.points[::2], self.points[1::2], strict=True)]
                self._point_stride *= 2
            return
        if isinstance(fact, VisitDone):
            begin, end = fact.laps.started, fact.laps.ended
        else:
            begin, end = fact.began, fact.committed if isinstance(fact, GroupDone) else fact.ended
        self.ended = max(self.ended, end)
        index = int(max(0.0, begin - self.began) / WINDOW)
        if index % self.stride:
            return
        window = self._windows.setdefault(index, _Window([]))
        if window.events >= self._most // 4:
            self.left_out += 1
            return
        events = _EVENTS[type(fact)]
        window.facts.append(fact)
        window.events += events
        self._events += events
        while self._events > self._most and len(self._windows) > 1:
            self.stride *= 2
            for dropped in [number for number in self._windows if number % self.stride]:
                self._events -= self._windows.pop(dropped).events

    def of(self, kind: type[F]) -> Iterator[F]:
        """Yield the kept facts of one kind, in the order of their windows."""
        for _, window in sorted(self._windows.items()):
            yield from (fact for fact in window.facts if isinstance(fact, kind))


def _both(first: Point, second: Point) -> Point:
    return second._replace(lag=max(first.lag, second.lag))
