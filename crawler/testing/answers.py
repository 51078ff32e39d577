"""The answers that a test gives to a `FakeTransport`, and their short forms.

Rules
- Text and JSON get a Content-Type, and a body its Content-Length, unless the answer has headers of these names.
Runs on: anywhere.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crawler.core.errors import UsageError
from crawler.core.keywords import Pairs, pairs_of
from crawler.core.messages import HeaderFields
from crawler.downloader.fetched import SentRequest

Piece = bytes | Exception
Body = bytes | str | Mapping[str, object] | Sequence[object] | tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """One answer.

    Attributes:
        status: three digits, 200 or more.
        body: bytes; text, which is sent as UTF-8; a mapping or a list, which is sent as JSON; or a tuple of pieces,
            which `Fetcher.open` gets one by one. A piece may be an error: it is raised in place of the rest.
        headers: a mapping, or pairs, in which a name may be repeated.
        delay: seconds until the answer comes, on the clock of the transport: they take no time. A delay beyond a
            timeout is the error that it would be.
    """

    status: int = 200
    body: Body = b""
    headers: Pairs = field(default_factory=dict)
    delay: float = 0.0

    def __post_init__(self) -> None:
        status: object = self.status
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 999:
            raise UsageError(f"status: expected a number from 200 to 999, got {status!r}")
        if not isinstance(self.body, bytes | str | Mapping | list | tuple):
            raise UsageError(f"body: expected bytes, text, a mapping, a list or pieces, got {type(self.body).__name__}")
        pieces = self.body if isinstance(self.body, tuple) else ()
        if not all(isinstance(piece, bytes | Exception) for piece in pieces):
            raise UsageError("body: expected pieces that are bytes or errors")
        pairs_of("headers", self.headers)

    def pieces(self) -> tuple[Piece, ...]:
        """Return the body in pieces, none of which is empty."""
        if isinstance(self.body, tuple):
            return tuple(piece for piece in self.body if piece)
        whole = self.body if isinstance(self.body, bytes) else self._text().encode()
        return tuple(whole[at : at + _STEP] for at in range(0, len(whole), _STEP))

    def fields(self) -> HeaderFields:
        """Return the headers as they are received."""
        pairs = pairs_of("headers", self.headers)
        names = {name.lower() for name, _ in pairs}
        pairs += [(name, value) for name, value in self._usual() if name.lower() not in names]
        return HeaderFields((name.encode(), value.encode()) for name, value in pairs)

    def _usual(self) -> Iterable[tuple[str, str]]:
        """Yield the headers that a server sends with the body."""
        if isinstance(self.body, str):
            yield "Content-Type", "text/plain; charset=utf-8"
        elif isinstance(self.body, Mapping | list):
            yield "Content-Type", "application/json"
        if not isinstance(self.body, tuple):
            yield "Content-Length", str(sum(len(piece) for piece in self.pieces() if isinstance(piece, bytes)))

    def _text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


_STEP = 64 * 1024

Given = FakeAnswer | bytes | str | Mapping[str, object] | int | tuple[int, Body] | tuple[int, Body, Pairs] | Exception
Reply = Given | Callable[[SentRequest], Given | Awaitable[Given]]
Replies = Reply | Sequence[Reply]
"""One answer for every request, or a list of them, one after the other."""


def answer_of(reply: object) -> FakeAnswer:
    """Return the answer for one of its short forms.

    Raises:
        UsageError: it is none.
    """
    if isinstance(reply, FakeAnswer):
        return reply
    if isinstance(reply, int):
        return FakeAnswer(reply)
    if isinstance(reply, tuple) and reply and isinstance(reply[0], int) and len(reply) in {2, 3}:
        return FakeAnswer(*reply)
    if isinstance(reply, bytes | str | Mapping):
        return FakeAnswer(body=reply)
    raise UsageError(f"expected an answer, such as b'text', (404, b'text') or a FakeAnswer, got {reply!r:.60}")
