"""Downloads: a body written to a file, which goes on in the middle where the server can do that.

Rules
- The file appears under its name in one step, when it is complete. Until then it is a part file in the same folder.
- A download can go on if the server says so (Accept-Ranges), states the length, and names the version of the file: a
  strong ETag, or Last-Modified (RFC 9110, 13.1.5). The name of the part file holds the digest of URL, version and
  length, so that the parts of two versions are never put together. The server checks the version, too (If-Range).
- Such a part file stays when the download breaks, and the next download begins at its end. Others are removed.
- A part file belongs to one download at a time; a second one of the same file writes its own.
Runs on: the event loop; files are written in threads.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import random
from secrets import token_hex
from typing import BinaryIO, NamedTuple, Protocol, cast

from crawler.core.errors import FetchError
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.http.content_codings import codings
from crawler.http.retry import backoff
from crawler.runtime.blocking import in_thread_to_the_end

_BLOCK = 1024 * 1024  # bytes that are written at once
_DIGITS = 16
_NAME = 50  # characters of a file's name: with four bytes each, and the digest, they are a name that is short enough
_STRONG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", re.IGNORECASE)


class Source(Protocol):
    """The body of an answer, which can be asked for from the middle."""

    def content(self) -> AsyncIterator[bytes]:
        """Yield what is left of the content."""
        ...

    async def raw(self) -> bytes:
        """Return the next bytes as they were sent; empty = the body is complete."""
        ...

    async def ask_again(self, headers: tuple[tuple[str, str], ...]) -> Response:
        """Ask for the same URL with further headers; the body of this answer comes now."""
        ...


class _Version(NamedTuple):
    """One version of a file on its server: its validator as If-Range sends it, its length in bytes."""

    validator: str
    length: int


async def save(response: Response, body: Source, path: Path, tries: int) -> None:
    """Write the body of `response` to `path`; go on after a break, up to `tries` times that bring nothing.

    Raises:
        FetchError: the body ends too early, and the rest of it cannot be had.
        OSError: the file cannot be written.
    """
    version = _version(response)
    part = _PartFile(path, f"{response.request.url.href} {version}" if version else None)
    try:
        if version is None:
            await _receive(body.content(), part)
        else:
            await _receive_all(version, body, part, tries)
        await in_thread_to_the_end(part.finish)
    except BaseException:
        await in_thread_to_the_end(part.leave)
        raise


async def _receive(pieces: AsyncIterator[bytes], part: "_PartFile") -> None:
    async for piece in pieces:
        part.waiting.append(piece)
        part.held += len(piece)
        if part.held >= _BLOCK:
            await in_thread_to_the_end(part.write)


async def _receive_all(version: _Version, body: Source, part: "_PartFile", tries: int) -> None:
    """Receive the file from the end of its part file on, as often as it breaks."""
    at = await in_thread_to_the_end(part.open)
    if at:
        await _ask_for_rest(version, body, part)
    failed = 0
    while part.size < version.length:
        try:
            await _receive(_raw(body, version.length - part.size), part)
        except FetchError as error:
            failed = 0 if part.size > at else failed + 1
            is_over = error.reason is Reason.TOTAL_TIMEOUT or failed > tries
            if is_over or not error.reason.is_transient:
                raise
            at = part.size
            await in_thread_to_the_end(part.write)
            await asyncio.sleep(backoff(failed, random()))  # noqa: S311 - spreads load, guards nothing
            await _ask_for_rest(version, body, part)
    if part.size > version.length:
        await in_thread_to_the_end(part.restart)
        raise FetchError(Reason.PROTOCOL_ERROR, f"more bytes came than the {version.length} that were stated")


async def _raw(body: Source, missing: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a body that has to bring as many as are missing."""
    while piece := await body.raw():
        missing -= len(piece)
        yield piece
    if missing > 0:
        raise FetchError(Reason.TRUNCATED, f"{missing} bytes are missing")


async def _ask_for_rest(version: _Version, body: Source, part: "_PartFile") -> None:
    """Let the body go on at the end of the part file; from the beginning if the server has another version by now."""
    if part.size >= version.length:
        return
    response = await body.ask_again((("Range", f"bytes={part.size}-"), ("If-Range", version.validator)))
    found = _RANGE.fullmatch(response.header("content-range") or "")
    is_rest = response.status == 206 and found and (int(found[1]), int(found[2])) == (part.size, version.length)
    if not is_rest and (response.status != 200 or _version(response) != version):
        message = f"the rest of the file cannot be had: {response.request.url.origin} answered {response.status}"
        raise FetchError(Reason.PARTIAL_CONTENT, f"{message}, or has another version: download it anew")
    if not is_rest:
        await in_thread_to_the_end(part.restart)


def _version(response: Response) -> _Version | None:
    """Return the version of a file that can be asked for from the middle; None = it cannot, or is too small."""
    length = response.header("content-length") or ""
    tag, changed = response.header("etag") or "", response.header("last-modified")
    validator = tag if _STRONG.fullmatch(tag) else changed
    is_whole = response.status == 200 and response.request.method == "GET" and not codings(response.codings)
    takes_ranges = response.header_list("accept-ranges").strip().lower() == "bytes"
    if not (is_whole and takes_ranges and validator and length.isdecimal() and len(length) <= _DIGITS):
        return None
    return _Version(validator, int(length)) if int(length) > _BLOCK else None


class _PartFile:
    """The beginning of a file, under a name of its own. Its methods block.

    Args:
        path: of the file when it is complete.
        version: what it is the beginning of; None = it cannot go on, so it is not kept.

    Attributes:
        waiting, held: pieces that are not written yet, and their bytes.
    """

    def __init__(self, path: Path, version: str | None) -> None:
        self._path = path
        self._is_kept = version is not None
        digest = sha256(f"{path.name} {version}".encode()).hexdigest()[:_DIGITS] if version else token_hex(_DIGITS // 2)
        self._name = path.with_name(f".{path.name[:_NAME]}.{digest}.part")
        self._file: BinaryIO | None = None
        self._written = 0
        self.waiting: list[bytes] = []
        self.held = 0

    @property
    def size(self) -> int:
        """Return the bytes of the beginning, written or not."""
        return self._written + self.held

    def open(self) -> int:
        """Open it, where nobody else has; return the bytes that it has already."""
        file = self._opened(self._name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another download of the same file, or a file system without locks
            file.close()
            self._is_kept = False
            self._name = self._name.with_suffix(f".{token_hex(_DIGITS // 2)}.part")
            file = self._opened(self._name)
        self._file = file
        self._written = file.seek(0, os.SEEK_END)
        return self._written

    def write(self) -> None:
        """Write what waits."""
        if self._file is None:
            self.open()
        data, self.waiting = self.waiting, []
        file = cast("BinaryIO", self._file)
        file.writelines(data)
        file.flush()
        self._written += self.held
        self.held = 0

    def restart(self) -> None:
        """Begin again with an empty file."""
        file = cast("BinaryIO", self._file)
        file.seek(0)
        file.truncate()
        self._written = self.held = 0
        self.waiting.clear()

    def finish(self) -> None:
        """Give the file its name."""
        self.write()
        self._name.replace(self._path)
        self._close()

    def leave(self) -> None:
        """Keep the beginning for the next download, or remove it."""
        with suppress(OSError):
            if self._file is not None and self._is_kept:
                self.write()
        is_empty = not self._written
        if self._file is not None and (is_empty or not self._is_kept):
            self._name.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @staticmethod
    def _opened(path: Path) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o666), "r+b")
