"""The DNS cache: the addresses or the failure of each name, for as long as they hold.

Rules
- Addresses hold for their TTL, from a second to a day. "No such name" holds for a minute, other failures for three
  seconds.
- The oldest of 10,000 names makes room.
- Each dial gets the addresses in another order, so that all of them have their turn.
- Only "no such name" is final; no answer in time and a failing name server are other outcomes.
Runs on: the event loop. Time comes in as `now`, seconds, monotonic.
"""

from itertools import zip_longest

import msgspec

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.downloader.dns_lookup import LookupOutcome
from crawler.downloader.host_names import Address

_SHORTEST_TTL, _LONGEST_TTL = 1.0, 86400.0
_NO_NAME_SECONDS = 60.0
_FAILURE_SECONDS = 3.0
NAMES_CACHED = 10_000


class CachedName(msgspec.Struct, kw_only=True):
    """The addresses of a name, or the failure of its lookup.

    Attributes:
        until: monotonic moment at which it ends.
        dials: how often its addresses were given out.
    """

    addresses: tuple[Address, ...] = ()
    failure: FetchError | None = None
    until: float = 0.0
    dials: int = 0

    def next_addresses(self) -> list[Address]:
        """Return all addresses: the families in turn, each beginning one address later than the time before."""
        preferred = self.addresses[0][0]
        families = ([each for each in self.addresses if (each[0] == preferred) is same] for same in (True, False))
        turned = [[*group[self.dials % len(group) :], *group[: self.dials % len(group)]] for group in families if group]
        self.dials += 1
        return [address for tier in zip_longest(*turned) for address in tier if address is not None]


class DnsCache:
    """The results of lookups of at most `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._names: dict[str, CachedName] = {}

    def __len__(self) -> int:
        return len(self._names)

    def get(self, host: str, now: float) -> CachedName | None:
        """Return the entry of a name; None = the name has to be looked up."""
        known = self._names.get(host)
        if known is not None and known.until <= now:
            del self._names[host]
            return None
        return known

    def put(self, host: str, outcome: LookupOutcome, now: float) -> CachedName:
        """Store the outcome of a lookup and return its entry."""
        if outcome.code is None:
            seconds = min(max(outcome.ttl, _SHORTEST_TTL), _LONGEST_TTL)
            known = CachedName(addresses=outcome.addresses, until=now + seconds)
        else:
            seconds = _NO_NAME_SECONDS if outcome.is_no_name else _FAILURE_SECONDS
            if outcome.is_no_name:
                failure = FetchError(Reason.DNS_NOT_FOUND, f"there is no host {safe(host)}: check the spelling")
            elif outcome.is_silence:
                message = f"no name server answered for {safe(host)} within {self._limit:g} s"
                failure = FetchError(Reason.DNS_TIMEOUT, message)
            else:
                message = f"the name lookup of {safe(host)} failed: {safe(outcome.problem)}"
                failure = FetchError(Reason.DNS_TEMPORARY, message)
            known = CachedName(failure=failure, until=now + seconds)
        self._names[host] = known
        if len(self._names) > NAMES_CACHED:
            del self._names[next(iter(self._names))]
        return known
