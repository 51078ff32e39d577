"""The referee of `--abort`: each process writes its counts, and their sum says which threshold is lost.

Rules
- A process writes about once a second (`tally_walk.py`). A count that is late only makes the referee more patient,
  since none ever falls.
- A stage or a group of targets is judged by its own counts; all requests that are left may still come to one group.
Strategy: shared words, six for each threshold of each process, each with one writer.
Runs on: the loop of each process, which writes, and the parent's, which judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crawler.load.abort import Outlook, Tally, is_lost, most_requests, projected
from crawler.load.config import ShapeConfig
from crawler.load.loop_setup import Span
from crawler.load.nanoseconds import SECOND
from crawler.load.shared_memory import SharedWords
from crawler.load.thresholds import Threshold, stage_of

_WIDTH = len(Tally._fields) + 1  # the last word: the requests of the whole test that have ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Referee:
    """The thresholds of a test, and all that is known of its length before it begins.

    Attributes:
        replayed: requests of a replay; None = it is none.
    """

    gates: tuple[Threshold, ...]
    shape: ShapeConfig
    spans: tuple[Span, ...]
    is_open: bool
    replayed: int | None = None

    def lost(self, rows: Sequence[Sequence[int]], elapsed: float) -> Threshold | None:
        """Return the first threshold that is lost, by the words of all processes; None = none is.

        `elapsed` are the seconds since the start.
        """
        sums = [sum(column) for column in zip(*rows, strict=True)]
        for number, gate in enumerate(self.gates):
            *counts, ended = sums[number * _WIDTH : (number + 1) * _WIDTH]
            so_far = Tally(*counts)
            outlook = self._outlook(gate.scope, so_far.ended, ended, elapsed)
            if outlook is not None and is_lost(gate, so_far, outlook):
                return gate
        return None

    def _outlook(self, scope: str | None, mine: int, whole: int, elapsed: float) -> Outlook | None:
        """Return the rest of the part that a scope names; None = it is too early to say."""
        spans = [span for span in self.spans if span.measured]
        stage = None if scope is None else stage_of(scope, [span.name for span in spans])
        if stage is not None:
            spans, whole = [spans[stage]], mine
        begin, end = spans[0].begin / SECOND, spans[-1].end
        passed = elapsed - begin
        if passed <= 0:
            return None
        is_by_time = end is not None and (self.is_open or self.shape.requests is None)
        seconds = end / SECOND - begin if end is not None and is_by_time else None
        most = most_requests(self.shape, stage) if self.replayed is None else self.replayed
        if most is not None:
            left: int | None = most - whole
        else:
            left = None if seconds is None else projected(whole, passed, seconds, self._growth(elapsed))
            left = None if left is None else left + self.shape.most_users  # those in flight
        return None if left is None else Outlook(max(0, left), min(passed, seconds or passed), seconds)

    def _growth(self, elapsed: float) -> float:
        """Return how many times as many users as on average so far there may be."""
        if not self.shape.has_user_stages:
            return 1.0
        area, begin, before = 0.0, 0.0, 0.0
        for seconds, level in self.shape.steps():
            part = min(1.0, max(0.0, (elapsed - begin) / seconds))
            area += part * seconds * (before + (before + part * (level - before))) / 2
            begin, before = begin + seconds, level
        return max(1.0, self.shape.most_users * min(elapsed, begin) / max(area, 1e-9))


class TallyBoard(SharedWords):
    """The words of all processes, in a file that `make` creates and the processes open."""

    def __init__(self, path: Path, processes: int) -> None:
        super().__init__(path)
        self._width = len(self._words) // processes

    @classmethod
    def make(cls, board: Path, gates: int, processes: int) -> Self:
        """Create the file beside the board's, and open it."""
        cls.create(_beside(board), _WIDTH * gates * processes)
        return cls.beside(board, processes)

    @classmethod
    def beside(cls, board: Path, processes: int) -> Self:
        """Open the file beside the board's."""
        return cls(_beside(board), processes)

    def tell(self, index: int, words: Sequence[int]) -> None:
        """Write the words of a process."""
        for offset, word in enumerate(words):
            self._words[index * self._width + offset] = word

    def rows(self) -> list[list[int]]:
        """Return the words of each process."""
        words = self._words.tolist()
        return [words[at : at + self._width] for at in range(0, len(words), self._width)]


def _beside(board: Path) -> Path:
    return board.with_name(f"{board.name}-tallies")
