"""The owner of a load test's connections, as one of them sees it: what it asks, and what it tells.

Runs on: anywhere (pure): the loops fulfil it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from crawler.http.framing import ResponseReader
from crawler.load.counts import Table
from crawler.load.exchange import Exchange, Request
from crawler.load.intervals import Interval
from crawler.load.records import Phase

C = TypeVar("C")
"""The class of the connections."""

Heads = dict[bytes, tuple[int, int]]
"""Heads of good answers: the length of what follows, and the status."""


class Pool(Protocol[C]):
    """The owner of the connections, which decides when each one sends.

    Attributes:
        dial: opens a connection; ends in `connection_made` or `dial_failed`.
        heads, bare_heads: heads that were read before, of answers with a body and of those to HEAD.
        is_paced: requests have a due moment.
        chains: a connection may send its next request right after an answer, without the pool, while `left` is not 0.
        left: requests that are still to be sent.
        draw: gives each next request; None = all are the same. `given` counts them by group of targets.
        cells: the records of the current phase, by group of targets.
        limit: the timeout in nanoseconds.
        second: the interval in which requests count now, and `times`, its times in fine buckets.
        took: is given each whole answer, good or not, before the connection is released; None = nothing reads them.
    """

    now: Callable[[], int]
    dial: Callable[[C], object]
    exchange: Exchange
    heads: Heads
    bare_heads: Heads
    is_paced: bool
    chains: bool
    left: int
    draw: Callable[[], Request] | None
    given: list[int]
    cells: Sequence[Phase]
    limit: int
    second: Interval
    times: Table
    origin: int
    took: Callable[[C, ResponseReader], object] | None

    def opened(self, connection: C) -> None:
        """Take a connection that is open and has no request yet."""

    def ask_again(self, connection: C) -> None:
        """Send the request of a kept connection that has ended over a new one."""

    def release(self, connection: C, now: int) -> None:
        """Take back a connection without a request; it may be over."""
