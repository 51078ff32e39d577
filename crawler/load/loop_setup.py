"""The parts of a load test's loop: clock, rule, connections, phases and requests.

Runs on: the loop that loads; in tests, on a simulated one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crawler.load.exchange import Exchange, Request
from crawler.load.gauges import Gauge
from crawler.load.wire import Connection


class TimerSource(Protocol):
    """A clock with timers: `runtime.timers`, or a simulation."""

    def now(self) -> int:
        """Return the nanoseconds of a clock that never goes back."""
        ...

    def at(self, moment: int, callback: Callable[[int], object]) -> None:
        """Call back with the moment, at that moment or soon after it, never before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A planned phase, in nanoseconds after the start; `end` None = until all are sent (closed loop only)."""

    name: str
    begin: int
    end: int | None
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSetup:
    """The parts of a loop.

    Attributes:
        dial: opens a connection, and ends in its `connection_made` or `dial_failed`.
        connections: to each host.
        groups: names of the groups of targets.
        hosts: number of the hosts that have targets.
        draw: gives the next request; None = all are `exchange.request`.
        grace: nanoseconds for requests in flight at the end.
        requests: number of measured requests; None = as many as the time allows.
    """

    timers: TimerSource
    exchange: Exchange
    dial: Callable[[Connection], object]
    connections: int
    spans: Sequence[Span]
    grace: int
    groups: Sequence[str] = ("",)
    hosts: int = 1
    draw: Callable[[], Request] | None = None
    requests: int | None = None
    gauge: Gauge = field(default_factory=Gauge)
