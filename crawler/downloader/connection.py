"""One connection: what may come over it, when, and how much before the body.

Rules
- An answer belongs to a request only if it came after it. Bytes that nobody asked for end the connection, before the
  request, after the answer, and behind it in the same segment; an answer that was complete before them is good.
- How answers are framed is `http.framing`'s word; here it meets sockets and clocks.
- A server that is silent for too long is told apart: before the first byte, or after it.
- A body that nobody takes is not read on: past 64 KiB the socket waits. So little is there of one that has no room yet.
- A connection ends at once, never politely: a slot must not wait for a server that is being left.
Strategy: aiohttp's protocol, as its pool wants one, and as it reads the answer of a proxy that opens a tunnel; what is
overridden is pinned by tests that fail if aiohttp stops calling it.
Runs on: the event loop.
"""

import select
from asyncio import AbstractEventLoop, BaseTransport, Future
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp.client_proto import ResponseHandler

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.http.framing import ResponseReader
from crawler.http.head import Head

_MOST_HELD = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionWatch:
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
        held: bytes of the body that nobody has taken yet.
        peer: who is at the other end, as "address:port".
    """

    def __init__(self, loop: AbstractEventLoop, watch: ConnectionWatch, idle: IdleConnections) -> None:
        super().__init__(loop)
        self.opened_at = self.ready_at = watch.now()
        self.first_byte_at: float | None = None
        self.is_tls = False
        self.unasked = False
        self.peer: str | None = None
        self._watch = watch
        self._idle = idle
        self._poll: select.poll | None = None
        self._is_tunnelling = False  # aiohttp has asked a proxy, and reads its answer
        self._reader: ResponseReader | None = None  # of the answer to the latest request; None = there was none
        self._pieces: deque[bytes] = deque()  # of its body, not taken yet
        self._fresh: list[bytes] = []  # what the bytes at hand brought of it
        self.held = 0
        self._is_pausing = False
        self._error: Exception | None = None
        self._waiter: Future[None] | None = None
        self._silent_since = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        """Take note of when, and of who it is."""
        super().connection_made(transport)
        self.ready_at = self._watch.now()
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        if peer := transport.get_extra_info("peername"):
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    # --- for whoever asks ----------------------------------------------------------------------------------------

    def ask(self, message: bytes, *, without_body: bool) -> None:
        """Send a request and expect its answer; `without_body` as for HEAD.

        Raises:
            FetchError: the connection is gone already.
        """
        transport = self.transport
        if transport is None:
            raise self._silence()
        self._reader = ResponseReader(self._fresh.append, bodiless=without_body)
        self.first_byte_at = None
        transport.write(message)
        self._silent_since = self._watch.now()
        self._arm(self._watch.first_byte)

    async def head(self) -> Head:
        """The head of the answer.

        Raises:
            FetchError: there is none, or none that can be read.
        """
        reader = cast("ResponseReader", self._reader)
        while reader.head is None:
            await self._news()
        return reader.head

    async def piece(self) -> bytes:
        """The next bytes of the body; empty = that was all.

        Raises:
            FetchError: it ends too early, or is framed wrongly.
        """
        while not self._pieces:
            if self.is_complete:
                return b""
            await self._news()
        piece = self._pieces.popleft()
        self.held -= len(piece)
        self.read_on()
        return piece

    def pause(self) -> None:
        """Read nothing more of an answer that is not complete, until `read_on`."""
        if not (self._is_pausing or self.is_complete or self._error) and self.transport is not None:
            self._is_pausing = True
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Read again, unless enough waits to be taken."""
        if self._is_pausing and self.held < _MOST_HELD:
            self._is_pausing = False
            self._silent_since = self._watch.now()  # our own pause was not the server's
            if self.transport is not None:
                self.transport.resume_reading()

    @property
    def is_complete(self) -> bool:
        """Return whether the whole answer has come; some of its body may still be there to be taken."""
        return self._reader is not None and self._reader.is_done

    @property
    def is_empty(self) -> bool:
        """Return whether no byte of the body is left, here or on the way."""
        return self.is_complete and not self._pieces

    @property
    def should_close(self) -> bool:
        """Return whether it can carry no further request; aiohttp's pool asks, too."""
        reader = self._reader
        if reader is not None and not (reader.is_done and reader.keep_alive and not reader.surplus):
            return True
        return self._error is not None or super().should_close

    def is_reusable(self) -> bool:
        """True when nothing at all has come since the last answer, not even into the kernel's buffer."""
        return self.is_connected() and not self.should_close and not self._has_input()

    def close(self) -> None:
        """Gone at once: a polite end of TLS may linger for half a minute, and the slot with it."""
        self.abort()

    # --- what aiohttp and the transport call ---------------------------------------------------------------------

    def set_response_params(self, **params: Any) -> None:
        """A proxy is about to be asked for a tunnel, by aiohttp."""
        self._is_tunnelling = True
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Read what came, if someone waits for it."""
        reader = self._reader
        if reader is None and self._is_tunnelling:
            super().data_received(data)
        elif reader is None or reader.is_done:
            self._refuse()
        elif self._error is None:
            self._read(reader, data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """A reset in the middle of a body is no end of it, even of one that has no length."""
        self._idle.discard(self)
        reader = self._reader
        if reader is not None and not reader.is_done and self._error is None:
            try:
                if exc is not None:
                    raise self._broken(exc)
                reader.finish()
            except FetchError as error:
                self._error = error
            self._wake()
        super().connection_lost(exc)

    def _on_read_timeout(self) -> None:
        if self._is_tunnelling and self._reader is None:
            super()._on_read_timeout()
            return
        limit = self._watch.idle if self.first_byte_at else self._watch.first_byte
        left = self._silent_since + limit - self._watch.now()
        if self._is_pausing:
            self._arm(limit)
        elif left > 0:
            self._arm(left)
        elif self.first_byte_at is None:
            self._fail(FetchError(Reason.FIRST_BYTE_TIMEOUT, f"the server did not begin to answer within {limit:g} s"))
        else:
            self._fail(FetchError(Reason.IDLE_TIMEOUT, f"the server paused for more than {limit:g} s"))

    # --- reading -------------------------------------------------------------------------------------------------

    def _read(self, reader: ResponseReader, data: bytes) -> None:
        now = self._silent_since = self._watch.now()
        if self.first_byte_at is None:
            self.first_byte_at = now
            if (idle := self._watch.idle) < self._watch.first_byte:
                self._arm(idle)  # else the timer that runs comes early enough
        try:
            reader.feed(data)
        except FetchError as error:
            self._fail(error)
            return
        self._join_fresh()
        if reader.is_done:
            self._drop_timeout()
            if reader.surplus:
                self._refuse()
        elif self.held >= _MOST_HELD:
            self.pause()
        self._wake()

    def _join_fresh(self) -> None:
        """Hold what these bytes brought of the body as one piece: chunks of a byte would take fifty times as much."""
        if fresh := self._fresh:
            piece = fresh[0] if len(fresh) == 1 else b"".join(fresh)
            fresh.clear()
            self._pieces.append(piece)
            self.held += len(piece)

    async def _news(self) -> None:
        """Wait until something has come, or has gone wrong."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _arm(self, seconds: float) -> None:
        """Have a look at the silence after so many seconds: one timer for an answer, not one for each piece of it."""
        self.read_timeout = seconds
        self.start_timeout()

    def _fail(self, error: FetchError) -> None:
        """End the connection; whoever waits for its answer gets this error."""
        self.abort()
        self._error = error
        self._wake()

    def _refuse(self) -> None:
        self.unasked = True
        self.abort()

    def _broken(self, cause: BaseException) -> FetchError:
        if self.first_byte_at is None:
            return FetchError(
                Reason.CONNECTION_LOST, f"the connection broke before any answer: {safe(str(cause), 200)}"
            )
        return FetchError(Reason.TRUNCATED, f"the connection broke within the answer: {safe(str(cause), 200)}")

    def _silence(self) -> FetchError:
        """Why a connection that was just made cannot carry a request."""
        if self.unasked:
            return FetchError(Reason.PROTOCOL_ERROR, "the server spoke before it was asked")
        return FetchError(Reason.CONNECTION_LOST, "the server closed the connection at once")

    def _has_input(self) -> bool:
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(cast("Any", self.transport).get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))
