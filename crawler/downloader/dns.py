"""Names become addresses: one lookup for all who want a name, and its result kept for as long as it holds.

Rules
- `localhost`, everything under it (RFC 6761, 6.3) and its like are this machine, without asking anyone. Then /etc/hosts
  is read, then name servers are asked: those of `--resolver`, or the system's.
- A name with an empty part, or one that is too long, is no name (RFC 1035, 2.3.4): nobody is asked for it. TLS cannot
  even write it, and its complaint would end on the user's screen.
- At most `LOOKUPS` are under way; the others wait for their turn, which no time limit counts.
- Addresses hold for their TTL, from a second to a day; no such name for a minute, other failures for three seconds.
  The oldest of 10,000 names makes room.
- A waiter that is cancelled leaves the lookup to the others. A lookup that nobody waits for is not begun.
- No such name, no answer in time and a failing name server are different outcomes: only the first is final.
- When the name servers themselves are out (`outage`), lookups fail at once as `NoNameServer`, but for one a second.
- An answer is an address to be judged at the dial, not here.
Runs on: the event loop.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TypeVar

from aiohttp.abc import AbstractResolver, ResolveResult

from crawler.core.addresses import NO_HOST, can_be_host, is_this_machine
from crawler.core.errors import NO_NAME_SERVER, FetchError, NoNameServer
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.downloader.dns_lookup import Address, Lookup, LookupOutcome, LookupQuestion, system_servers
from crawler.downloader.dns_outage import Outage
from crawler.downloader.failures import our_limit
from crawler.downloader.hosts_file import HostsFile

T = TypeVar("T")

LOOKUPS = 128
"""Lookups under way at once, each with an open file (one more for each further name server that it must ask)."""

ADDRESSES_TRIED = 4
"""Addresses of a name that one dial tries; the next dial begins with the next ones."""

_SHORTEST_TTL, _LONGEST_TTL = 1.0, 86400.0
_NO_NAME_SECONDS = 60.0
_FAILURE_SECONDS = 3.0
_NAMES_KEPT = 10_000
_SERVERS_SECONDS = 5.0  # after so long /etc/resolv.conf is read again
_THIS_MACHINE = ("127.0.0.1:53",)  # resolv.conf(5): where none is named
_LOOPBACK: tuple[Address, ...] = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def check_name(host: str) -> None:
    """Refuse a host that can be no name; an address passes.

    Raises:
        FetchError: DNS_NOT_FOUND.
    """
    if not can_be_host(host):
        raise FetchError(Reason.DNS_NOT_FOUND, f"{safe(host, 80)} {NO_HOST}; check the spelling")


class Resolver(AbstractResolver):
    """Looks names up within `limit` seconds each, and shares what it finds.

    Args:
        servers: as ADDRESS:PORT; none = the system's.
    """

    def __init__(self, limit: float, servers: Sequence[str] = (), now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._servers = _Servers(servers, now)
        self._now = now
        self._hosts_file = HostsFile()
        self._kept: dict[str, _Kept] = {}
        self._wanted: dict[str, _LookupJob] = {}
        self._queue: deque[_LookupJob] = deque()
        self._running: set[Lookup] = set()
        self._outage = Outage(now, self._ask_root)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Resolver {len(self._running)} under way, {len(self._queue)} waiting, {len(self._kept)} kept>"

    async def turn(self, host: str) -> None:
        """Wait until the lookup of a name is under way, if it needs one.

        Raises:
            FetchError: as `resolve` does.
        """
        check_name(host)
        if self._at_hand(host) is None:
            wanted = self._want(host)
            await wanted.wait(wanted.begun)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """At most `ADDRESSES_TRIED` addresses of a name, the best first.

        Raises:
            FetchError: DNS_NOT_FOUND, DNS_TEMPORARY, DNS_TIMEOUT or CLIENT_LIMIT; NoNameServer.
        """
        check_name(host)
        kept = self._at_hand(host)
        if kept is None:
            wanted = self._want(host)
            kept = await wanted.wait(wanted.result)
        if kept.failure is not None:
            raise copy(kept.failure)  # an exception that many tasks raise would gather all their tracebacks
        addresses = [address for address in kept.next_addresses() if family in {socket.AF_UNSPEC, address[0]}]
        return [_found(host, port, *address) for address in addresses[:ADDRESSES_TRIED]]

    async def close(self) -> None:
        """End all lookups and give their sockets back; a lookup after that fails."""
        self._is_closed = True
        for lookup in self._running:
            lookup.close()
        self._running.clear()
        self._queue.clear()
        for wanted in tuple(self._wanted.values()):
            self._end(wanted, _Kept(failure=_closed()))

    def _at_hand(self, host: str) -> "_Kept | None":
        """Return what is known without asking a name server."""
        if is_this_machine(host):
            return _Kept(addresses=_LOOPBACK)
        if addresses := self._hosts_file.addresses(host):
            return _Kept(addresses=addresses)
        kept = self._kept.get(host)
        if kept is not None and kept.until <= self._now():
            del self._kept[host]
            return None
        return kept

    def _want(self, host: str) -> "_LookupJob":
        if host not in self._wanted:
            if self._is_closed:
                raise _closed()
            if not self._outage.may_ask(host):
                raise self._no_name_server()
            wanted = self._wanted[host] = _LookupJob(host)
            if self._outage.since is None:
                self._queue.append(wanted)
                self._begin_next()
            else:
                self._begin(wanted)
        return self._wanted[host]

    def _begin_next(self) -> None:
        while self._queue and len(self._running) < LOOKUPS:
            wanted = self._queue.popleft()
            if wanted.is_abandoned:
                del self._wanted[wanted.host]
            else:
                self._begin(wanted)

    def _begin(self, wanted: "_LookupJob") -> None:
        wanted.begun.set_result(None)
        self._running.add(Lookup(self._question(wanted.host), self._limit, self._now, partial(self._ended, wanted)))

    def _ended(self, wanted: "_LookupJob", lookup: Lookup) -> None:
        self._running.discard(lookup)
        outcome = lookup.outcome
        if lookup.was_answered:
            self._servers.prefer(lookup.server)
            self._outage.answered()
            self._settle(wanted, outcome)
        elif outcome.is_unreachable and (limit := _client_limit()):
            self._outage.not_asked(wanted.host)
            self._end(wanted, _Kept(failure=limit))
        else:
            settle = partial(self._settle, wanted, outcome)
            self._outage.missed(wanted.host, lookup.began, lookup.asked, lambda is_out: settle(is_out=is_out))
        self._begin_next()

    def _settle(self, wanted: "_LookupJob", outcome: LookupOutcome, *, is_out: bool = False) -> None:
        if is_out:
            for waiting in (wanted, *self._queue):
                self._end(waiting, _Kept(failure=self._no_name_server()))
            self._queue.clear()
            return
        kept = self._kept[wanted.host] = _kept(wanted.host, outcome, self._limit, self._now())
        if len(self._kept) > _NAMES_KEPT:
            del self._kept[next(iter(self._kept))]
        self._end(wanted, kept)

    def _end(self, wanted: "_LookupJob", kept: "_Kept") -> None:
        self._wanted.pop(wanted.host, None)
        wanted.end(kept)

    def _ask_root(self, asked: Callable[[bool], None]) -> None:
        def ended(lookup: Lookup) -> None:
            self._running.discard(lookup)
            asked(lookup.was_answered)

        self._running.add(Lookup(self._question(None), self._limit / 2, self._now, ended))

    def _question(self, name: str | None) -> LookupQuestion:
        return LookupQuestion(name=name, servers=self._servers.in_order())

    def _no_name_server(self) -> NoNameServer:
        since = self._now() if self._outage.since is None else self._outage.since
        asked = " and ".join(self._servers.in_order())
        message = f"{NO_NAME_SERVER} (asked: {asked}): check the network, or name another with --resolver"
        return NoNameServer(message, since=since)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What is known of a name.

    Attributes:
        until: monotonic moment at which it ends.
        dials: how often its addresses were given out.
    """

    addresses: tuple[Address, ...] = ()
    failure: FetchError | None = None
    until: float = 0.0
    dials: int = 0

    def next_addresses(self) -> list[Address]:
        """All addresses: the families in turn, each beginning with the address after the one given first before."""
        preferred = self.addresses[0][0]
        families = ([each for each in self.addresses if (each[0] == preferred) is same] for same in (True, False))
        turned = [[*group[self.dials % len(group) :], *group[: self.dials % len(group)]] for group in families if group]
        self.dials += 1
        return [address for tier in zip_longest(*turned) for address in tier if address is not None]


class _LookupJob:
    """A name whose lookup waits for its turn or is under way, and for how many."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.result: asyncio.Future[_Kept] = asyncio.get_running_loop().create_future()
        self._waiters = 0
        self._was_waited_for = False

    @property
    def is_abandoned(self) -> bool:
        """All who waited for it are gone."""
        return self._was_waited_for and not self._waiters

    async def wait(self, future: asyncio.Future[T]) -> T:
        """Wait for one of its futures; a waiter that is cancelled leaves it to the others."""
        self._waiters += 1
        self._was_waited_for = True
        try:
            return await asyncio.shield(future)
        finally:
            self._waiters -= 1

    def end(self, kept: _Kept) -> None:
        """Tell all who wait."""
        if not self.begun.done():
            self.begun.set_result(None)
        if not self.result.done():
            self.result.set_result(kept)


class _Servers:
    """Whom to ask: the server that answered last comes first."""

    def __init__(self, given: Sequence[str], now: Callable[[], float]) -> None:
        self._given = tuple(given)
        self._now = now
        self._system: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._preferred: str | None = None

    def in_order(self) -> tuple[str, ...]:
        """All of them, at least one."""
        if not self._given and self._now() - self._read_at >= _SERVERS_SECONDS:
            self._system, self._read_at = system_servers() or self._system, self._now()
        servers = self._given or self._system or _THIS_MACHINE
        first = servers.index(self._preferred) if self._preferred in servers else 0
        return servers[first:] + servers[:first]

    def prefer(self, server: str | None) -> None:
        """Ask this one first from now on."""
        self._preferred = server


def _kept(host: str, outcome: LookupOutcome, limit: float, now: float) -> _Kept:
    if outcome.code is None:
        until = now + min(max(outcome.ttl, _SHORTEST_TTL), _LONGEST_TTL)
        return _Kept(addresses=outcome.addresses, until=until)
    seconds = _NO_NAME_SECONDS if outcome.is_no_name else _FAILURE_SECONDS
    return _Kept(failure=_failure(host, outcome, limit), until=now + seconds)


def _failure(host: str, outcome: LookupOutcome, limit: float) -> FetchError:
    if outcome.is_no_name:
        return FetchError(Reason.DNS_NOT_FOUND, f"there is no host {safe(host)}: check the spelling")
    if outcome.is_silence:
        return FetchError(Reason.DNS_TIMEOUT, f"no name server answered for {safe(host)} within {limit:g} s")
    return FetchError(Reason.DNS_TEMPORARY, f"the name lookup of {safe(host)} failed: {safe(outcome.problem)}")


def _closed() -> FetchError:
    return FetchError(Reason.DNS_TEMPORARY, "the lookup was ended, with all connections", counted=False)


def _client_limit() -> FetchError | None:
    """Return what this machine lacks for a lookup: c-ares calls a socket that it cannot open an unreachable server."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return our_limit(error)
    return None


def _found(host: str, port: int, family: socket.AddressFamily, address: str) -> ResolveResult:
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
