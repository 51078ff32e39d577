"""The files that targets and feeds come from: a path, standard input, gzip or not, or the folder of a run.

Rules
- A feed is a file of text, which is read whole. From standard input it is read once for targets and log-in.
- A file is read line by line; only a HAR file, which is one JSON value, is mapped as a whole.
- A pipe is copied to a temporary file first, so that its first lines can be looked at twice. Gzip is known by its
  first bytes.
- A line longer than `LONGEST_LINE` is broken, and the next one is read.
Runs on: the main thread before the test, blocking.
"""

import gzip
import io
import mmap
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.load.target import standard_input
from crawler.load.targets.feed import Feed, feed_of
from crawler.load.targets.store import room_gate

LONGEST_LINE = 16 * 1024 * 1024
TOO_LONG = b"it is longer than 16 MiB"  # this object stands in the place of such a line
_HEAD = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_PAGES = "pages.jsonl"


class Source:
    """A file of targets that is open.

    Attributes:
        where: the option that names the file, and the file, for messages.
    """

    def __init__(self, name: str, where: str, file: BinaryIO, folder: Path) -> None:
        self.name = name
        self.where = where
        self._file = file
        self._folder = folder
        with _gzip_gate(where):
            self.head = file.read(_HEAD).removeprefix(_BOM)
            file.seek(0)

    def lines(self) -> Generator[tuple[int, bytes], None, None]:
        """Yield each line with its number, from 1."""
        number, readline = 0, self._file.readline
        with _gzip_gate(self.where):
            while raw := readline(LONGEST_LINE):
                number += 1
                if len(raw) == LONGEST_LINE and raw[-1:] != b"\n":
                    raw = TOO_LONG
                    while (rest := readline(LONGEST_LINE)) and rest[-1:] != b"\n":
                        pass
                yield number, raw.removeprefix(_BOM) if number == 1 and raw is not TOO_LONG else raw

    @contextmanager
    def whole(self) -> Iterator[memoryview]:
        """Map the whole file, or a copy of it that is not packed, and yield its bytes."""
        with ExitStack() as stack:
            file = self._file
            if not isinstance(file, io.BufferedReader):
                file = stack.enter_context(_copy(self.where, file, self._folder / "unpacked"))
            mapped = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            with memoryview(mapped) as view, view[len(_BOM) if view[:3] == _BOM else 0 :] as content:
                yield content


@contextmanager
def opened(name: str, option: str, folder: Path) -> Iterator[Source]:
    """Open a file of targets that this option names; `folder` is for temporary files.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    with ExitStack() as stack:
        shown = "standard input" if name == "-" else safe(name)
        where = f"--{option}: {shown}"
        file: BinaryIO = stack.enter_context(_raw(name, where, folder))
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            file = stack.enter_context(igzip.open(file))  # type: ignore[no-untyped-call]
        file.seek(0)
        source = Source(shown, where, file, folder)
        if not source.head.strip():
            raise UsageError(f"{where}: it is empty: expected a request on each line")
        yield source


def read_feed(name: str) -> Feed:
    """Read a feed from its file.

    Raises:
        UsageError: the file cannot be read, or a line of it.
    """
    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            return feed_of(shown, io.StringIO(standard_input().decode("utf-8-sig"), newline=""))
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            return feed_of(name, file)
    except OSError as error:
        raise UsageError(f"--feed: {safe(shown)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--feed: {safe(shown)}: it is no UTF-8: convert the file with iconv") from None


def _raw(name: str, where: str, folder: Path) -> BinaryIO:
    if name == "-":
        return _copy(where, sys.stdin.buffer, folder / "input")
    path = Path(name)
    if path.is_dir():
        path /= _PAGES
        if not path.exists():
            raise UsageError(f"{where}: a folder without {_PAGES}: expected a file, or a run's folder")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from None
    if file.seekable():
        return file
    with file:
        return _copy(where, file, folder / "input")


def _copy(where: str, file: BinaryIO, path: Path) -> BinaryIO:
    with room_gate(path), _gzip_gate(where), path.open("w+b") as out:
        shutil.copyfileobj(file, out, 1 << 20)
    return path.open("rb")


@contextmanager
def _gzip_gate(where: str) -> Iterator[None]:
    """Raise a UsageError in place of the errors of a damaged gzip file."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, isal_zlib.IsalError) as error:  # type: ignore[misc]
        raise UsageError(f"{where}: its gzip file is damaged or cut off: {safe(str(error), 80)}") from None
