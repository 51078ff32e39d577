"""One connection of a load test: it sends a request, reads the answer, records the time, and sends the next request.

Why an `asyncio.Protocol`: most of an asyncio client's cost per request is in tasks, futures, timers and header objects,
not in the socket. A connection has none of them: `data_received` ends answer N and writes request N + 1, and one timer
for all connections looks for timeouts.
Rules
- The fast path knows an answer by its head: it came in one piece, and the full parser has read the same head before
  (equal bytes mean equal framing). Every other answer goes through the full parser.
- An answer with another status or body than the expected one is a failure; so is a connection that ends too early.
- An answer that comes after the timeout is a timeout, whether or not a timer has rung.
- A kept connection may end before the first byte of an answer: its server closes idle connections when it likes. The
  request is then sent once more, on a new connection, if its method is idempotent (RFC 9112, 9.3.1).
- No request is lost: each ends by exactly one of `data_received`, `_answered`, `_fail`, `expire` or `abandon`.
- A closed connection is never used again: the pool puts a new one in its place, which is dialled for its first request.
Runs on: the loop that loads; in tests, on a simulated one.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.http.framing import HEAD_END, ResponseReader, is_blank
from crawler.http.head import Head
from crawler.load.counts import note
from crawler.load.exchange import Request
from crawler.load.pool import Pool
from crawler.load.records import Example

_MAX_HEADS = 1024
_UNKNOWN = (-9, 0)  # a length that nothing has
_NOTHING = Request(b"")


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time.

    Attributes:
        user: the number of the user whom it serves (closed loop).
        host: the number of the host to which it leads.
        served: requests that were sent over it.
        trouble: why the latest request had no whole answer, of this connection or the one before it; None = it had one.
    """

    __slots__ = (
        *("_data", "_heads", "_is_awaiting", "_phase", "_reader", "_split", "_transport", "_write"),
        *("host", "intended", "is_busy", "is_failed", "is_over", "is_used", "pool", "request", "sent", "served"),
        *("tcp_time", "tls_began", "trouble", "user"),
    )

    def __init__(self, pool: "Pool[Connection]", user: int = 0, host: int = 0) -> None:
        self.pool = pool
        self.user = user
        self.host = host
        self.request = _NOTHING
        self._data = b""
        self.is_busy = False  # it has a request
        self.is_over = False
        self.is_failed = False  # it replaces a connection that could not be opened
        self.is_used = False  # it has had an answer
        self.served = 0
        self.trouble: FetchError | None = None
        self.sent = self.intended = 0
        self.tcp_time = self.tls_began = 0  # set by the dialer: how long connecting took, and when TLS began
        self._phase = pool.cells[0]
        self._heads = pool.heads
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], object]  # since the connection is open
        self._is_awaiting = False  # the request is sent, and no byte of its answer has come
        self._reader: ResponseReader | None = None
        self._split = 0  # when the first of several pieces of an answer came; 0 = it came in one

    @property
    def is_open(self) -> bool:
        """Return whether a request can be sent at once."""
        return self._transport is not None

    @property
    def port(self) -> int | None:
        """Return the local port; None = it has none."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return name[1] if isinstance(name, tuple) else None

    def ask(self, request: Request, now: int, intended: int) -> None:
        """Send a request, and open the connection first if need be; `intended` is the due moment."""
        self.is_busy = True
        self.sent = now
        self.intended = intended
        self._take(request)
        self._send_or_dial()

    def ask_for(self, other: "Connection") -> None:
        """Send the request of another connection, which has ended before its answer began."""
        self.is_busy = True
        self.sent, self.intended = other.sent, other.intended
        self._take(other.request)
        self._phase = other._phase  # noqa: SLF001 - a connection's like
        self._phase.asked_again += 1
        self._send_or_dial()

    def _take(self, request: Request) -> None:
        pool = self.pool
        self.served += 1
        self.request = request
        self._data = request.data
        self._phase = pool.cells[request.group]
        self._heads = pool.bare_heads if request.bodiless else pool.heads

    def _send_or_dial(self) -> None:
        if self._transport is None:
            self.pool.dial(self)
        else:
            self._send()

    def expire(self, now: int) -> None:
        """End the request by its timeout, and with it the connection."""
        note(self._phase.timed_out, now - self.intended)
        waited = "for a connection" if self._transport is None else "for the answer"
        self._phase.keep_example("timeout", self._example(now, f"waited {waited}"))
        self.pool.second.fail("timeout")
        self.trouble = FetchError(Reason.TOTAL_TIMEOUT, f"the request timed out: it waited {waited}")
        self._over(now)

    def abandon(self, now: int) -> None:
        """Count the request as in flight at the end of the test, and close."""
        note(self._phase.in_flight, now - self.intended)
        self.is_busy = False
        self.close()

    def close(self) -> None:
        """Close the connection without telling the pool."""
        self.is_over = True
        self._is_awaiting = False
        if self._transport is not None:
            self._transport.abort()

    def dial_failed(self, error: FetchError) -> None:
        """Take the error of a connection that could not be opened."""
        if self.is_over:
            return
        if self.is_busy:
            self._fail(error)
        else:
            self._over(self.pool.now())

    # Callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and send the request if there is one."""
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
        """Read a piece of an answer, mostly the whole of one."""
        if self._is_awaiting and self.is_used:
            pool = self.pool
            end = data.find(HEAD_END) + 4  # 3 without an end; no head is that short
            rest, status = self._heads.get(data[:end], _UNKNOWN)
            now = pool.now()
            took = now - self.sent
            if rest == len(data) - end and took <= pool.limit:
                phase = self._phase
                phase.bytes += len(data)
                answers = phase.reused
                # core.histogram.bucket(took, FINE), written out: a call of `note` takes 0.3 us, these lines 0.1
                shift = took.bit_length() - 11
                number = (shift << 10) + (took >> shift) if shift > 0 else took
                answers.whole[number] += 1
                answers.statuses[status] += 1
                if pool.chains and pool.left:
                    pool.times[number] += 1
                    pool.left -= 1
                    self.sent = self.intended = now
                    if pool.draw is None:
                        self._phase = pool.cells[0]
                    else:  # `_take`, written out
                        self.request = request = pool.draw()
                        self._data, group, _, bodiless = request
                        pool.given[group] += 1
                        self._phase = pool.cells[group]
                        self._heads = pool.bare_heads if bodiless else pool.heads
                    self._write(self._data)
                else:
                    self._is_awaiting = False
                    if pool.is_paced:
                        number = note(phase.response, now - self.intended)
                    pool.times[number] += 1
                    self._next(now)
                return
        self._read(data)

    def eof_received(self) -> None:
        """End the answer where the server has closed its side; the transport then closes."""
        if self.is_over or not self.is_busy or self._transport is None:
            return
        if self._is_awaiting:
            self._lost(None)
            return
        try:
            reader = self._reading()
            reader.finish()
        except FetchError as error:
            self._fail(error)
        else:
            self._answered(reader)

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection: a failure if the request has no whole answer."""
        if self.is_over:
            return
        if not self.is_busy:
            self._phase.closed_by_server += 1
            self._over(self.pool.now())
        elif isinstance(error, ssl.SSLError):  # such as that a certificate is missing, which TLS 1.3 tells late
            self._fail(FetchError(Reason.TLS_FAILED, str(error)))
        elif self._is_awaiting:
            self._lost(error)
        elif error is not None:
            self._fail(FetchError(Reason.TRUNCATED, str(error)))
        else:
            self.eof_received()

    def _lost(self, error: Exception | None) -> None:
        """End a connection whose request has had no byte of an answer."""
        if self.is_used and self.request.is_idempotent:
            self._phase.closed_by_server += 1
            self.is_busy = False
            self.close()
            self.pool.ask_again(self)
            return
        said = str(error or "the server closed the connection without an answer")
        if self.is_used:
            said += "; only an idempotent request is sent again"
        self._fail(FetchError(Reason.CONNECTION_LOST, said))

    # Below the fast path

    def _send(self) -> None:
        self._is_awaiting = True
        self._write(self._data)

    def _reading(self) -> ResponseReader:
        """Return the reader of the answer that has begun, or begins now."""
        if self._reader is None:
            self._reader = self.pool.exchange.reader()
        if self._is_awaiting:
            self._is_awaiting = False
            self._reader.bodiless = self.request.bodiless
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
                # The head joins the fast path if the answer is good and the head alone says how long the answer is.
                pool, status = self.pool, _status(reader)
                rule = pool.exchange
                usual = reader.is_plain and not is_blank(data[:4]) and reader.keep_alive and not reader.surplus
                is_read = rule.body is not None or pool.took is not None
                if usual and not is_read and rule.keep_alive and rule.is_good(status):
                    if len(self._heads) >= _MAX_HEADS:
                        self._heads.clear()
                    end = data.find(HEAD_END) + len(HEAD_END)
                    self._heads[data[:end]] = (len(data) - end, status)
            self._answered(reader)

    def _answered(self, reader: ResponseReader) -> None:
        """Judge a whole answer, and close the connection if it cannot be used again."""
        pool, status, phase = self.pool, _status(reader), self._phase
        now, exchange = pool.now(), pool.exchange
        if now - self.sent > pool.limit:
            self.expire(now)
            return
        if not exchange.is_good(status):
            self._count_failure(f"status_{status}", now, f"answered with status {status}")
        elif not exchange.is_expected(reader):
            self._count_failure("unexpected_body", now, "the body does not hold what is expected")
        else:
            answers = phase.reused if self.is_used else phase.fresh
            if self._split:
                number = note(answers.split, now - self.sent)
                note(answers.first_byte, self._split - self.sent)
                note(answers.body, now - self._split)
            else:
                number = note(answers.whole, now - self.sent)
            if pool.is_paced:
                number = note(phase.response, now - self.intended)
            pool.times[number] += 1
            answers.statuses[status] += 1
        if pool.took is not None:
            pool.took(self, reader)
        if not exchange.keep_alive:
            self.close()
        elif not reader.keep_alive:
            phase.closed_by_server += 1
            self.close()
        elif reader.surplus:
            phase.surplus += 1
            self.close()
        self._next(now)

    def _next(self, now: int) -> None:
        """End the request with an answer, and go back to the pool."""
        self.is_used = True
        self.is_busy = False
        self.pool.release(self, now)

    def _fail(self, error: FetchError) -> None:
        now = self.pool.now()
        self.trouble = error
        self._count_failure(error.reason.value, now, str(error))
        self._over(now)

    def _count_failure(self, kind: str, now: int, detail: str) -> None:
        self._phase.fail(kind, self._example(now, detail))
        self.pool.second.fail(kind)

    def _over(self, now: int) -> None:
        """Close the connection, without a request from now on, and tell the pool."""
        self.is_busy = False
        self.close()
        self.pool.release(self, now)

    def _example(self, now: int, detail: str) -> Example:
        return Example(at=now - self.pool.origin, took=now - self.sent, port=self.port, detail=safe(detail, 120))


def _status(reader: ResponseReader) -> int:
    """Return the status of an answer whose head was read."""
    return cast("Head", reader.head).status
