"""A few numbers in memory that all processes of a load test share: when to begin, when to stop, how far each one is.

Strategy: a mapped file of 64-bit words, each with one writer; reading and writing one costs no system call and no lock.
Rules
- What is on it is for the display and for stopping. The result itself comes back as the job's answer, whole.
Runs on: the loop of each process, and the parent's.
"""

import mmap
import os
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far one process is; times in nanoseconds."""

    is_ready: int = 0
    answered: int = 0
    failed: int = 0
    timed_out: int = 0
    in_flight: int = 0
    lag: int = 0
    p50: int = 0
    p99: int = 0


_WIDTH = len(fields(Progress))
_BEGIN, _STOP, _HEAD = 0, 1, 2


class SharedBoard:
    """The numbers, in a file that `make` makes and the processes open by its path."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._words = memoryview(self._map).cast("q")

    @classmethod
    def make(cls, path: Path, processes: int) -> "SharedBoard":
        """A new one, all zeros."""
        path.touch()
        os.truncate(path, 8 * (_HEAD + _WIDTH * processes))
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._words.release()
        self._map.close()

    @property
    def begin(self) -> int:
        """The monotonic nanosecond at which all processes begin; 0 = not decided."""
        return self._words[_BEGIN]

    @begin.setter
    def begin(self, moment: int) -> None:
        self._words[_BEGIN] = moment

    @property
    def stop(self) -> int:
        """0 = go on, 1 = end now with the usual grace, 2 = end at once."""
        return self._words[_STOP]

    @stop.setter
    def stop(self, how: int) -> None:
        self._words[_STOP] = how

    def tell(self, index: int, progress: Progress) -> None:
        """Show how far this process is."""
        at = _HEAD + index * _WIDTH
        for offset, value in enumerate(astuple(progress)):
            self._words[at + offset] = value

    def progress(self) -> list[Progress]:
        """How far each process is."""
        words = self._words[_HEAD:].tolist()
        names = [field.name for field in fields(Progress)]
        rows = [words[at : at + _WIDTH] for at in range(0, len(words), _WIDTH)]
        return [Progress(**dict(zip(names, row, strict=True))) for row in rows]
