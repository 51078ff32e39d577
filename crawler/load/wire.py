"""One connection of a load test: it sends a request, reads the answer, notes the time, and sends the next.

Why so bare: what an asyncio client costs per request is tasks, futures, timers and header objects, not the socket. Here
is none of them: `data_received` finishes answer N and writes request N + 1, and one coarse sweep looks for timeouts.
Rules
- A request is bytes, made once. An answer that came in one piece, with a head that the full parser has read before, is
  known by that head (equal bytes mean equal framing); every other answer goes through the full parser.
- An answer whose status or body is not the expected one is a failure; so is a connection that ends too early.
- No request is lost: each ends by exactly one of `_answered`, `_fail`, `expire` or `abandon`.
- A connection that is over stays over: the pool puts a new one in its place, which is dialled when it has a request.
Runs on: the loop that loads; in tests, on a simulated one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.http.framing import HEAD_END, ResponseReader, is_blank
from crawler.http.head import Head
from crawler.load.nanoseconds import SECOND
from crawler.load.records import Example, Phase, note

_MAX_HEADS = 1024
_UNKNOWN = (-9, 0)  # a length that nothing has


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is asked for, and what counts as a good answer.

    Attributes:
        request: the bytes of one request, head and body.
        keep_alive: False = a new connection for every request.
        statuses: the good ones; None = every status below 400.
        body: what a good answer holds; None = bodies are not looked at.
        timeout: nanoseconds from sending (or dialling, where that is needed) to the end of the answer.
    """

    request: bytes
    bodiless: bool = False
    keep_alive: bool = True
    statuses: frozenset[int] | None = None
    body: bytes | None = None
    timeout: int = 10 * SECOND

    def is_good(self, status: int) -> bool:
        """Whether this status counts as a good answer."""
        return status < 400 if self.statuses is None else status in self.statuses

    def reader(self) -> ResponseReader:
        """A reader for its answers."""
        kind = ResponseReader if self.body is None else KeepingReader
        return kind(bodiless=self.bodiless)


class KeepingReader(ResponseReader):
    """Keeps the body of the answer."""

    __slots__ = ("_pieces",)

    def __init__(self, *, bodiless: bool = False) -> None:
        self._pieces: list[bytes] = []
        super().__init__(self._pieces.append, bodiless=bodiless)

    def begin(self) -> None:
        """Take the next bytes for those of a new answer."""
        super().begin()
        self._pieces.clear()

    @property
    def body(self) -> bytes:
        """The body so far, without chunk framing."""
        return b"".join(self._pieces)


class Pool(Protocol):
    """Whoever owns the connections and decides who sends when."""

    now: Callable[[], int]
    dial: Callable[["Connection"], object]  # opens it; ends in `connection_made` or `dial_failed`
    exchange: Exchange
    request: bytes
    heads: dict[bytes, tuple[int, int]]  # of good answers: the length of what follows, and the status
    is_paced: bool  # requests have a moment at which they are due
    left: int  # requests that a connection may send right after its answer, without asking
    phase: Phase
    origin: int

    def opened(self, connection: "Connection") -> None:
        """It is open and has no request yet."""

    def rest(self, connection: "Connection", now: int) -> None:
        """It has nothing to do any more; it may be over."""


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time; a virtual user of a closed loop."""

    __slots__ = (
        *("_is_awaiting", "_phase", "_reader", "_split", "_transport", "_write"),
        *("intended", "is_busy", "is_failed", "is_over", "is_used", "pool", "sent", "tcp_time", "tls_began"),
    )

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.is_busy = False  # it has a request
        self.is_over = False
        self.is_failed = False  # the one in whose place it is could not be opened
        self.is_used = False  # it has had an answer
        self.sent = self.intended = 0
        self.tcp_time = self.tls_began = 0  # what the dialler notes: how long connecting took, and when TLS began
        self._phase = pool.phase
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], object] = _not_open
        self._is_awaiting = False  # the request is sent and nothing of its answer has come
        self._reader: ResponseReader | None = None
        self._split = 0  # when the first piece of an answer came that is not complete yet

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent at once."""
        return self._transport is not None

    @property
    def port(self) -> int | None:
        """Its local port; None = it has none."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return name[1] if isinstance(name, tuple) else None

    def ask(self, now: int, intended: int) -> None:
        """Send the request, over a new connection if need be; `intended` is when it was due."""
        pool = self.pool
        self.is_busy = True
        self.sent = now
        self.intended = intended
        self._phase = pool.phase
        if self._transport is None:
            pool.dial(self)
        else:
            self._send()

    def expire(self, now: int) -> None:
        """The answer took too long: the request ends here, and with it the connection."""
        note(self._phase.timed_out, now - self.intended)
        waited = "for a connection" if self._transport is None else "for the answer"
        self._phase.witness("timeout", self._example(now, f"waited {waited}"))
        self._over(now)

    def abandon(self, now: int) -> None:
        """The test is over and the request is still in flight."""
        note(self._phase.in_flight, now - self.intended)
        self.is_busy = False
        self.close()

    def close(self) -> None:
        """Hang up without a word to the pool."""
        self.is_over = True
        self._is_awaiting = False
        if self._transport is not None:
            self._transport.abort()

    def dial_failed(self, error: FetchError) -> None:
        """It could not be opened."""
        if self.is_over:
            return
        if self.is_busy:
            self._fail(error)
        else:
            self._over(self.pool.now())

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        if self.is_over:
            transport.close()
            return
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        phase = self._phase
        phase.opened += 1
        note(phase.connect, self.tcp_time)
        if self.tls_began:
            note(phase.tls, self.pool.now() - self.tls_began)
        if self.is_busy:
            self._send()
        else:
            self.pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """A piece of an answer, mostly the whole of one."""
        if self._is_awaiting and self.is_used:
            pool = self.pool
            end = data.find(HEAD_END) + 4  # 3 where there is none; no head is so short
            rest, status = pool.heads.get(data[:end], _UNKNOWN)
            if rest == len(data) - end:
                now = pool.now()
                took = now - self.sent
                phase = self._phase
                phase.bytes += len(data)
                sheet = phase.reused
                # core.histogram.bucket(took, FINE), written out: a call of `note` takes 0.3 us, this line 0.1
                shift = took.bit_length() - 11
                sheet.whole[(shift << 10) + (took >> shift) if shift > 0 else took] += 1
                sheet.statuses[status] += 1
                if pool.left:
                    pool.left -= 1
                    self.sent = self.intended = now
                    self._phase = pool.phase
                    self._write(pool.request)
                else:
                    self._is_awaiting = False
                    if pool.is_paced:
                        note(phase.response, now - self.intended)
                    self._next(now)
                return
        self._read(data)

    def eof_received(self) -> None:
        """The server has closed its side; ours follows."""
        if self.is_over or not self.is_busy or self._transport is None:
            return
        try:
            reader = self._reading()
            reader.finish()
        except FetchError as error:
            self._fail(error)
        else:
            self._answered(reader)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        if self.is_over:
            return
        if not self.is_busy:
            self._phase.closed_by_server += 1
            self._over(self.pool.now())
        elif self._is_awaiting or error is not None:
            reason = Reason.CONNECTION_LOST if self._is_awaiting else Reason.TRUNCATED
            self._fail(FetchError(reason, str(error or "the server closed the connection without an answer")))
        else:
            self.eof_received()

    # Below the fast path

    def _send(self) -> None:
        self._is_awaiting = True
        self._write(self.pool.request)

    def _reading(self) -> ResponseReader:
        """The reader of the answer that has begun, or begins now."""
        if self._reader is None:
            self._reader = self.pool.exchange.reader()
        if self._is_awaiting:
            self._is_awaiting = False
            self._reader.begin()
            self._split = self.pool.now()
        return self._reader

    def _read(self, data: bytes) -> None:
        if self.is_over:
            return
        self._phase.bytes += len(data)
        if not self.is_busy:
            if not is_blank(data):
                self._phase.surplus += 1
                self._over(self.pool.now())
            return
        is_first = self._is_awaiting
        reader = self._reading()
        try:
            reader.feed(data)
        except FetchError as error:
            self._fail(error)
            return
        if reader.is_done:
            if is_first:
                self._split = 0
                self._remember(reader, data)
            self._answered(reader)

    def _remember(self, reader: ResponseReader, data: bytes) -> None:
        """Know this head the next time, if the answer to it is good and its head alone says how long it is."""
        pool = self.pool
        usual = reader.is_plain and not is_blank(data[:4]) and reader.keep_alive and not reader.surplus
        if usual and pool.exchange.keep_alive and pool.exchange.body is None and pool.exchange.is_good(_status(reader)):
            if len(pool.heads) >= _MAX_HEADS:
                pool.heads.clear()
            end = data.find(HEAD_END) + len(HEAD_END)
            pool.heads[data[:end]] = (len(data) - end, _status(reader))

    def _answered(self, reader: ResponseReader) -> None:
        """A whole answer is here: judge it."""
        now, exchange, status = self.pool.now(), self.pool.exchange, _status(reader)
        if not exchange.is_good(status):
            self._phase.fail(f"status_{status}", self._example(now, f"answered with status {status}"))
        elif exchange.body is not None and exchange.body not in getattr(reader, "body", b""):
            self._phase.fail("unexpected_body", self._example(now, "the body does not hold what is expected"))
        else:
            self._good(status, now)
        if not exchange.keep_alive:
            self.close()
        elif not reader.keep_alive:
            self._phase.closed_by_server += 1
            self.close()
        elif reader.surplus:
            self._phase.surplus += 1
            self.close()
        self._next(now)

    def _good(self, status: int, now: int) -> None:
        phase = self._phase
        sheet = phase.reused if self.is_used else phase.fresh
        if self._split:
            note(sheet.split, now - self.sent)
            note(sheet.first_byte, self._split - self.sent)
            note(sheet.body, now - self._split)
        else:
            note(sheet.whole, now - self.sent)
        if self.pool.is_paced:
            note(phase.response, now - self.intended)
        sheet.statuses[status] += 1
        self._split = 0

    def _next(self, now: int) -> None:
        """The request has ended with an answer."""
        self.is_used = True
        self.is_busy = False
        self.pool.rest(self, now)

    def _fail(self, error: FetchError) -> None:
        now = self.pool.now()
        self._phase.fail(error.reason.value, self._example(now, str(error)))
        self._over(now)

    def _over(self, now: int) -> None:
        """The request, if there is one, has ended, and so has the connection."""
        self.is_busy = False
        self.close()
        self.pool.rest(self, now)

    def _example(self, now: int, detail: str) -> Example:
        return Example(at=now - self.pool.origin, took=now - self.sent, port=self.port, detail=safe(detail, 120))


def _status(reader: ResponseReader) -> int:
    """The status of an answer whose head was read."""
    return cast("Head", reader.head).status


def _not_open(_: bytes) -> None:
    raise AssertionError("a connection is opened before anything is written")
