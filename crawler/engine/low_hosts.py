"""Refill: the hosts whose queue runs low, and what the next lease asks the frontier to give of each.

Rules
- A host runs low when more than half of its stock is missing.
- A host of which less came than was asked for is drained: it is asked for again only once it has gained URLs.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from crawler.core.messages import Request
from crawler.core.urls import Host
from crawler.engine.host_queue import HostQueue

_MOST_SHARES = 1000  # hosts that are asked for at once


class LowHosts:
    """Hosts that run low and may have more URLs to lease; the longest low come first."""

    def __init__(self) -> None:
        self._low: dict[Host, None] = {}
        self._drained: set[Host] = set()
        self._asked: dict[Host, int] = {}  # requests that the lease under way was asked for, less those that came

    def __len__(self) -> int:
        return len(self._low)

    def took(self, queue: HostQueue) -> None:
        """Note that a request was taken from the queue."""
        if queue.host not in self._drained and queue.is_low:
            self._low[queue.host] = None

    def shares(self, queues: Mapping[Host, HostQueue]) -> dict[Host, int]:
        """Return the number of requests to ask for, by host; `settle` tells what came."""
        self._asked = {}
        for host in tuple(islice(self._low, _MOST_SHARES)):
            del self._low[host]
            if (share := queues[host].missing) > 0:
                self._asked[host] = share
        return dict(self._asked)

    def settle(self, requests: Iterable[Request], queues: Mapping[Host, HostQueue]) -> None:
        """Note the requests that the lease has brought."""
        asked, self._asked = self._asked, {}
        for request in requests if asked else ():
            if (host := request.url.host_port) in asked:
                asked[host] -= 1
        self._drained.update(host for host, missing in asked.items() if missing > 0 and host in queues)

    def gained(self, hosts: Iterable[Host]) -> None:
        """Note that these hosts may have more URLs to lease than before."""
        for host in hosts:
            was_asked = self._asked.pop(host, None) is not None  # perhaps before it gained
            if was_asked or host in self._drained:
                self._drained.discard(host)
                self._low[host] = None

    def forget(self, host: Host) -> None:
        """Drop what is known of a host."""
        self._low.pop(host, None)
        self._drained.discard(host)
