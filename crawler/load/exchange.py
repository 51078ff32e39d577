"""A request of a load test, as bytes, and the rule for a good answer.

Rule: a request is made once and sent many times; sending it costs no work but the write.
Runs on: anywhere (pure); the rule travels to the worker processes.
"""

from dataclasses import dataclass
from typing import NamedTuple

from crawler.http.content_codings import codings, decode
from crawler.http.decompression import DecodeProblem
from crawler.http.framing import ResponseReader
from crawler.load.nanoseconds import SECOND

_MOST_DECODED = 64 * 1024 * 1024  # bytes of a body that is checked
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})  # RFC 9110, 9.2.2


class Request(NamedTuple):
    """One request, ready to be sent.

    Attributes:
        data: head and body.
        group, host: the numbers of the target's group and of its host.
        bodiless: the method is HEAD, whose answers have no body.
    """

    data: bytes
    group: int = 0
    host: int = 0
    bodiless: bool = False

    @property
    def is_idempotent(self) -> bool:
        """Return whether a client may send it twice by itself."""
        return self.data.partition(b" ")[0] in _IDEMPOTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and the rule for a good answer to it or to others.

    Attributes:
        request: the bytes of the request, head and body; empty with a file of targets.
        keep_alive: False = a new connection for every request.
        per_connection: requests after which a connection is closed; None = no limit.
        statuses: the good ones; None = all below 400.
        body: text that a good answer holds, decoded; None = bodies are not checked.
        keeps_body: a script reads the bodies.
        timeout: nanoseconds from sending (or dialling, where that is needed) to the end of the answer.
    """

    request: bytes
    bodiless: bool = False
    keep_alive: bool = True
    per_connection: int | None = None
    statuses: frozenset[int] | None = None
    body: bytes | None = None
    keeps_body: bool = False
    timeout: int = 10 * SECOND

    def is_good(self, status: int) -> bool:
        """Return whether this status counts as a good answer."""
        return status < 400 if self.statuses is None else status in self.statuses

    def reader(self) -> ResponseReader:
        """Return a reader for the answers."""
        return KeepingReader() if self.keeps_body or self.body is not None else ResponseReader()

    def is_expected(self, reader: ResponseReader) -> bool:
        """Return whether the answer's body, without its content codings, holds the expected text."""
        return self.body is None or (isinstance(reader, KeepingReader) and self.body in reader.decoded())


class KeepingReader(ResponseReader):
    """A reader that keeps the body of the answer."""

    __slots__ = ("_pieces",)

    def __init__(self, *, bodiless: bool = False) -> None:
        self._pieces: list[bytes] = []
        super().__init__(self._pieces.append, bodiless=bodiless)

    def begin(self) -> None:
        """Begin a new answer with the next bytes."""
        super().begin()
        self._pieces.clear()

    @property
    def body(self) -> bytes:
        """Return the body so far, without chunk framing."""
        return b"".join(self._pieces)

    def decoded(self) -> bytes:
        """Return the body without its content codings; a body that cannot be decoded is returned as it came."""
        if self.head is None:
            return self.body
        named = b", ".join(self.head.headers.named(b"content-encoding")).decode("latin-1")
        try:
            return decode(self.body, (*codings(named), *self.head.codings), _MOST_DECODED)
        except DecodeProblem:
            return self.body
