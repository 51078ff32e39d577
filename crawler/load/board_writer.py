"""The link of a running loop to the board: it writes the progress, and stops the loop when the board says so.

Rules
- It runs between two answers, so it must be quick: counts are written with each call (some twenty a second), and the
  percentiles once a second, of the seconds that have ended.
- With many groups of targets it reads one of them per call, so no call takes long and none makes an answer late.
Runs on: the loop that loads.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil

from crawler.core.histogram import COARSE, FINE, add_to, middle
from crawler.core.reasons import Reason
from crawler.load.base_loop import Loop
from crawler.load.counts import new_table
from crawler.load.intervals import Interval
from crawler.load.progress import Progress, Ranks
from crawler.load.quantiles import MAIN_SHARES
from crawler.load.records import Phase
from crawler.load.shared_memory import SharedBoard

_TIMEOUT = "timeout"  # the kind of those that timed out
_OVER = object()


class BoardWriter:
    """A watch of a loop; `logins` are the numbers of the groups of a log-in."""

    def __init__(self, index: int, board: SharedBoard, logins: Collection[int] = ()) -> None:
        self._index = index
        self._board = board
        self._logins = logins
        self._seen = Progress(is_ready=1)
        self._ok = 0  # in all seconds that have ended, the warm-up included
        self._failures: Counter[str] = Counter()
        self._second: Interval | None = None
        self._end = self._walked = 0  # the measured time of the sums, and that when the walk began
        self._walk: Iterator[None] = iter(())

    def __call__(self, loop: Loop) -> None:
        """Write the progress."""
        seen, now = self._seen, loop.second
        if self._second is not None and self._second is not now:
            self._ok += self._second.ok
            self._failures.update(self._second.failures)
        self._second = now
        timed_out = self._failures[_TIMEOUT] + now.failures.get(_TIMEOUT, 0)
        seen.due = loop.scheduled
        seen.answered = self._ok + now.ok
        seen.failed = self._failures.total() + now.failed - timed_out
        seen.timed_out, seen.in_flight = timed_out, loop.in_flight
        if loop.log.total.length != self._end:
            self._end = loop.log.total.length
            _measure(seen, loop.log.total)
            _count_logins(seen, [cells[group] for cells in loop.records for group in self._logins])
            if not loop.is_paced:
                seen.service = seen.times
        elif loop.is_paced and next(self._walk, _OVER) is _OVER and self._walked != self._end:
            self._walk, self._walked = _walk(seen, loop), self._end
        self._board.tell(self._index, seen)
        if self._board.stop:
            loop.stop(at_once=self._board.stop > 1)


def _measure(seen: Progress, done: Interval) -> None:
    """Take over the sums of the measured seconds."""
    seen.measured = done.length
    seen.sent, seen.ok = done.scheduled, done.ok
    seen.late = done.failures.get(_TIMEOUT, 0)
    seen.limited = done.failures.get(Reason.CLIENT_LIMIT, 0)
    seen.bad = done.failed - seen.late - seen.limited
    seen.checked, seen.unmet = done.checked, sum(done.checks.values())
    seen.cpu = round(done.cpu_seconds * 1e15 / done.length) if done.length else 0
    seen.times, seen.lag = _ranks(done.times), _ranks(done.lag)


def _count_logins(seen: Progress, cells: Sequence[Phase]) -> None:
    """Take over the requests of a log-in that have ended."""
    failed = (failure for cell in cells for kind, failure in cell.failures.items() if kind != Reason.CLIENT_LIMIT)
    seen.lost_logins = sum(failure.count for failure in failed)
    seen.logins = seen.lost_logins + sum(cell.ok for cell in cells)


def _walk(seen: Progress, loop: Loop) -> Iterator[None]:
    """Sum up the groups of an open loop, one per step, and take over the sums in the last steps."""
    service, pacing, waited = new_table(), new_table(), 0
    for cell in loop.measured_cells:
        for answers in (cell.fresh, cell.reused):
            add_to(service, (answers.whole, answers.split))
        add_to(pacing, (cell.pacing,))
        waited += sum(cell.waiting.values())
        yield
    seen.service = _ranks(service, FINE)
    yield
    seen.pacing, seen.waited = _ranks(pacing, FINE), waited
    yield


def _ranks(table: Mapping[int, int], bits: int = COARSE) -> Ranks:
    """Return the percentiles beyond which a value lies, in one pass over the table."""
    count, seen, found = sum(table.values()), 0, list[int]()
    wanted = [ceil(round(share * count, 6)) for share in MAIN_SHARES if count * (1 - share) >= 1 - 1e-9]
    for number in sorted(table):
        seen += table[number]
        while len(found) < len(wanted) and seen >= wanted[len(found)]:
            found.append(middle(number, bits))
        if len(found) == len(wanted):
            break
    return Ranks(*found)
