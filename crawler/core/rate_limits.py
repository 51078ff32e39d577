"""The limits of each host from the configuration, and the rate of all hosts together.

Rules
- Loopback is the user's own machine: no delay, and as many at once as there are slots.
- Any other host: 4 connections and half a second between requests, longer where it answers slowly. A delay that the
  user gives is taken as it is; robots.txt and trouble can only make it longer (`core/throttle.py`).
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

from crawler.core.addresses import AddressClass, classify, written_address
from crawler.core.config import PolitenessConfig
from crawler.core.leases_and_commits import HostState
from crawler.core.throttle import HostThrottle, ThrottleBounds
from crawler.core.urls import Host

PUBLIC_PER_HOST = 4
PUBLIC_DELAY = 0.5


class Throttles:
    """The throttles of all hosts under one configuration.

    `concurrency` is the limit over all hosts, `ahead` the monotonic clock minus the wall clock.
    """

    def __init__(self, config: PolitenessConfig, concurrency: int, *, ahead: float) -> None:
        self._ahead = ahead
        delay = config.delay
        if delay is None:
            self._public = ThrottleBounds(
                per_host=config.per_host or PUBLIC_PER_HOST, delay=PUBLIC_DELAY, heeds_latency=True
            )
            self._loopback = ThrottleBounds(per_host=config.per_host or concurrency, delay=0.0, cause="loopback")
        else:
            self._public = ThrottleBounds(per_host=config.per_host or PUBLIC_PER_HOST, delay=delay)
            self._loopback = ThrottleBounds(per_host=config.per_host or concurrency, delay=delay)

    def of(self, host: Host, state: HostState) -> HostThrottle:
        """Return the throttle of this host and port, which goes on from a stored state."""
        return HostThrottle(self._loopback if is_loopback(host) else self._public, state, self._ahead)


def is_loopback(host: Host) -> bool:
    """Return True when the name alone says that this is the own machine."""
    address = written_address(host.rpartition(":")[0])
    return address is not None and classify(address) is AddressClass.LOOPBACK


class RateGate:
    """The limit of `rate` starts, or bytes, per second over all hosts, evenly spaced; None = no limit."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0
        self._is_closed = False

    def due(self, now: float) -> float:
        """Return the moment of the next start; `now` or before = at once, infinite = not at this rate."""
        if self._is_closed:
            return float("inf")
        return self._next if self._gap else now

    def pass_through(self, now: float, n: int = 1) -> None:
        """Count `n` starts; a delay of less than one gap is made up for, a pause is not."""
        on_time = now - self._next < self._gap
        self._next = (self._next if on_time else now) + n * self._gap

    def change(self, rate: float | None) -> None:
        """Go on at another rate, one gap of it after the last start; 0 = nothing may start until the next change."""
        gap = 1 / rate if rate else 0.0
        self._next += gap - self._gap
        self._gap, self._is_closed = gap, rate == 0
