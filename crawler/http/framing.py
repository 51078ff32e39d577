"""The framing of HTTP/1.1 responses: Content-Length, chunked, or until the connection ends (RFC 9112, 6 to 8).

Rules
- The result depends on the bytes alone: whole, byte by byte or split anywhere, an answer reads the same.
- An answer is complete when its framing says so (6.3). Bytes behind it are surplus and belong to no request; line ends
  alone are no surplus.
- Chunk lines may end with LF alone and have white space around the size, as browsers and curl allow; such an answer
  ends its connection.
- A flaw of the body's framing is raised once the head is complete, so the caller has the head all the same.
- Memory is bounded: the heads of an answer have 256 KiB together; a chunk's line has 16 KiB, and the trailers, which
  are ignored, 64 KiB. A body is handed over piece by piece.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Callable
from enum import IntEnum

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.http.head import Head, read_head

HEAD_END = b"\r\n\r\n"
MAX_HEAD = 256 * 1024
MAX_INTERIM = 100
MAX_CHUNK_LINE = 16 * 1024
MAX_TRAILERS = 64 * 1024


class _FramingStage(IntEnum):
    """The part of an answer that comes next."""

    HEAD = 0
    LENGTH = 1
    UNTIL_END = 2
    CHUNK_SIZE = 3
    CHUNK = 4
    CHUNK_END = 5
    TRAILERS = 6
    SURPLUS = 7


_HEAD, _LENGTH, _UNTIL_END, _CHUNK_SIZE, _CHUNK, _CHUNK_END, _TRAILERS, _SURPLUS = (
    _FramingStage  # a global is read quicker
)
_START = b"HTTP/"
_BLANK = b"\r\n"
_NO_BODY = frozenset({204, 304})
_RESET_CONTENT = 205  # has no body (RFC 9110, 15.3.6), though an announced one must be skipped
_USUAL_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE = re.compile(rb"[ \t]*+0*+([0-9A-Fa-f]{1,15}|(?<=0))[ \t]*+(?:;.*)?", re.DOTALL)


def is_blank(data: bytes) -> bool:
    """Return whether these are line ends at most."""
    return not data.strip(_BLANK)


class ResponseReader:
    """A reader of one answer: `feed` it bytes until `is_done`, and `finish` when the connection ends.

    Args:
        take: is called with each piece of the body, without chunk framing; by default the body is dropped.
        bodiless: the request was HEAD, whose answers have no body whatever their head says.

    Attributes:
        head: of the final answer; None = it is not complete.
        is_done: the answer is complete.
        keep_alive: the connection can carry another request.
        surplus: bytes came behind the answer; the connection must be closed.
        is_plain: the answer was one regular head and a body of its Content-Length.
    """

    __slots__ = (
        *("_interims", "_latest", "_latest_head", "_left", "_raw", "_spent", "_stage", "_take"),
        *("bodiless", "head", "is_done", "is_plain", "keep_alive", "surplus"),
    )

    def __init__(self, take: Callable[[bytes], object] = lambda _piece: None, *, bodiless: bool = False) -> None:
        self._take = take
        self.bodiless = bodiless
        self._latest = b""  # the latest head: a server often says the same again
        self.begin()

    def begin(self) -> None:
        """Begin a new answer with the next bytes."""
        self._stage: int = _HEAD
        self._raw = b""  # an incomplete head, or an incomplete line between chunks
        self._left = 0  # bytes of the body, or of the chunk, that are still to come
        self._spent = 0  # bytes of heads, later of trailers
        self._interims = 0
        self.head: Head | None = None
        self.is_done = self.is_plain = self.keep_alive = self.surplus = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes.

        Raises:
            FetchError: the bytes are no answer; the connection must be closed.
        """
        while data and self._stage == _HEAD:
            data = self._feed_head(data)
        if not data:
            return
        if self._stage == _LENGTH:
            left = self._left
            if len(data) < left:
                self._left = left - len(data)
                self._take(data)
            else:
                self._take(data[:left])
                self._end(data[left:])
        elif self._stage == _UNTIL_END:
            self._take(data)
        elif self._stage == _SURPLUS:
            self.surplus = self.surplus or not is_blank(data)
        else:
            self._feed_chunks(data)

    def finish(self) -> None:
        """Note that the server closed its side of the connection.

        Raises:
            FetchError: it closed in the middle of an answer, or before any.
        """
        self.keep_alive = False
        if self.is_done:
            return
        if self._stage == _HEAD and not (self._raw or self._interims):
            raise FetchError(Reason.CONNECTION_LOST, "the server closed the connection without an answer")
        if self._stage not in {_UNTIL_END, _TRAILERS}:  # behind the last chunk nothing is missing (RFC 9112, 8)
            raise FetchError(Reason.TRUNCATED, "the server closed the connection in the middle of its answer")
        self._end(b"")

    def _feed_head(self, data: bytes) -> bytes:
        """Read up to the end of the head; return the bytes behind it."""
        known = len(self._raw)
        raw = self._raw + data if known else data.lstrip(_BLANK)
        if raw[: len(_START)].upper() != _START[: len(raw)]:
            raise FetchError(Reason.PROTOCOL_ERROR, f"no HTTP/1.1 answer, but {raw[:40]!r}")
        # The head ends at the first empty line, lines ending with CRLF or LF.
        usual = raw.find(b"\n\r\n", max(0, known - 2))
        bare = raw.find(b"\n\n", max(0, known - 2), usual + 1 if usual >= 0 else len(raw))
        end = bare + 2 if bare >= 0 else usual + 3 if usual >= 0 else -1
        if self._spent + (end if end >= 0 else len(raw)) > MAX_HEAD:
            raise FetchError(Reason.HEADER_LIMIT, f"the response's head has more than {MAX_HEAD // 1024} KiB")
        if end < 0:
            self._raw = raw
            return b""
        self._raw = b""
        if (whole := raw[:end]) != self._latest:
            self._latest, self._latest_head = whole, read_head(whole)
        self._begin_body(self._latest_head, is_usual=raw.endswith(HEAD_END, 0, end))
        self._spent += end
        return raw[end:]

    def _begin_body(self, head: Head, *, is_usual: bool) -> None:
        """Choose the framing of the body (RFC 9112, 6.3)."""
        if head.status < 200:
            self._interims += 1
            if head.status == 101:
                raise FetchError(Reason.PROTOCOL_ERROR, "the server switched to a protocol that was not requested")
            if self._interims > MAX_INTERIM:
                raise FetchError(Reason.PROTOCOL_ERROR, f"the server sent more than {MAX_INTERIM} interim responses")
            return
        self.head = head
        self.keep_alive = head.keep_alive
        self._spent = 0
        self.is_plain = is_usual and not (self._interims or head.is_chunked)
        if self.bodiless or head.status in _NO_BODY:
            self._end(b"")
        elif head.flaw:
            raise FetchError(Reason.PROTOCOL_ERROR, head.flaw)
        elif head.is_chunked:
            self._stage = _CHUNK_SIZE
        elif head.length is None and head.status != _RESET_CONTENT:
            self._stage = _UNTIL_END
            self.keep_alive = self.is_plain = False
        elif head.length:
            self._stage, self._left = _LENGTH, head.length
        else:
            self._end(b"")

    def _feed_chunks(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            if self._stage == _CHUNK:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._take(piece)
                if not self._left:
                    is_usual = data.startswith(b"\r\n", at)
                    self._stage = _CHUNK_SIZE if is_usual else _CHUNK_END
                    at += 2 if is_usual else 0
            elif self._stage == _CHUNK_SIZE and not self._raw and (usual := _USUAL_SIZE.match(data, at)):
                at = usual.end()
                self._begin_chunk(usual[1])
            else:
                at = self._feed_line(data, at)

    def _begin_chunk(self, digits: bytes) -> None:
        self._left = int(digits, 16)
        self._stage = _CHUNK if self._left else _TRAILERS

    def _feed_line(self, data: bytes, at: int) -> int:
        """Read a line between chunks, or a part of one; return the start of the rest."""
        end = data.find(b"\n", at)
        line = self._raw + data[at : end if end >= 0 else None]
        if self._stage == _CHUNK_END and line not in {b"", b"\r"}:
            raise FetchError(Reason.PROTOCOL_ERROR, "a chunk of its body is longer than it says")
        if len(line) > MAX_CHUNK_LINE:
            raise FetchError(Reason.HEADER_LIMIT, f"a line between chunks has more than {MAX_CHUNK_LINE // 1024} KiB")
        if end < 0:
            self._raw = line
            return len(data)
        self._raw = b""
        self.keep_alive = self.keep_alive and line.endswith(b"\r")
        line = line.removesuffix(b"\r")
        if self._stage == _CHUNK_END:
            self._stage = _CHUNK_SIZE
        elif self._stage == _TRAILERS:
            self._spent += len(line)
            if self._spent > MAX_TRAILERS:
                raise FetchError(Reason.HEADER_LIMIT, f"its trailers have more than {MAX_TRAILERS // 1024} KiB")
            if not line:
                self._end(b"")
        elif size := _SIZE.fullmatch(line):
            self.keep_alive = self.keep_alive and b" " not in line and b"\t" not in line
            self._begin_chunk(size[1] or b"0")
        else:
            raise FetchError(Reason.PROTOCOL_ERROR, f"no size of a chunk, but {line[:40]!r}")
        if not self.is_done:
            return end + 1
        self.surplus = not is_blank(data[end + 1 :])
        return len(data)

    def _end(self, rest: bytes) -> None:
        """Complete the answer; `rest` came behind it."""
        self._stage = _SURPLUS
        self.is_done = True
        self.surplus = not is_blank(rest)
