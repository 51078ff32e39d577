"""One HTTP/1.1 connection: its requests and answers, the first-byte and idle timeouts, and backpressure.

Rules
- An answer belongs to a request only if it came after it. Unasked bytes end the connection, whether they come before
  the request, after the answer, or behind it in the same segment. An answer that was complete before them is good.
- `http.framing` reads the bytes; this file connects it with a socket and a clock.
- The first-byte timeout ends a server that is silent before its answer, the idle timeout one that pauses within it, or
  takes no byte of a long request. The wait for the first byte begins when the request is sent.
- A body that is sent piece by piece stops at a final answer that is no success: the server has refused it. After any
  other it goes on, and the answer is not complete before it has been sent: the server may be reading it still.
- A server that refuses a body may reset the connection behind its answer (RFC 9112, 9.6): bytes that had come before a
  failed write are read all the same.
- A body is read on only while less than 64 KiB of it waits to be taken; past that the socket waits.
- A connection is aborted, never closed politely: a slot must not wait for a server that is being left.
Runs on: the event loop.
"""

import os
import select
from asyncio import AbstractEventLoop, BaseTransport, Future, Protocol, TimerHandle, Transport
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, cast

from crawler.core.errors import FetchError
from crawler.core.messages import BodySource
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.downloader.proxy import Proxy
from crawler.downloader.timing import Deadline, Timeouts
from crawler.http.framing import ResponseReader
from crawler.http.head import Head
from crawler.runtime.turns import Waker

_MOST_HELD = 64 * 1024


class SourceFailed(Exception):
    """The body of a request failed while it was sent; `error` is what its source raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class HttpConnection(Protocol):
    """One connection, from the moment its TCP side stands; moments are seconds of the monotonic clock.

    Attributes:
        opened_at, ready_at: when TCP stood, and when TLS stood too.
        idle_since: when it was last given back to its pool.
        first_byte_at: when the answer to the latest request began; None = it has not.
        unasked: it brought bytes that belong to no request.
        held: bytes of the body that wait to be taken.
        peer: the other end, as "address:port".
        transport: None = it is not connected, or was aborted.
        origin: of the URLs that may be asked for over it.
        proxy: leads to the server; None = there is none between.

    Args:
        lost: is called when the connection has ended.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        timeouts: Timeouts,
        waker: Waker,
        lost: "Callable[[HttpConnection], object]",
    ) -> None:
        self.origin = ""
        self.proxy: Proxy | None = None
        self.opened_at = self.ready_at = self.idle_since = timeouts.now()
        self.first_byte_at: float | None = None
        self.is_tls = False
        self.unasked = False
        self.peer: str | None = None
        self.transport: Transport | None = None
        self._loop = loop
        self._timeouts = timeouts
        self._waker = waker
        self._lost = lost
        self._deadline: Deadline | None = None  # of the fetch that waits for an answer
        self._alarm: TimerHandle | None = None
        self._rings_at = 0.0
        self._poll: select.poll | None = None
        self._reader: ResponseReader | None = None  # of the answer to the latest request; None = there was none
        self._pieces: deque[bytes] = deque()  # of its body, not taken yet
        self._fresh: list[bytes] = []  # the parts of the body that the latest bytes brought
        self.held = 0
        self._is_pausing = False
        self._error: Exception | None = None
        self._waiter: Future[None] | None = None
        self._silent_since = 0.0
        self._is_full = False  # the transport has more to send than it likes
        self._is_sending = False  # further pieces of the request's body will come
        self._is_unsent = False  # not all of its pieces have been sent
        self._unsent = 0  # bytes that waited in the transport when it was last looked at
        self._emptied: Future[None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Note the moment and the peer: TCP stands, and TLS if there is any."""
        self.transport = cast("Transport", transport)
        self.ready_at = self._timeouts.now()
        self.is_tls = transport.get_extra_info("sslcontext") is not None
        if not self.is_tls:
            self.opened_at = self.ready_at
        if isinstance(peer := transport.get_extra_info("peername"), tuple):  # a unix socket's is text
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        if self.unasked:  # the server spoke in the segment that ended the TLS handshake of a tunnel
            self.abort()

    # --- called by the fetcher -----------------------------------------------------------------------------------

    def ask(self, message: bytes, deadline: Deadline, *, without_body: bool, timeouts: Timeouts | None = None) -> None:
        """Send a request and expect its answer before the deadline; `without_body` as for HEAD.

        `timeouts` are those of this request; None = as before.

        Raises:
            FetchError: the connection is gone already.
        """
        transport = self.transport
        if transport is None:
            if self.unasked:
                raise FetchError(Reason.PROTOCOL_ERROR, "the server spoke before it was asked")
            raise FetchError(Reason.CONNECTION_LOST, "the server closed the connection at once")
        self._reader = ResponseReader(self._fresh.append, bodiless=without_body)
        self.first_byte_at = None
        if timeouts is not None:
            self._timeouts = timeouts
        transport.write(message)
        self._deadline = deadline
        self._silent_since = self._timeouts.now()
        self.watch()

    async def send(self, body: BodySource) -> None:
        """Send the body of the request, until it ends or the server refuses it; an error ends the connection.

        Chunked, if its length is unknown (RFC 9112, 7.1).
        """
        self._is_sending = self._is_unsent = True
        self.watch()  # the idle timeout counts now, and may be the shorter one
        is_chunked = body.length is None
        try:
            async with aclosing(body.pieces()) as pieces:
                async for piece in pieces:
                    if not await self._may_send():
                        return
                    if piece:
                        self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            if await self._may_send():
                if is_chunked:
                    self._write(b"0\r\n\r\n")
                self._limit_buffer(0)  # the body is sent once the transport holds none of it
                await self._may_send()
                self._is_unsent = self._is_full
                self._limit_buffer(None)
        except Exception as error:  # noqa: BLE001 - raised where the answer is read
            self._fail(SourceFailed(error))
        finally:
            self._is_sending = False
            self._wake()
            self.watch()

    @property
    def _is_body_wanted(self) -> bool:
        """Return whether the server may still take the body of the request."""
        head = cast("ResponseReader", self._reader).head
        return self.transport is not None and self._error is None and (head is None or head.status < 300)

    async def _may_send(self) -> bool:
        """Wait until the transport has room; return whether the next piece is still wanted."""
        while self._is_body_wanted:
            if not self._is_full:
                return True
            self._emptied = self._loop.create_future()
            await self._emptied
        return False

    def _limit_buffer(self, high: int | None) -> None:
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high)

    def _write(self, data: bytes) -> None:
        self._silent_since = self._timeouts.now()
        cast("Transport", self.transport).write(data)

    async def head(self) -> Head:
        """Return the head of the answer.

        Raises:
            FetchError: no head came, or none that can be read.
        """
        reader = cast("ResponseReader", self._reader)
        while reader.head is None:
            await self._next_event()
        return reader.head

    async def piece(self) -> bytes:
        """Return the next bytes of the body; empty = the body is complete.

        Raises:
            FetchError: the body ends too early, or is framed wrongly.
        """
        while not self._pieces:
            if self.is_complete:
                return b""
            await self._next_event()
        piece = self._pieces.popleft()
        self.held -= len(piece)
        self.read_on()
        return piece

    def rest(self) -> bytes:
        """Return the whole of what is left of a body that is complete."""
        content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        return content

    def pause(self) -> None:
        """Stop reading an answer that is not complete, until `read_on`."""
        if not (self._is_pausing or self.is_complete or self._error) and self.transport is not None:
            self._is_pausing = True
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Read again, unless 64 KiB wait to be taken."""
        if self._is_pausing and self.held < _MOST_HELD:
            self._is_pausing = False
            self._silent_since = self._timeouts.now()  # our own pause was not the server's
            if self.transport is not None:
                self.transport.resume_reading()

    @property
    def is_complete(self) -> bool:
        """Return whether the whole answer has come, and the request is sent; parts of its body may wait to be taken."""
        is_done = self._reader is not None and self._reader.is_done and self._error is None
        return is_done and not (self._is_sending and self._is_body_wanted)

    @property
    def is_empty(self) -> bool:
        """Return whether no byte of the body is left, here or on the way."""
        return self.is_complete and not self._pieces

    @property
    def should_close(self) -> bool:
        """Return whether the connection can carry no further request."""
        reader = self._reader
        if reader is not None and not (reader.is_done and reader.keep_alive and not reader.surplus):
            return True
        return self._error is not None or self._is_unsent or self._is_full

    def is_connected(self) -> bool:
        """Return whether it can still be written to."""
        return self.transport is not None and not self.transport.is_closing()

    def is_reusable(self) -> bool:
        """Return whether nothing at all has come since the last answer, not even into the kernel's buffer."""
        if not self.is_connected() or self.should_close:
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(cast("Any", self.transport).get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def abort(self) -> None:
        """End it at once: a polite end of TLS may take half a minute, and would hold the slot as long."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None
            if self._reader is not None and not self._reader.is_done and self._error is None:
                self._error = FetchError(Reason.CONNECTION_LOST, "its connection was closed at this end")
        self._wake()
        self.resume_writing()

    # --- watching the clock --------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Let the timer ring when the answer is overdue, or before; not once the connection has ended.

        It is not moved when an answer pauses or ends, nor by the next request: it rings at a moment that was right
        once, and then finds the next one. So a connection starts a timer every few seconds, not for every request.
        """
        if self.transport is None:
            return
        due, deadline = self._silent_since + self._patience, self._deadline
        if deadline is not None and not deadline.is_suspended and deadline.due < due:
            due = deadline.due
        if self._alarm is not None:
            if self._rings_at <= due:
                return
            self._alarm.cancel()
        self._rings_at = due
        self._alarm = self._loop.call_later(max(0.0, due - self._timeouts.now()), self._ring)

    @property
    def _patience(self) -> float:
        is_waiting = self.first_byte_at is None and not (self._is_sending or self._is_full)
        return self._timeouts.first_byte if is_waiting else self._timeouts.idle

    def _ring(self) -> None:
        self._alarm = None
        reader, deadline = self._reader, self._deadline
        if reader is None or self.is_complete or self._error or self.transport is None or deadline is None:
            return  # nothing is waited for; the next request starts the timer again
        now, limit = self._timeouts.now(), self._patience
        if self._is_pausing or self._is_moving():
            self._silent_since = now  # the server waits for us, or is taking the request
        if deadline.due <= now and not deadline.is_suspended:
            self._fail(deadline.exceeded())
        elif self._silent_since + limit > now:
            self.watch()
        elif self._is_full:
            self._fail(FetchError(Reason.IDLE_TIMEOUT, f"the server took no byte of the request for {limit:g} s"))
        elif self.first_byte_at is None:
            self._fail(FetchError(Reason.FIRST_BYTE_TIMEOUT, f"the server did not begin to answer within {limit:g} s"))
        else:
            self._fail(FetchError(Reason.IDLE_TIMEOUT, f"the server paused for more than {limit:g} s"))

    def _is_moving(self) -> bool:
        """Return whether the request is on its way: the transport holds less of it than before, or waits for more."""
        if not self._is_full:
            return self._is_sending
        before, self._unsent = self._unsent, cast("Transport", self.transport).get_write_buffer_size()
        return self._unsent < before

    def _drop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # --- called by the transport --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Send no more for now."""
        self._is_full = True
        self._unsent = cast("Transport", self.transport).get_write_buffer_size()

    def resume_writing(self) -> None:
        """Send on."""
        if self._is_full:
            self._is_full = False
            if self.transport is not None:
                self._silent_since = self._timeouts.now()
                self.watch()
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Read the bytes of an expected answer; refuse all others."""
        reader = self._reader
        if reader is None or reader.is_done:
            self._refuse()
        elif self._error is None:
            self._read(reader, data)

    def eof_received(self) -> None:
        """End the answer: no further byte of it will come, however much of the request waits to be sent."""
        self._end_answer(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: a reset in the middle of a body is no end of it, even of one that has no length."""
        self._lost(self)
        self._drop_alarm()
        transport, self.transport = self.transport, None
        if exc is not None and transport is not None and not self.is_tls:
            self._read_rest(transport)
        self._end_answer(exc)
        self.resume_writing()

    # --- reading -------------------------------------------------------------------------------------------------

    def _read_rest(self, transport: Transport) -> None:
        """Read the bytes that had come when a write failed."""
        reader, socket = self._reader, transport.get_extra_info("socket")
        with suppress(OSError):
            while reader and socket and not (reader.is_done or self._error):
                if not (data := os.read(socket.fileno(), _MOST_HELD)):
                    return
                self._read(reader, data)

    def _end_answer(self, exc: Exception | None) -> None:
        reader = self._reader
        if reader is not None and not reader.is_done and self._error is None:
            if exc is None:
                try:
                    reader.finish()
                except FetchError as error:
                    self._error = error
            else:
                reason, where = Reason.TRUNCATED, "within the answer"
                if self.first_byte_at is None:
                    reason, where = Reason.CONNECTION_LOST, "before any answer"
                self._error = FetchError(reason, f"the connection broke {where}: {safe(str(exc), 200)}")
        self._wake()

    def _read(self, reader: ResponseReader, data: bytes) -> None:
        now = self._silent_since = self._timeouts.now()
        if self.first_byte_at is None:
            self.first_byte_at = now
            if self._timeouts.idle < self._timeouts.first_byte:
                self.watch()  # otherwise the timer that runs comes early enough
        try:
            reader.feed(data)
        except FetchError as error:
            self._fail(error)
            return
        if fresh := self._fresh:
            # One piece for all parts that came together: chunks of one byte would take fifty times the memory.
            piece = fresh[0] if len(fresh) == 1 else b"".join(fresh)
            fresh.clear()
            self._pieces.append(piece)
            self.held += len(piece)
        if reader.is_done:
            if reader.surplus:
                self._refuse()
        elif self.held >= _MOST_HELD:
            self.pause()
        self._wake()

    async def _next_event(self) -> None:
        """Wait until bytes have come; raise the error that ends the answer."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if (waiter := self._waiter) is not None:
            self._waiter = None  # woken once, however many segments come before it goes on
            self._waker.wake(waiter)

    def _fail(self, error: FetchError | SourceFailed) -> None:
        """End the connection; the fetch that waits for its answer gets this error."""
        self._error = error
        self.abort()

    def _refuse(self) -> None:
        self.unasked = True
        self.abort()
