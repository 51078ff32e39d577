"""Sources that a user names: a URL, a file of URLs, `-` for standard input, or `Sitemap: URL`; checked, then copied.

Rules
- The name of an existing file is a file: `example.com` is a host only where there is no such file. A folder is no list.
- Pipes and devices are read as files are, once: `<(command)`, `/dev/stdin`, a FIFO.
- A source that cannot be read is refused before the run's folder is made.
- A copy is UTF-8 (`encoding/transcode.py`), and byte for byte what is that already; only a missing last newline is
  added, so that the next list begins on a line of its own.
Runs on: the main thread before the loop starts.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from crawler.core.errors import UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.core.sitemaps import sitemap_in
from crawler.core.text import safe
from crawler.encoding.transcode import Transcoder
from crawler.run.list_line import read

_ALSO = "a URL begins with http://, https:// or a host, - is standard input"


def check_sources(sources: Sequence[str]) -> None:
    """Refuse a source that is neither a URL nor a readable file, before anything is made.

    Raises:
        UsageError: it names the source, and what to write instead.
    """
    for source in sources:
        if is_line(source):
            if not source.isprintable():
                raise UsageError(f"{safe(source, 200)}: a URL holds no control characters; give one URL per argument")
            try:
                read(source)
            except UrlError as error:
                if error.reason is Reason.CREDENTIALS_IN_URL:
                    raise UsageError(
                        "a URL with a password in it would be stored as it is; give the password with --user"
                    ) from None
                raise UsageError(f"{safe(source, 200)}: {error}") from None
        elif source == "-":
            continue
        elif not _is_file(source):
            what = "is a folder, not a list" if Path(source).is_dir() else "no such file"
            raise UsageError(f"{safe(source)}: {what}; {_ALSO}")
        elif not os.access(source, os.R_OK):
            raise UsageError(f"{safe(source)}: not readable; check its permissions")


def is_line(source: str) -> bool:
    """Return whether a source is a line of a list by itself: a URL, a sitemap, or a host that is no file's name."""
    if "://" in source or sitemap_in(source) is not None:
        return True
    if source == "-" or _is_file(source):
        return False
    try:
        read(source)
    except UrlError as error:
        return error.reason is Reason.BLOCKED_PORT
    return True


def _is_file(name: str) -> bool:
    return Path(name).exists() and not Path(name).is_dir()


def copy_source(source: str, out: BinaryIO) -> int:
    """Append one source, ended by a newline, and return its number of lines.

    Raises:
        UsageError: it is packed.
    """
    if is_line(source):
        out.write(source.encode("utf-8", "surrogateescape") + b"\n")
        return 1
    counter, transcoder = _LineCounter(out), Transcoder(safe(source))
    with nullcontext(cast("BufferedReader", sys.stdin.buffer)) if source == "-" else Path(source).open("rb") as file:
        # One system call at a time: `read` would make several without looking whether Ctrl-C was pressed between them.
        while block := file.read1(1024 * 1024):
            counter.write(transcoder.feed(block))
    counter.write(transcoder.finish())
    counter.end_line()
    return counter.lines


class _LineCounter:
    """Writer that counts the lines it passes on."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._last = b"\n"
        self.lines = 0

    def write(self, data: bytes) -> int:
        self.lines += data.count(b"\n")
        self._last = data[-1:] or self._last
        return self._out.write(data)

    def end_line(self) -> None:
        if self._last != b"\n":
            self.write(b"\n")
