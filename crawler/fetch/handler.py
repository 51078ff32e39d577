"""One connection: what may come over it, when, and how much before the body.

Rules
- An answer belongs to a request only if it came after it. Bytes that nobody asked for end the connection, before the
  request, after the answer, and behind it in the same segment.
- A response's head has at most 256 KiB, 256 headers and 32 KiB per line, with at most 10 interim responses before it.
- A server that is silent for too long is told apart: before the first byte, or after it.
- A connection ends at once, never politely: a slot must not wait for a server that is being left.
Strategy: aiohttp's protocol and parser; what is overridden is pinned by tests that fail if aiohttp stops calling it.
Runs on: the event loop.
"""

import select
from asyncio import AbstractEventLoop, BaseTransport
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason

MAX_HEAD = 256 * 1024
MAX_LINE = 32 * 1024
MAX_HEADERS = 256
MAX_INTERIM = 10

Answer = tuple[RawResponseMessage, StreamReader]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A clock, and how many seconds may pass without a byte: before the first one, and between two."""

    now: Callable[[], float]
    first_byte: float
    idle: float


class IdleConnections:
    """The kept-alive connections of all pools; past the limit the longest idle one goes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: dict[GuardedHandler, None] = {}

    def __repr__(self) -> str:
        return f"<IdleConnections {len(self._waiting)} of {self.limit}>"

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, handler: "GuardedHandler") -> None:
        """This connection waits for its next request."""
        self._waiting[handler] = None
        if len(self._waiting) > self.limit:
            oldest = next(iter(self._waiting))
            self.discard(oldest)
            oldest.abort()

    def discard(self, handler: "GuardedHandler") -> None:
        """It is in use again, or gone."""
        self._waiting.pop(handler, None)


class GuardedHandler(ResponseHandler):
    """One connection, from the moment its TCP side stands.

    Attributes:
        opened_at, ready_at: when TCP stood, and when TLS stood too.
        first_byte_at: when the answer to the latest request began; None = it has not.
        unasked: it brought bytes that belong to no request.
        peer: who is at the other end, as "address:port".
    """

    def __init__(self, loop: AbstractEventLoop, watch: Watch, idle: IdleConnections) -> None:
        super().__init__(loop)
        self.opened_at = self.ready_at = watch.now()
        self.first_byte_at: float | None = None
        self.is_tls = False
        self.unasked = False
        self.peer: str | None = None
        self._watch = watch
        self._idle = idle
        self._poll: select.poll | None = None
        self._is_asked = False
        self._is_answered = False
        self._interim = 0
        self._head_bytes = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Take note of when, and of who it is."""
        super().connection_made(transport)
        self.ready_at = self._watch.now()
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        if peer := transport.get_extra_info("peername"):
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    def ask(self, message: bytes, *, without_body: bool) -> None:
        """Send a request and expect its answer; `without_body` as for HEAD."""
        transport = self.transport
        if transport is None:
            raise self._silence()
        self.set_response_params(
            skip_payload=without_body,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._watch.first_byte,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )
        transport.write(message)
        self.start_timeout()

    def set_response_params(self, **params: Any) -> None:
        """A request is about to be sent; aiohttp calls this too, for the tunnel through a proxy."""
        self._is_asked = True
        self._is_answered = False
        self.first_byte_at = None
        self._interim = self._head_bytes = 0
        super().set_response_params(**params)

    def is_reusable(self) -> bool:
        """True when nothing at all has come since the last answer, not even into the kernel's buffer."""
        return self.is_connected() and not self.should_close and not self._has_begun_another() and not self._has_input()

    def data_received(self, data: bytes) -> None:
        """Parse what came, if someone waits for it."""
        if data and not self._is_asked:
            self._refuse()
            return
        if data and self.first_byte_at is None:
            self.first_byte_at = self._watch.now()
        if not self._is_answered:
            self._head_bytes += len(data)
        self.read_timeout = None  # most answers are complete with these bytes and need no timer
        super().data_received(data)
        self._look_on()

    def _look_on(self) -> None:
        """What is still to come, and how long it may take."""
        self.read_timeout = self._watch.idle
        if self._is_answered:
            self._is_asked = self._payload is not None and not self._payload.is_eof()
        elif self._head_bytes > MAX_HEAD:
            self.fail(_too_heavy())
        if self._is_asked and not self._reading_paused and self.transport is not None and self.exception() is None:
            self.start_timeout()

    def feed_data(self, data: Answer, size: int = 0) -> None:
        """The head of a response is complete; only the first final one is an answer."""
        code = data[0].code
        if self._is_answered:
            self._refuse()
        elif code >= 200:
            self._is_answered = True
            if self._head_bytes > MAX_HEAD and sum(len(n) + len(v) for n, v in data[0].raw_headers) > MAX_HEAD:
                self.fail(_too_heavy())
            else:
                super().feed_data(data, size)
        else:
            self._interim += 1
            self._judge_interim(code)

    def fail(self, error: Exception) -> None:
        """End the connection; whoever waits for its answer gets this error."""
        payload = self._payload
        self.abort()
        self._payload = payload
        self.set_exception(error)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Whoever waits gets this error, for the head or for the body."""
        super().set_exception(exc, *cause)
        if self._payload is not None and not self._payload.is_eof() and self._payload.exception() is None:
            self._payload.set_exception(exc, *cause)

    def close(self) -> None:
        """Gone at once: a polite end of TLS may linger for half a minute, and the slot with it."""
        self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """A reset in the middle of a body is no end of it, even of one that has no length."""
        self._idle.discard(self)
        if exc is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(ClientPayloadError("the connection broke within the body"), exc)
        super().connection_lost(exc)

    def _on_read_timeout(self) -> None:
        if self.first_byte_at is None:
            limit = self._watch.first_byte
            self.fail(FetchError(Reason.FIRST_BYTE_TIMEOUT, f"the server did not begin to answer within {limit:g} s"))
        else:
            limit = self._watch.idle
            self.fail(FetchError(Reason.IDLE_TIMEOUT, f"the server paused for more than {limit:g} s"))

    def _judge_interim(self, code: int) -> None:
        if code < 100:
            self.fail(FetchError(Reason.PROTOCOL_ERROR, f"{code} is no status"))
        elif code == 101:
            self.fail(FetchError(Reason.PROTOCOL_ERROR, "the server switched to a protocol that nobody asked for"))
        elif self._interim > MAX_INTERIM:
            message = f"the server sent more than {MAX_INTERIM} interim responses"
            self.fail(FetchError(Reason.PROTOCOL_ERROR, message))

    def _refuse(self) -> None:
        self.unasked = True
        self._is_asked = False
        self.abort()

    def _silence(self) -> FetchError:
        """Why a connection that was just made cannot carry a request."""
        if self.unasked:
            return FetchError(Reason.PROTOCOL_ERROR, "the server spoke before it was asked")
        return FetchError(Reason.CONNECTION_LOST, "the server closed the connection at once")

    def _has_begun_another(self) -> bool:
        """True when the segment that completed the last answer held the beginning of another one."""
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except HttpProcessingError:
            return True

    def _has_input(self) -> bool:
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(cast("Any", self.transport).get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))


def _too_heavy() -> FetchError:
    return FetchError(Reason.HEADER_LIMIT, f"the response's head has more than {MAX_HEAD // 1024} KiB")
