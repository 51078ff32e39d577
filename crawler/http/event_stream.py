"""Server-sent events: the messages of a text/event-stream (HTML standard, 9.2.6).

Rules
- An empty line ends an event; one without data is none. At the end of the stream an event that has not ended is none.
- The stream is UTF-8; wrong bytes become U+FFFD, and a byte order mark at its start is left out.
- An id stays the id of all later events. Unknown fields, comments, and a `retry` that is no number say nothing.
- An event beyond the limit is an error, behind the complete events in front of it.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator

import msgspec

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.http.lines import LineSplitter

MAX_EVENT = 1024 * 1024  # bytes

_MARK = b"\xef\xbb\xbf"
_MILLISECONDS = re.compile(rb"[0-9]{1,15}")


class ServerSentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream.

    Attributes:
        event: its type.
        data: its lines, joined by LF.
        id: that of this event, or of the latest one before that had one; empty = none had.
        retry: seconds that the server wants a client to wait before it connects again; None = it has not said.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: float | None = None


class EventStreamReader:
    """A reader of events: `feed` each piece of the stream.

    Attributes:
        last_id: the id to send as Last-Event-ID with the next connection, as of the last event that was yielded; empty
            = none. It begins with the one that was sent with this connection, as in browsers.
        retry: seconds to wait before the next connection; None = the server has not said.
    """

    def __init__(self, last_id: str = "", limit: int = MAX_EVENT) -> None:
        self.last_id = last_id
        self.retry: float | None = None
        self._splitter = LineSplitter(b"\r", b"\n", limit)
        self._is_at_start = True
        self._event = b""
        self._id = last_id.encode("utf-8", "surrogateescape")
        self._data: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<EventStreamReader {self._size} bytes of an event, last id {self.last_id!r}>"

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that end in this piece; read them all before the next one.

        Raises:
            FetchError: BODY_LIMIT, an event is longer than the limit.
        """
        for line in self._splitter.split(piece):
            if self._is_at_start:
                line = line.removeprefix(_MARK)  # noqa: PLW2901 - the mark is no part of the line
                self._is_at_start = False
            if line:
                self._take(line)
            elif (event := self._ended()) is not None:
                yield event
            if self._size > self._splitter.limit:
                self._splitter.is_over = True
                break
        if self._splitter.is_over:
            raise FetchError(Reason.BODY_LIMIT, f"an event of it is longer than {self._splitter.limit} bytes")

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")  # a comment has no name
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and _MILLISECONDS.fullmatch(value):
            self.retry = int(value) / 1000

    def _ended(self) -> ServerSentEvent | None:
        self.last_id = _text(self._id)
        data, event = self._data, self._event
        self._data, self._event, self._size = [], b"", 0
        if not data:
            return None
        return ServerSentEvent(
            event=_text(event) or "message", data=_text(b"\n".join(data)), id=self.last_id, retry=self.retry
        )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
