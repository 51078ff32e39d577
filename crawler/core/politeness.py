"""How gently each host is asked, and how fast all of them together.

Rules
- Loopback is the user's own machine: no delay, and as many at once as there are slots.
- Everybody else: 4 connections and half a second between requests, unless the user says otherwise.
Runs on: anywhere (pure). Time comes in as `now`, seconds, monotonic.
"""

from dataclasses import dataclass

from crawler.core.addresses import AddressClass, classify, written_address
from crawler.core.config import PolitenessConfig
from crawler.core.urls import Host

PUBLIC_PER_HOST = 4
PUBLIC_DELAY = 0.5
STOCK_SECONDS = 2.0
MOST_STOCK = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """One host's limits.

    Attributes:
        per_host: requests in flight at the most.
        delay: seconds between the starts of two requests.
    """

    per_host: int
    delay: float

    @property
    def stock(self) -> int:
        """How many leased URLs the host can use: two seconds' worth within reason, at least twice its limit."""
        by_pace = int(min(STOCK_SECONDS / self.delay, MOST_STOCK)) if self.delay else 0
        return max(by_pace, 2 * self.per_host)


class Paces:
    """The pace of every host under one configuration; `concurrency` is the limit over all hosts."""

    def __init__(self, config: PolitenessConfig, concurrency: int) -> None:
        delay = config.delay
        self._public = Pace(config.per_host or PUBLIC_PER_HOST, PUBLIC_DELAY if delay is None else delay)
        self._loopback = Pace(config.per_host or concurrency, 0.0 if delay is None else delay)

    def of(self, host: Host) -> Pace:
        """The pace of this host and port."""
        return self._loopback if is_loopback(host) else self._public


def is_loopback(host: Host) -> bool:
    """True when the name alone says that this is the own machine."""
    address = written_address(host.rpartition(":")[0])
    return address is not None and classify(address) is AddressClass.LOOPBACK


class RateGate:
    """At most `rate` starts per second over all hosts, evenly spaced; None = no limit."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0

    def due(self, now: float) -> float:
        """The moment of the next start; `now` or before = at once."""
        return self._next if self._gap else now

    def pass_through(self, now: float) -> None:
        """One request starts; being late by less than one gap is made up for, a pause is not."""
        on_time = now - self._next < self._gap
        self._next = (self._next if on_time else now) + self._gap
