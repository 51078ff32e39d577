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
from enum import Enum
from typing import Protocol

import msgspec

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Timing
from crawler.core.protocols import Clock
from crawler.core.reasons import Reason
from crawler.downloader.proxy import Proxy


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The timeouts of one fetch, in seconds, and their clock.

    Attributes:
        connect: for name lookup, TCP and TLS together (`dialing.py`).
        first_byte: from the end of the request to the first byte of its answer (`connection.py`).
        idle: between two bytes of an answer, or of a request's body (`connection.py`).
        total: for the whole fetch.
    """

    now: Callable[[], float]
    connect: float
    first_byte: float
    idle: float
    total: float

    def of(self, request: Request) -> "Timeouts":
        """Return the timeouts of a request: its own where it has some."""
        own = request.timeouts
        if own is None:
            return self
        return Timeouts(
            now=self.now,
            connect=self.connect if own.connect is None else own.connect,
            first_byte=self.first_byte if own.first_byte is None else own.first_byte,
            idle=self.idle if own.idle is None else own.idle,
            total=self.total if own.total is None else own.total,
        )


def timeouts_of(config: FetchConfig, clock: Clock) -> Timeouts:
    """Return the timeouts of a fetcher's requests, by the monotonic clock."""
    return Timeouts(
        now=clock.monotonic,
        connect=config.connect_timeout,
        first_byte=config.first_byte_timeout,
        idle=config.idle_timeout,
        total=config.timeout,
    )


class Deadline:
    """The moment by which a fetch must be over: `limit` seconds after `began` (monotonic), and what it waited for us.

    Attributes:
        began: when the fetch began.
        due: the moment as it stands.
        is_suspended: the fetch waits for this process now, so nobody heeds the deadline.
    """

    __slots__ = ("began", "due", "is_suspended", "limit")

    def __init__(self, began: float, limit: float) -> None:
        self.began = began
        self.limit = limit
        self.due = began + limit
        self.is_suspended = False

    def exceeded(self) -> FetchError:
        """Return the error of a fetch that has missed it."""
        return FetchError(Reason.TOTAL_TIMEOUT, f"the fetch took longer than {self.limit:g} s")


class Reuse(Enum):
    """The kept-alive connections over which a request may be sent."""

    ANY = "any"
    FRESH = "alive within the last second"
    NONE = "none"


class ConnectionTimes(Protocol):
    """The moments that a connection notes: TCP stood, TLS stood, the latest answer began."""

    opened_at: float
    ready_at: float
    is_tls: bool
    first_byte_at: float | None


class AttemptTrace:
    """One attempt's way to its connection.

    Attributes:
        reuse: the kept-alive connections that will do.
        reused: the connection comes from the pool.
        deadline: of the whole fetch.
        timeouts: of the fetch.
        timeout: of the dial; None = there was none.
        resolved: when the name lookup ended; None = there was none.
        reaching: the proxy that the dial waits for; None = it waits for the server, or there is no proxy.
    """

    def __init__(self, timeouts: Timeouts, *, reuse: Reuse, deadline: Deadline) -> None:
        self.timeouts = timeouts
        self.now = now = timeouts.now
        self.reuse = reuse
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

    def timing(self, connection: ConnectionTimes, sent: float) -> Timing:
        """Return all phases of a fetch that ends now; `sent` is when its request was written."""
        now, began = self.now(), self.deadline.began
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
