"""Downloads: a body written to a file, which goes on in the middle where the server can do that.

Rules
- The file appears under its name in one step, when it is complete. Until then it is a part file in the same folder.
- A download can go on if the server says so (Accept-Ranges), states the length, and names the version of the file: a
  strong ETag, or without any ETag a Last-Modified before Date (RFC 9110, 13.1.5). The name of the part file holds the
  digest of URL, version and length, so that the parts of two versions are never put together. The server checks the
  version, too (If-Range).
- Such a part file stays when the download breaks, and the next download begins at its end. Others are removed, and so
  is one whose rest cannot be had: the next download begins anew.
- A download that cannot go on begins anew when it breaks, within the same tries.
- A part file belongs to one download at a time; a second one of the same file writes its own. So does one that finds
  under that name a link, or the file of another user: its bytes are not ours.
Runs on: the event loop; files are written in threads.
"""

import asyncio
import errno
import fcntl
import os
import re
import stat
from collections.abc import Awaitable, Callable
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
_NOT_SATISFIABLE = 416
_STRONG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", re.IGNORECASE)


class Source(Protocol):
    """The body of an answer, which can be asked for from the middle.

    Attributes:
        taken: bytes of the file so far; a limit of the user's counts them.
    """

    taken: int

    async def content(self) -> bytes:
        """Return the next bytes of the content; empty = it is complete."""
        ...

    async def raw(self) -> bytes:
        """Return the next bytes as they were sent; empty = the body is complete."""
        ...

    async def ask_again(self, headers: tuple[tuple[str, str], ...]) -> Response:
        """Ask for the same URL with further headers; the body of this answer comes now."""
        ...

    async def tell_retry(self, pause: float, error: FetchError) -> None:
        """Tell the user that the body broke, and is asked for again after so many seconds."""
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
        await in_thread_to_the_end(part.open)
        await _receive_all(response, version, body, part, tries)
        await in_thread_to_the_end(part.finish)
    except BaseException:
        await in_thread_to_the_end(part.leave)
        raise


async def _receive(next_piece: Callable[[], Awaitable[bytes]], part: "_PartFile", length: int | None = None) -> None:
    while piece := await next_piece():
        if length is not None and part.size + len(piece) > length:
            await in_thread_to_the_end(part.restart)
            raise FetchError(Reason.PROTOCOL_ERROR, f"more bytes came than the {length} that were stated")
        part.waiting.append(piece)
        part.held += len(piece)
        if part.held >= _BLOCK:
            await in_thread_to_the_end(part.write)
    if length is not None and part.size < length:
        raise FetchError(Reason.TRUNCATED, f"{length - part.size} bytes are missing")


async def _receive_all(
    response: Response, version: _Version | None, body: Source, part: "_PartFile", tries: int
) -> None:
    """Receive the file from the end of its part file on, as often as it breaks; or each time from its beginning."""
    at, failed = part.size, 0
    if at and version is not None:
        await _ask_for_rest(version, body, part)
    while version is None or part.size < version.length:
        try:
            if version is None:
                await _receive(body.content, part)
                return
            await _receive(body.raw, part, version.length)
        except FetchError as error:
            failed = 1 if part.size > at and version is not None else failed + 1
            is_over = error.reason is Reason.TOTAL_TIMEOUT or failed > tries or response.request.method != "GET"
            if is_over or not error.reason.is_transient:
                raise
            pause = backoff(failed - 1, random())  # noqa: S311 - spreads load, guards nothing
            await in_thread_to_the_end(part.write)
            await body.tell_retry(pause, error)
            await asyncio.sleep(pause)
            at = part.size
            if version is None:
                await _begin_anew(response, body, part)
            else:
                await _ask_for_rest(version, body, part)


async def _begin_anew(response: Response, body: Source, part: "_PartFile") -> None:
    """Let the body begin again, of a file that cannot go on in the middle."""
    await in_thread_to_the_end(part.restart)
    again = await body.ask_again(())
    if again.status != response.status:
        message = f"the file cannot be had again: {again.request.url.origin} answered {again.status} now"
        raise FetchError(Reason.HTTP_STATUS, message)


async def _ask_for_rest(version: _Version, body: Source, part: "_PartFile") -> None:
    """Let the body go on at the end of the part file, or at the beginning if the server sends all of it again."""
    if part.size >= version.length:
        return
    response = await body.ask_again((("Range", f"bytes={part.size}-"), ("If-Range", version.validator)))
    is_rest = _is_rest(response, version, part.size)
    if not is_rest and (response.status < 400 or response.status == _NOT_SATISFIABLE):
        await in_thread_to_the_end(part.restart)
    if not is_rest and _version(response) != version:
        message = f"the rest of the file cannot be had: {response.request.url.origin} answered {response.status}"
        raise FetchError(Reason.PARTIAL_CONTENT, f"{message}, or has another version: download it anew")
    body.taken = part.size


def _is_rest(response: Response, version: _Version, start: int) -> bool:
    """Return whether an answer is the rest of this version, whether the server has heeded If-Range or not."""
    if response.status != 206 or codings(response.codings):
        return False
    found = _RANGE.fullmatch(response.header("content-range") or "")
    validator = response.header("etag" if _STRONG.fullmatch(version.validator) else "last-modified")
    is_same = validator in {None, version.validator}
    return is_same and found is not None and (int(found[1]), int(found[2])) == (start, version.length)


def _version(response: Response) -> _Version | None:
    """Return the version of a file that can be asked for from the middle; None = it cannot, or is too small."""
    length = response.header("content-length") or ""
    tag, changed = response.header("etag"), response.header("last-modified")
    if tag is not None:
        validator = tag if _STRONG.fullmatch(tag) else None
    else:
        validator = changed if response.header("date") not in {None, changed} else None  # RFC 9110, 8.8.2.2
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
        self._version = f"{path.name} {version}".encode("utf-8", "surrogateescape")
        self._file: BinaryIO | None = None
        self._written = 0
        self.waiting: list[bytes] = []
        self.held = 0

    @property
    def size(self) -> int:
        """Return the bytes of the beginning, written or not."""
        return self._written + self.held

    def open(self) -> None:
        """Open it, at its end; a new one if another download has that of this version."""
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        self._is_kept = self._is_kept and self._open_kept()
        if not self._is_kept:
            self._name = self._named(token_hex(_DIGITS // 2))
            try:
                self._file = _opened(self._name, os.O_EXCL)
            except OSError as error:
                error.filename = str(self._path)  # the name that the user gave
                raise
        self._written = cast("BinaryIO", self._file).seek(0, os.SEEK_END)

    def _open_kept(self) -> bool:
        """Open the file of this version; return whether it is ours, and no other download has it open."""
        self._name = self._named(sha256(self._version).hexdigest()[:_DIGITS])
        while True:
            try:
                file = _opened(self._name)
            except OSError:  # a link, a folder, or a file that is not ours
                return False
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                facts = os.fstat(file.fileno())
                has_name = os.path.samestat(facts, self._name.lstat())
            except FileNotFoundError:
                has_name = False
            except OSError:  # locked, or on a file system without locks
                file.close()
                return False
            if has_name and _is_ours(facts):
                self._file = file
                return True
            file.close()
            if has_name:
                return False
            # Another download has completed it before it was locked here.

    def _named(self, digest: str) -> Path:
        return self._path.parent / f".{self._path.name[:_NAME]}.{digest}.part"

    def write(self) -> None:
        """Write the waiting pieces."""
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
        if self._file is None:
            return
        with suppress(OSError):
            if self._is_kept:
                self.write()
        with suppress(OSError):
            if not (self._is_kept and self._written):
                self._name.unlink(missing_ok=True)
        with suppress(OSError):  # as the write before: what cannot be written comes again
            self._close()

    def _close(self) -> None:
        file, self._file = cast("BinaryIO", self._file), None
        file.close()


def _opened(path: Path, more_flags: int = 0) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | more_flags
    return os.fdopen(os.open(path, flags, 0o666), "r+b")


def _is_ours(facts: os.stat_result) -> bool:
    """Return whether a file is one that a download of this user made: in a shared folder its name can be guessed."""
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and facts.st_nlink == 1
