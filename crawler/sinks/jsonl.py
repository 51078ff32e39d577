"""`pages.jsonl`: one line per done or failed URL, appended in groups and rewound to the last commit.

Rules
- A line is in the file for good only once the frontier's transaction holds the file's length.
- A short write or an error leaves a torn tail; the next `rewind` cuts it off.
Runs on: the storage thread.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from crawler.core.errors import StorageDamaged
from crawler.core.visits import Visit
from crawler.run.disk import datasync, disk_gate, size_of, sync_folder, write_all

_ENCODER = msgspec.json.Encoder()


def encode_lines(visits: Sequence[Visit]) -> bytes:
    """Encode the visits that have a record, a line each."""
    return _ENCODER.encode_lines([visit.record for visit in visits if visit.record is not None])


class JsonlSink:
    """Sink of the file `pages.jsonl` in a run's folder."""

    NAME = "pages.jsonl"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1
        self._length = 0

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Open the file, cut it back to its committed length, and make the folder entry of a new file safe.

        Raises:
            StorageDamaged: the file is shorter than its committed length.
        """
        self.close()
        committed = lengths.get(self.NAME, 0)
        path = self._folder / self.NAME
        with disk_gate(self.NAME):
            found = size_of(path)
            if found < committed:
                raise StorageDamaged(
                    f"{self.NAME} has {found} bytes but {committed} were committed: lines are missing;"
                    " restore the file, or start a new run"
                )
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            os.ftruncate(self._fd, committed)
            os.lseek(self._fd, committed, os.SEEK_SET)
            sync_folder(self._folder)
        self._length = committed

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits' lines at the end."""
        with disk_gate(self.NAME):
            write_all(self._fd, lines := encode_lines(visits))
        self._length += len(lines)
        return visits

    def sync(self) -> Mapping[str, int]:
        """Wait until the disk holds the file, and return its length."""
        with disk_gate(self.NAME):
            datasync(self._fd)
        return {self.NAME: self._length}

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class StdoutSink:
    """Sink of JSON lines on standard output: each at least once, since a pipe takes nothing back."""

    def __init__(self, descriptor: int = 1) -> None:
        self._fd = descriptor

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Do nothing: a pipe cannot be rewound, so lines of the last uncommitted group may come again."""

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits' lines."""
        with disk_gate("standard output"):
            write_all(self._fd, encode_lines(visits))
        return visits

    def sync(self) -> Mapping[str, int]:
        """Return no length: there is none to remember."""
        return {}

    def close(self) -> None:
        """Leave standard output open: it belongs to the process."""
