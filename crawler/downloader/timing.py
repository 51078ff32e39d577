"""Timing: the timeouts of a fetch, and its phases: name lookup (DNS), connect, TLS, time to first byte, body.

Rules
- Durations are on the monotonic clock; a phase that did not happen is None.
- A connection taken from the pool has neither lookup, connect nor TLS. The lookup of a proxy is part of connect.
- The wait for a lookup's turn is in no phase but the total, and no timeout counts it.
- The deadline of a fetch is a number, and no timer: the dial and the connection, which wait for the server, heed it.
Strategy: the dial notes in the trace when the lookup ended. The connection tells TCP from TLS: it is made between them.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from crawler.core.errors import FetchError
from crawler.core.messages import Timing
from crawler.core.reasons import Reason
from crawler.downloader.proxy import Proxy


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The timeouts within one attempt, in seconds, and their clock; `HttpFetcher.fetch` has one for the whole fetch.

    Attributes:
        connect: for name lookup, TCP and TLS together (`dialing.py`).
        first_byte: from the request to the first byte of its answer (`connection.py`).
        idle: between two bytes of an answer (`connection.py`).
    """

    now: Callable[[], float]
    connect: float
    first_byte: float
    idle: float


class Deadline:
    """The moment by which a fetch must be over: `limit` seconds after `began` (monotonic), and what it waited for us.

    Attributes:
        due: the moment as it stands.
        is_suspended: the fetch waits for this process now, so nobody heeds the deadline.
    """

    __slots__ = ("due", "is_suspended", "limit")

    def __init__(self, began: float, limit: float) -> None:
        self.limit = limit
        self.due = began + limit
        self.is_suspended = False

    def exceeded(self) -> FetchError:
        """Return the error of a fetch that has missed it."""
        return FetchError(Reason.TOTAL_TIMEOUT, f"the fetch took longer than {self.limit:g} s")


class ConnectionTimes(Protocol):
    """The moments that a connection notes: TCP stood, TLS stood, the latest answer began."""

    opened_at: float
    ready_at: float
    is_tls: bool
    first_byte_at: float | None


class AttemptTrace:
    """One attempt's way to its connection.

    Attributes:
        fresh: only a new connection will do, not a kept-alive one.
        reused: the connection comes from the pool.
        deadline: of the whole fetch.
        timeout: of the dial; None = there was none.
        resolved: when the name lookup ended; None = there was none.
        reaching: the proxy that the dial waits for; None = it waits for the server, or there is no proxy.
    """

    def __init__(self, now: Callable[[], float], *, fresh: bool = False, deadline: Deadline) -> None:
        self.now = now
        self.fresh = fresh
        self.deadline = deadline
        self.timeout: asyncio.Timeout | None = None
        self.reused = False
        self.started = now()
        self.resolved: float | None = None
        self.reaching: Proxy | None = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time within the block from all timeouts and phases."""
        began, timeout = self.now(), self.timeout
        due = timeout.when() if timeout and not timeout.expired() else None
        if timeout and due is not None:
            timeout.reschedule(None)
        try:
            yield
        finally:
            waited = self.now() - began
            self.started += waited
            self.deadline.due += waited
            if timeout and due is not None:
                timeout.reschedule(due + waited)

    def timing(self, began: float, connection: ConnectionTimes, sent: float) -> Timing:
        """Return all phases of a fetch that began at `began` and ends now; `sent` is when its request was written."""
        now = self.now()
        head = connection.first_byte_at or now
        if self.reused:
            return Timing(first_byte=head - sent, body=now - head, total=now - began)
        return Timing(
            dns=self.resolved - self.started if self.resolved else None,
            connect=connection.opened_at - (self.resolved or self.started),
            tls=connection.ready_at - connection.opened_at if connection.is_tls else None,
            first_byte=head - sent,
            body=now - head,
            total=now - began,
        )
