"""DNS: one lookup for all fetches that need a name, at most 128 at a time, and none while an answer is known.

Rules
- `localhost`, everything under it (RFC 6761, 6.3) and similar names are this machine; no server is asked. Then come
  /etc/hosts (`hosts_file.py`), the cache (`dns_cache.py`), and the name servers of `--resolver`, or the system's.
- A name with an empty part, or one that is too long, is no name (RFC 1035, 2.3.4) and is not looked up. TLS cannot
  even write it, and its complaint would end on the user's screen.
- At most `LOOKUPS` are under way; the others wait for their turn, which no timeout counts.
- A cancelled waiter leaves the lookup to the others. A lookup whose waiters are all gone is not begun.
- When the name servers themselves are out (`dns_outage.py`), lookups fail at once as `NoNameServer`, but for one a
  second.
- The dial judges the addresses (`sockets.py`), not the lookup.
Runs on: the event loop.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from functools import partial
from typing import TypeVar

from crawler.core.addresses import is_this_machine
from crawler.core.errors import NO_NAME_SERVER, FetchError, NoNameServer
from crawler.core.reasons import Reason
from crawler.downloader.dns_cache import CachedName, DnsCache
from crawler.downloader.dns_lookup import Lookup, LookupOutcome, system_servers
from crawler.downloader.dns_outage import DnsOutage
from crawler.downloader.dns_servers import NameServers
from crawler.downloader.failures import our_limit
from crawler.downloader.host_names import Address, check_name
from crawler.downloader.hosts_file import HostsFile

T = TypeVar("T")

LOOKUPS = 128
"""Lookups under way at once, each with an open file (one more for each further name server that it must ask)."""

ADDRESSES_TRIED = 4
"""Addresses of a name that one dial tries; the next dial begins with the next ones."""

_LOOPBACK: tuple[Address, ...] = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Resolver:
    """Looks names up within `limit` seconds each, and caches the results.

    Args:
        servers: as ADDRESS:PORT; none = the system's.
        hosts_file: None = that of the system.
    """

    def __init__(
        self,
        limit: float,
        servers: Sequence[str] = (),
        now: Callable[[], float] = time.monotonic,
        hosts_file: HostsFile | None = None,
    ) -> None:
        self._limit = limit
        self._servers = NameServers(servers, system_servers, now)
        self._now = now
        self._hosts_file = hosts_file or HostsFile()
        self._cache = DnsCache(limit)
        self._jobs: dict[str, _LookupJob] = {}
        self._queue: deque[_LookupJob] = deque()
        self._running: set[Lookup] = set()
        self._outage = DnsOutage(now, self._ask_root)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Resolver {len(self._running)} under way, {len(self._queue)} waiting, {len(self._cache)} cached>"

    async def resolve(
        self, host: str, *, queued: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> list[Address]:
        """Return at most `ADDRESSES_TRIED` addresses of a name, the best first; `queued` is entered to await a turn.

        Raises:
            FetchError: DNS_NOT_FOUND, DNS_TEMPORARY, DNS_TIMEOUT or CLIENT_LIMIT; NoNameServer.
        """
        check_name(host)
        known = self._known(host)
        if known is None:
            job = self._job(host)
            if not job.begun.done():
                with queued():
                    await job.wait(job.begun)
            known = await job.wait(job.result)
        if known.failure is not None:
            raise copy(known.failure)  # an exception that many tasks raise would gather all their tracebacks
        return known.next_addresses()[:ADDRESSES_TRIED]

    async def close(self) -> None:
        """End all lookups and give their sockets back; a lookup after that fails."""
        self._is_closed = True
        for lookup in self._running:
            lookup.close()
        self._running.clear()
        self._queue.clear()
        for job in tuple(self._jobs.values()):
            self._end(job, CachedName(failure=_closed()))

    def _known(self, host: str) -> CachedName | None:
        """Return the addresses or failure that are known without asking a name server."""
        if is_this_machine(host):
            return CachedName(addresses=_LOOPBACK)
        if addresses := self._hosts_file.addresses(host):
            return CachedName(addresses=addresses)
        return self._cache.get(host, self._now())

    def _job(self, host: str) -> "_LookupJob":
        """Return the one lookup of a name, queued or begun if there was none."""
        if host not in self._jobs:
            if self._is_closed:
                raise _closed()
            if not self._outage.may_ask(host):
                raise self._no_name_server()
            job = self._jobs[host] = _LookupJob(host)
            if self._outage.since is None:
                self._queue.append(job)
                self._begin_next()
            else:
                self._begin(job)
        return self._jobs[host]

    def _begin_next(self) -> None:
        while self._queue and len(self._running) < LOOKUPS:
            job = self._queue.popleft()
            if job.is_abandoned:
                del self._jobs[job.host]
            else:
                self._begin(job)

    def _begin(self, job: "_LookupJob") -> None:
        job.begun.set_result(None)
        self._lookup(job.host, self._limit, partial(self._ended, job))

    def _ended(self, job: "_LookupJob", lookup: Lookup) -> None:
        self._running.discard(lookup)
        outcome = lookup.outcome
        if lookup.was_answered:
            self._servers.prefer(lookup.server)
            self._outage.answered()
            self._settle(job, outcome)
        elif outcome.is_unreachable and (limit := _client_limit()):
            self._outage.not_asked(job.host)
            self._end(job, CachedName(failure=limit))
        else:
            settle = partial(self._settle, job, outcome)
            self._outage.missed(job.host, lookup.began, lookup.asked, lambda is_out: settle(is_out=is_out))
        self._begin_next()

    def _settle(self, job: "_LookupJob", outcome: LookupOutcome, *, is_out: bool = False) -> None:
        """End a lookup with its outcome; in an outage, end those that wait for their turn as well."""
        if is_out:
            for waiting in (job, *self._queue):
                self._end(waiting, CachedName(failure=self._no_name_server()))
            self._queue.clear()
        else:
            self._end(job, self._cache.put(job.host, outcome, self._now()))

    def _end(self, job: "_LookupJob", known: CachedName) -> None:
        self._jobs.pop(job.host, None)
        job.end(known)

    def _ask_root(self, hear: Callable[[bool], None]) -> None:
        def ended(lookup: Lookup) -> None:
            self._running.discard(lookup)
            hear(lookup.was_answered)

        self._lookup(None, self._limit / 2, ended)

    def _lookup(self, name: str | None, limit: float, done: Callable[[Lookup], None]) -> None:
        self._running.add(Lookup(name, self._servers.in_order(), limit, self._now, done))

    def _no_name_server(self) -> NoNameServer:
        since = self._now() if self._outage.since is None else self._outage.since
        asked = " and ".join(self._servers.in_order())
        message = f"{NO_NAME_SERVER} (asked: {asked}): check the network, or name another with --resolver"
        return NoNameServer(message, since=since)


class _LookupJob:
    """A name whose lookup waits for its turn or is under way, and the number of its waiters."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.result: asyncio.Future[CachedName] = asyncio.get_running_loop().create_future()
        self._waiters = 0
        self._was_waited_for = False

    @property
    def is_abandoned(self) -> bool:
        """Return whether all its waiters are gone."""
        return self._was_waited_for and not self._waiters

    async def wait(self, future: asyncio.Future[T]) -> T:
        """Wait for one of its futures; a waiter that is cancelled leaves it to the others."""
        self._waiters += 1
        self._was_waited_for = True
        try:
            return await asyncio.shield(future)
        finally:
            self._waiters -= 1

    def end(self, known: CachedName) -> None:
        """Wake all waiters."""
        if not self.begun.done():
            self.begun.set_result(None)
        if not self.result.done():
            self.result.set_result(known)


def _closed() -> FetchError:
    return FetchError(Reason.DNS_TEMPORARY, "the lookup was cancelled: the fetcher is closed", counted=False)


def _client_limit() -> FetchError | None:
    """Return the error of a machine without sockets left: c-ares reports one that it cannot open as unreachable."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return our_limit(error)
    return None
