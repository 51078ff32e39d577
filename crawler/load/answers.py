"""One answer after another out of a stream of bytes, whatever pieces they come in.

Rules
- The result depends on the bytes alone: whole, byte by byte or split anywhere, an answer reads the same.
- Every way to end a body (RFC 9112, 6.3): no body at all (HEAD, 204, 304), a length, chunks, the end of the connection.
- Line ends between two answers are skipped, as parsers do; any other byte behind an answer is surplus.
- Interim answers (1xx) are skipped; switching protocols was never asked for and is an error.
- Bodies are counted by the parser in C and thrown away, unless somebody wants to see them.
Runs on: the loop (no I/O).
"""

import re

import httptools

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason

HEAD_END = b"\r\n\r\n"
MAX_HEAD = 256 * 1024
_FRAMED = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_STARTS = b"HTTP/1."
_BLANK = b"\r\n"


def is_blank(data: bytes) -> bool:
    """Whether these are line ends at most."""
    return not data.strip(_BLANK)


class AnswerReader:
    """Reads answers to requests of one kind; `begin`, then `feed` until `is_done`.

    Args:
        bodiless: the request was HEAD, whose answers have no body whatever their head says.

    Attributes:
        is_done: the answer is complete, and `status` and `keep_alive` are its own.
        surplus: more came than the answer; the connection is of no further use.
        is_plain: its head alone tells how long it is, so the next one with the same head needs no parser.
    """

    __slots__ = (
        *("_bodiless", "_head", "_in_body", "_interims", "_parser"),
        *("is_done", "is_plain", "keep_alive", "status", "surplus"),
    )

    def __init__(self, *, bodiless: bool = False) -> None:
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """The next bytes are those of a new answer."""
        self._head = b""
        self._in_body = False
        self._interims = 0
        self.is_done = False
        self.is_plain = False
        self.surplus = False
        self.keep_alive = False
        self.status = 0

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            FetchError: this is no answer; the connection is of no further use.
        """
        while data and not (self._in_body or self.is_done):
            data = self._feed_head(data)
        if self.is_done:
            self.surplus = self.surplus or not is_blank(data)
            return
        if data:
            self._parse(data)

    def finish(self) -> None:
        """The server closed the connection.

        Raises:
            FetchError: in the middle of an answer, or before there was any.
        """
        if self.is_done:
            return
        if not (self._head or self._in_body or self._interims):
            raise FetchError(Reason.CONNECTION_LOST, "the server closed the connection without an answer")
        if not self._in_body or _FRAMED.search(self._head):
            raise FetchError(Reason.TRUNCATED, "the server closed the connection in the middle of an answer")
        self.is_done = True
        self.keep_alive = False

    def _feed_head(self, data: bytes) -> bytes:
        """Read up to the end of the head; gives back what lies behind it."""
        before = len(self._head)
        if not before:
            data = data.lstrip(_BLANK)
        self._head += data
        if not self._head.startswith(_STARTS[: len(self._head)]):
            raise FetchError(Reason.PROTOCOL_ERROR, f"no HTTP answer, but {self._head[:40]!r}")
        end = self._head.find(HEAD_END, max(0, before - len(HEAD_END)))
        if len(self._head) > MAX_HEAD and not 0 <= end <= MAX_HEAD:
            raise FetchError(Reason.HEADER_LIMIT, f"a head of more than {MAX_HEAD} bytes")
        if end < 0:
            self._parse(data)
            if self.is_done or self._in_body:
                raise FetchError(Reason.PROTOCOL_ERROR, "the lines of its head end without CR")
            return b""
        cut = end + len(HEAD_END) - before
        self._head = self._head[: end + len(HEAD_END)]
        self._parse(data[:cut])
        self._head_is_read()
        return data[cut:]

    def _head_is_read(self) -> None:
        """Decide what follows the head."""
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interims += 1
            self._head = b""
            self.is_done = False
            return
        if not (self.is_done or self._in_body):
            raise FetchError(Reason.PROTOCOL_ERROR, "its head does not end where it should")
        self._in_body = True
        if self._bodiless and not self.is_done:
            self.on_message_complete()
            self._parser = httptools.HttpResponseParser(self)  # the old one waits for a body
        self.is_plain = not (self._interims or _CHUNKED.search(self._head))

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise FetchError(Reason.PROTOCOL_ERROR, "it switches to another protocol, unasked") from None
        except httptools.HttpParserError as error:
            if not self.is_done:
                raise FetchError(Reason.PROTOCOL_ERROR, f"malformed: {error}") from None
            self.surplus = True

    # What the parser calls

    def on_message_begin(self) -> None:
        """A head begins: of this answer, of the one behind an interim answer, or of one that nobody asked for."""
        self.surplus = self.is_done

    def on_headers_complete(self) -> None:
        """A head was read."""
        self.status = self._parser.get_status_code()
        self._in_body = self.status >= 200

    def on_message_complete(self) -> None:
        """An answer, perhaps an interim one, is complete."""
        self.keep_alive = self._parser.should_keep_alive()
        self.is_done = self.status >= 200


class KeepingReader(AnswerReader):
    """Keeps the body of the answer, too."""

    __slots__ = ("_body",)

    def begin(self) -> None:
        """The next bytes are those of a new answer."""
        super().begin()
        self._body: list[bytes] = []

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        self._body.append(piece)

    @property
    def body(self) -> bytes:
        """The body so far, without chunk framing."""
        return b"".join(self._body)
