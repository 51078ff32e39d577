"""The body of a request: bytes or text, a file, a path, or an iterable of bytes.

Rules
- A body of a known length sends that many bytes or fails: of a file that has grown, the length at first; one that has
  shrunk or vanished is a UsageError.
- A body may be sent again if the same bytes can be had again: an iterator cannot, nor can a file without seek.
- A file that the user opened is sent from where it stood, and stays open; a path is opened for each sending and closed.
- Errors of the user's iterable pass through unchanged. It is closed when it is left early, cancelled or not.
- No piece is empty: in a chunked body an empty chunk is the end (RFC 9112, 7.1).
Runs on: the event loop; files are read on threads. Only the length of a file is asked for on the loop.
"""

import io
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

import msgspec

from crawler.core.errors import UsageError
from crawler.core.messages import BodySource
from crawler.runtime.blocking import in_thread

STEP = 256 * 1024


class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes | None:
        """Return the next bytes, at most `size`; empty = the end, None = it does not block, which is refused."""
        ...


Content = bytes | bytearray | memoryview | str | Path | BinaryFile | Iterable[bytes] | AsyncIterable[bytes]
CONTENT = "bytes, text, a binary file, a pathlib.Path or an iterable of bytes"


def request_body(keyword: str, value: object) -> BodySource:
    """Return the body that the user gave with this keyword.

    Raises:
        UsageError: it is no body, a path that cannot be read, or a file that is not open for reading bytes.
    """
    if isinstance(value, str):
        return BytesBody(value.encode())
    if isinstance(value, bytes | bytearray | memoryview):
        return BytesBody(bytes(value))
    if isinstance(value, Path):
        return _path_body(keyword, value)
    if isinstance(value, AsyncIterable):  # some are files whose `read` is a coroutine
        return IterableBody(keyword, value)
    if callable(getattr(value, "read", None)):
        return _file_body(keyword, value)  # type: ignore[arg-type] # it is asked for an empty piece first
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return IterableBody(keyword, value)
    raise UsageError(f"{keyword}: expected {CONTENT}, got {type(value).__name__}")


class BytesBody(msgspec.Struct, frozen=True):
    """A body that is here in full."""

    content: bytes

    @property
    def length(self) -> int:
        """Number of bytes."""
        return len(self.content)

    @property
    def is_repeatable(self) -> bool:
        """Return True."""
        return True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the content in steps."""
        for at in range(0, len(self.content), STEP):
            yield self.content[at : at + STEP]


class PathBody(msgspec.Struct, frozen=True):
    """A file that is opened when it is sent."""

    title: str
    path: Path
    length: int

    @property
    def is_repeatable(self) -> bool:
        """Return True."""
        return True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Open the file and yield its bytes."""
        try:
            file = await in_thread(self.path.open, "rb", discard=lambda file: file.close())
        except OSError as error:
            raise _unreadable(self.title, error) from error
        with file:  # closing waits for a read on a thread, if the wait for it was cancelled: a moment, of a disk
            async with aclosing(_read(self.title, file, self.length)) as pieces:
                async for piece in pieces:
                    yield piece


class FileBody(msgspec.Struct, frozen=True):
    """A file that the user opened; `start` is where it stood, None = it can only be read once, to its end."""

    title: str
    file: BinaryFile
    start: int | None
    length: int | None

    @property
    def is_repeatable(self) -> bool:
        """Return whether the file can go back to where it stood."""
        return self.start is not None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the file from where it stood."""
        if self.start is not None:
            try:
                await in_thread(self.file.seek, self.start)  # type: ignore[attr-defined] # it has told where it stood
            except (OSError, ValueError) as error:
                raise _unreadable(self.title, error) from error
        async with aclosing(_read(self.title, self.file, self.length)) as pieces:
            async for piece in pieces:
                yield piece


class IterableBody(msgspec.Struct, frozen=True):
    """Bytes that the user's iterable gives; it is iterated on the loop."""

    keyword: str
    source: Iterable[bytes] | AsyncIterable[bytes]
    length: None = None

    @property
    def is_repeatable(self) -> bool:
        """Return whether it can be iterated again."""
        return not isinstance(self.source, Iterator | AsyncIterator)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Iterate from the start, and close the iterator at the end."""
        async with aclosing(_each(self.source)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, bytes | bytearray | memoryview):
                    raise UsageError(f"{self.keyword}: an iterable has to give bytes, not {type(piece).__name__}")
                if piece := bytes(piece):
                    yield piece


async def _each(source: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(source, AsyncIterable):
        later = aiter(source)
        try:
            async for piece in later:
                yield piece
        finally:
            if isinstance(later, AsyncGenerator):
                await later.aclose()
    else:
        pieces = iter(source)
        try:
            for piece in pieces:
                yield piece
        finally:
            if callable(close := getattr(pieces, "close", None)):
                close()


def _path_body(keyword: str, path: Path) -> PathBody:
    title = f"{keyword}: {str(path)!r}"
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise _unreadable(title, error) from error
    if not stat.S_ISREG(facts.st_mode):
        raise UsageError(f"{title} is no regular file: open it, and give the open file")
    return PathBody(title, path, facts.st_size)


def _file_body(keyword: str, file: BinaryFile) -> FileBody:
    name = getattr(file, "name", None)
    title = f"{keyword}: {type(file).__name__ if name is None else name!r}"
    try:
        if not isinstance(file.read(0), bytes):
            raise UsageError(f'{title} is not open for reading bytes: open it with mode "rb"')
    except (OSError, ValueError) as error:  # closed, or open for writing
        raise _unreadable(title, error) from error
    start = _place(file)
    if start is None:
        return FileBody(title, file, None, None)
    end = file.seek(0, io.SEEK_END)  # type: ignore[attr-defined] # it has told where it stands
    file.seek(start)  # type: ignore[attr-defined] # as above
    return FileBody(title, file, start, max(0, end - start))


def _place(file: BinaryFile) -> int | None:
    """Return where a file stands; None = it cannot go back there."""
    try:
        return int(file.tell()) if file.seekable() else None  # type: ignore[attr-defined] # caught
    except (AttributeError, OSError):
        return None


async def _read(title: str, file: BinaryFile, length: int | None) -> AsyncGenerator[bytes, None]:
    """Yield `length` bytes of a file from where it stands; None = all."""
    left = length
    while left != 0:
        size = STEP if left is None else min(STEP, left)
        try:
            piece = await in_thread(file.read, size)
        except (OSError, ValueError) as error:
            raise _unreadable(title, error) from error
        if not isinstance(piece, bytes) or len(piece) > size:
            raise UsageError(f"{title} gave no bytes, or more than it was asked for: give a binary file that blocks")
        if not piece and left is None:
            return
        if not piece:
            raise UsageError(f"{title} has shrunk: {left} of the {length} bytes to be sent are missing; send it again")
        if left is not None:
            left -= len(piece)
        yield piece


def _unreadable(title: str, error: Exception) -> UsageError:
    return UsageError(f"{title} cannot be read: {getattr(error, 'strerror', None) or error}")
