"""The checks of scripts while a test runs: each process writes its counts by name, and their sums go to the metrics.

Strategy: shared words, as many rows for each process as names are told apart; a row has the name's bytes and two
counts, each with one writer.
Rule: a row is taken for good, and its name is written before its length: a reader sees no name that is half there.
Runs on: the loop of each process, which writes, and the parent's, which reads.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from crawler.load.intervals import MOST_CHECKS
from crawler.load.shared_memory import SharedWords

_NAME = 32  # words of eight bytes
_WIDTH = 1 + _NAME + 2  # length, name, passed, failed
_ROWS = MOST_CHECKS + 2  # all others, and the errors of the script


class CheckBoard(SharedWords):
    """The words of all processes, in a file that `make` creates and the processes open."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._rows: dict[str, int] = {}  # of this process: the first word of each name

    @classmethod
    def make(cls, board: Path, processes: int) -> Self:
        """Create the file beside the board's, and open it."""
        cls.create(_beside(board), _WIDTH * _ROWS * processes)
        return cls.beside(board)

    @classmethod
    def beside(cls, board: Path) -> Self:
        """Open the file beside the board's."""
        return cls(_beside(board))

    def tell(self, index: int, counts: Mapping[str, Sequence[int]]) -> None:
        """Write the counts of a process: of each name, how many passed and how many failed."""
        for name, (passed, failed) in counts.items():
            at = self._rows.get(name)
            if at is None:
                at = self._take_row(index, name)
            self._words[at + _WIDTH - 2] = passed
            self._words[at + _WIDTH - 1] = failed

    def _take_row(self, index: int, name: str) -> int:
        at = self._rows[name] = (index * _ROWS + len(self._rows)) * _WIDTH
        content = name.encode("utf-8", "replace")[: 8 * _NAME]
        for number in range(0, len(content), 8):
            self._words[at + 1 + number // 8] = int.from_bytes(
                content[number : number + 8].ljust(8, b"\0"), "little", signed=True
            )
        self._words[at] = len(content)
        return at

    def totals(self) -> dict[str, tuple[int, int]]:
        """Return how many checks of each name passed and failed, over all processes."""
        words, found = self._words.tolist(), dict[str, tuple[int, int]]()
        for at in range(0, len(words), _WIDTH):
            if length := words[at]:
                content = b"".join(word.to_bytes(8, "little", signed=True) for word in words[at + 1 : at + 1 + _NAME])
                name = content[:length].decode("utf-8", "ignore")
                passed, failed = found.get(name, (0, 0))
                found[name] = (passed + words[at + _WIDTH - 2], failed + words[at + _WIDTH - 1])
        return found


def _beside(board: Path) -> Path:
    return board.with_name(f"{board.name}-checks")
