"""The one request of a load test, as bytes, and the rule for a good answer to it.

Rule: a request is made once and sent many times; sending it costs no work but the write.
Runs on: the loop that loads; it travels to the worker processes.
"""

from dataclasses import dataclass

from crawler.http.framing import ResponseReader
from crawler.load.nanoseconds import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and the rule for a good answer.

    Attributes:
        request: the bytes of the request, head and body.
        keep_alive: False = a new connection for every request.
        statuses: the good ones; None = all below 400.
        body: text that a good answer holds; None = bodies are not checked.
        timeout: nanoseconds from sending (or dialling, where that is needed) to the end of the answer.
    """

    request: bytes
    bodiless: bool = False
    keep_alive: bool = True
    statuses: frozenset[int] | None = None
    body: bytes | None = None
    timeout: int = 10 * SECOND

    def is_good(self, status: int) -> bool:
        """Return whether this status counts as a good answer."""
        return status < 400 if self.statuses is None else status in self.statuses

    def reader(self) -> ResponseReader:
        """Return a reader for the answers."""
        kind = ResponseReader if self.body is None else KeepingReader
        return kind(bodiless=self.bodiless)


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
