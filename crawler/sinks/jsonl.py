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
from crawler.run.disk import storage_error

_ENCODER = msgspec.json.Encoder()
_datasync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def encode_lines(visits: Sequence[Visit]) -> bytes:
    """The lines of the visits that have a record, each ended by a newline."""
    return b"".join(_ENCODER.encode(visit.record) + b"\n" for visit in visits if visit.record is not None)


class JsonlSink:
    """The file `pages.jsonl` in a run's folder."""

    NAME = "pages.jsonl"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1
        self._length = 0

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Open the file and cut it back to its committed length; a new file's folder entry is made safe."""
        self.close()
        committed = lengths.get(self.NAME, 0)
        path = self._folder / self.NAME
        try:
            found = path.stat().st_size if path.exists() else 0
            if found < committed:
                raise StorageDamaged(
                    f"{self.NAME} has {found} bytes but {committed} were committed: lines are missing;"
                    " restore the file, or start a new run"
                )
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            os.ftruncate(self._fd, committed)
            os.lseek(self._fd, committed, os.SEEK_SET)
            _sync_folder(self._folder)
        except OSError as error:
            raise storage_error(error, self.NAME) from error
        self._length = committed

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits' lines behind what is there."""
        try:
            write_all(self._fd, lines := encode_lines(visits))
        except OSError as error:
            raise storage_error(error, self.NAME) from error
        self._length += len(lines)
        return visits

    def sync(self) -> Mapping[str, int]:
        """Wait until the disk holds the file."""
        try:
            _datasync(self._fd)
        except OSError as error:
            raise storage_error(error, self.NAME) from error
        return {self.NAME: self._length}

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class StdoutSink:
    """JSON lines on standard output: at least once, since nobody can take back what a pipe has carried."""

    def __init__(self, descriptor: int = 1) -> None:
        self._fd = descriptor

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """A pipe cannot be rewound: lines of the last uncommitted group may come again."""

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits' lines."""
        try:
            write_all(self._fd, encode_lines(visits))
        except OSError as error:
            raise storage_error(error, "standard output") from error
        return visits

    def sync(self) -> Mapping[str, int]:
        """There is no length to remember."""
        return {}

    def close(self) -> None:
        """Standard output is not ours to close."""


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however often the kernel takes only some."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
