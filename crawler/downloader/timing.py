"""The phases of one fetch: name lookup, connecting, TLS, first byte, body.

Rules
- Durations are on the monotonic clock; a phase that did not happen is None.
- A connection taken from the pool has neither lookup, connect nor TLS. Through a proxy, lookup is part of connect.
- The wait for a lookup's turn is in no phase but the total, and no time limit counts it.
Strategy: aiohttp calls its traces at these points anyway, so a trace of our own costs two attribute writes; a
`TraceConfig` with signals makes a fetch a quarter dearer. TCP and TLS are told apart by the handler, which is made
between them.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from aiohttp.tracing import Trace

from crawler.core.messages import Timing


class Dialled(Protocol):
    """What a connection knows of its own making, and when the latest answer began."""

    opened_at: float
    ready_at: float
    is_tls: bool
    first_byte_at: float | None


class Trail(Trace):
    """What one attempt went through until it had a connection.

    Attributes:
        fresh: a kept-alive connection will not do.
        reused: the connection comes from the pool.
        deadlines: what limits the attempt.
        resolved: when the name lookup ended; None = there was none.
    """

    def __init__(self, now: Callable[[], float], *, fresh: bool = False, deadline: asyncio.Timeout) -> None:
        self.now = now
        self.fresh = fresh
        self.deadlines = [deadline]
        self.reused = False
        self.started = now()
        self.resolved: float | None = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Count the time within the block for no limit and no phase."""
        began = self.now()
        due = [(deadline, deadline.when()) for deadline in self.deadlines if not deadline.expired()]
        for deadline, _ in due:
            deadline.reschedule(None)
        try:
            yield
        finally:
            waited = self.now() - began
            self.started += waited
            for deadline, when in due:
                deadline.reschedule(None if when is None else when + waited)

    async def send_connection_reuseconn(self) -> None:
        """A pooled connection was taken."""
        self.reused = True

    async def send_connection_create_start(self) -> None:
        """Dialling begins; `started` is near enough."""

    async def send_connection_create_end(self) -> None:
        """The connection stands; its handler knows since when."""

    def timing(self, began: float, dialled: "Dialled", sent: float) -> Timing:
        """All phases of a fetch that began at `began` and has just ended; `sent` is when its request was written."""
        now = self.now()
        head = dialled.first_byte_at or now
        if self.reused:
            return Timing(first_byte=head - sent, body=now - head, total=now - began)
        return Timing(
            dns=self.resolved - self.started if self.resolved else None,
            connect=dialled.opened_at - (self.resolved or self.started),
            tls=dialled.ready_at - dialled.opened_at if dialled.is_tls else None,
            first_byte=head - sent,
            body=now - head,
            total=now - began,
        )
