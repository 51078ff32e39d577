"""A few numbers that all processes of a load test share: when to begin, when to stop, and the progress of each.

Strategy: a mapped file of 64-bit words, each with one writer, so an access costs no system call and no lock.
Rule: the numbers are for the display and for stopping; the result comes back as the job's answer, whole.
Runs on: the loop of each process, and the parent's.
"""

import asyncio
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.load.progress import WIDTH, Progress

_BEGIN, _STOP, _HEAD = 0, 1, 2


class SharedWords:
    """The words of a mapped file that is there, as a context manager."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._words = memoryview(self._map).cast("q")

    @staticmethod
    def create(path: Path, words: int) -> None:
        """Create the file anew, with zeros; one of an earlier test at this path is gone."""
        path.unlink(missing_ok=True)
        path.touch()
        os.truncate(path, 8 * words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._words.release()
        self._map.close()


class SharedBoard(SharedWords):
    """The shared numbers, in a file that `make` creates and the processes open by its path."""

    @classmethod
    def make(cls, path: Path, processes: int) -> Self:
        """Create the file, and open it."""
        cls.create(path, _HEAD + WIDTH * processes)
        return cls(path)

    @property
    def begin(self) -> int:
        """Return the monotonic nanosecond at which all processes begin; 0 = not decided."""
        return self._words[_BEGIN]

    @begin.setter
    def begin(self, moment: int) -> None:
        self._words[_BEGIN] = moment

    @property
    def stop(self) -> int:
        """Return 0 to go on, 1 to end now with the usual grace, 2 to end at once."""
        return self._words[_STOP]

    @stop.setter
    def stop(self, how: int) -> None:
        self._words[_STOP] = how

    def tell(self, index: int, progress: Progress) -> None:
        """Write the progress of this process."""
        at = _HEAD + index * WIDTH
        for offset, word in enumerate(progress.words()):
            self._words[at + offset] = word

    def progress(self) -> list[Progress]:
        """Return the progress of each process."""
        words = self._words[_HEAD:].tolist()
        return [Progress.of(words[at : at + WIDTH]) for at in range(0, len(words), WIDTH)]

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until this holds, by looking again and again: no event of another process reaches the loop."""
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
