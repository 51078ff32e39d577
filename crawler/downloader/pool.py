"""Addresses at the dial, and which kept-alive connections may carry another request.

Rules
- The socket for an address is made here and nowhere else, so no spelling, no DNS answer and no redirect leads to an
  address that the policy refuses. Named and unnamed hosts have pools of their own: a connection that was opened to a
  private address because the user named it never carries a request that merely came across it.
- With a proxy, the dialled address is the proxy's, which the user named; where the proxy goes cannot be seen from here.
  (`Dials` still refuses a URL whose host is, or is known to stand for, a refused address.)
- A server that pushes an answer while our next request is on its way cannot be told from one that answers it. So a host
  first shows on some connections that it stays silent between answers, 0.1 s each, before it gets connections back
  at once; one that spoke unasked gets a new connection for every request from then on.
Strategy: aiohttp's pool; the methods of it that are overridden are pinned by tests. Proving takes
a host that is asked without pause a connection per request for 0.1 s, and one that is asked twice a second nothing.
Runs on: the event loop.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from ssl import SSLContext
from time import monotonic
from typing import cast

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.helpers import is_ip_address
from aiohttp.tracing import Trace

from crawler.core.addresses import AddressPolicy
from crawler.downloader.connection import ConnectionWatch, GuardedHandler, IdleConnections
from crawler.downloader.dns import Resolver
from crawler.downloader.timing import Trail
from crawler.runtime.loop import open_files

QUIET_SECONDS = 0.1
QUIET_PROOFS = 16
_SPOKE = -1
_RESERVED_FILES = 32
_KEEP_ALIVE_SECONDS = 15.0
_HOSTS_REMEMBERED = 4096


def guarded_socket(policy: AddressPolicy, *, named: bool) -> Callable[[AddrInfoType], socket.socket]:
    """Return what makes the socket for an address about to be dialled.

    It raises EACCES with the policy's sentence, or EMFILE while few of the files are left that this process may open:
    the run's own files need them. A new file has the lowest free number (POSIX), so a high one tells that few are left.
    """
    most = open_files() - _RESERVED_FILES

    def create(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if refusal := policy.refusal(str(address[0]), named=named):
            raise PermissionError(errno.EACCES, refusal)
        created = socket.socket(family, kind, protocol)
        if created.fileno() >= most:
            created.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return created

    return create


class GuardedConnector(TCPConnector):
    """The only connector of the project: one pool. `timeout` is for lookup, TCP and TLS of a new connection."""

    def __init__(
        self,
        *,
        create_socket: Callable[[AddrInfoType], socket.socket],
        resolver: Resolver,
        ssl: SSLContext | bool,
        timeout: float,
        watch: ConnectionWatch,
        idle: IdleConnections,
    ) -> None:
        super().__init__(
            resolver=resolver,
            socket_factory=create_socket,
            ssl=ssl,
            limit=0,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            use_dns_cache=False,
        )
        self._names = resolver
        self._timeout = timeout
        self._factory = partial(GuardedHandler, self._loop, watch, idle)  # type: ignore[assignment] # our own class
        self._idle = idle
        self._manners = ReuseTrust()

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        if cast("Trail", traces[0]).fresh:
            return None
        waiting = self._conns.get(key)
        while waiting:
            handler, since = cast("tuple[GuardedHandler, float]", waiting[0])
            rested = monotonic() - since
            if rested <= _KEEP_ALIVE_SECONDS and handler.is_reusable():
                if not self._manners.may_return(key, rested):
                    return None
                self._manners.was_quiet(key, rested)
                self._idle.discard(handler)
                break
            if handler.unasked:
                self._manners.spoke_unasked(key)
            waiting.popleft()
            handler.abort()
        return await super()._get(key, traces)

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        handler = cast("GuardedHandler", protocol)
        if handler.unasked:
            self._manners.spoke_unasked(key)
        may_wait = self._manners.may_wait(key, len(self._conns.get(key, ())))
        super()._release(key, protocol, should_close=should_close or not may_wait or not handler.is_connected())
        if handler.is_connected():
            self._idle.add(handler)

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's, without limits
    ) -> ResponseHandler:
        async with asyncio.timeout(self._timeout) as deadline:
            cast("Trail", traces[0]).deadlines.append(deadline)
            return await super()._create_connection(req, traces, timeout)

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        if is_ip_address(host):
            return await super()._resolve_host(host, port)
        trail = cast("Trail | None", next(iter(traces or ()), None))
        with trail.paused() if trail else nullcontext():  # towards a proxy there are no traces
            await self._names.turn(host)
        found = await super()._resolve_host(host, port)
        if trail:
            trail.resolved = trail.now()
        return found


class ReuseTrust:
    """Which hosts have shown that they speak only when asked."""

    def __init__(self) -> None:
        self._proofs: dict[ConnectionKey, int] = {}

    def may_return(self, key: ConnectionKey, rested: float) -> bool:
        """Whether a connection that was silent for `rested` seconds may be used again."""
        proofs = self._proofs.get(key, 0)
        return proofs >= QUIET_PROOFS or (proofs != _SPOKE and rested >= QUIET_SECONDS)

    def may_wait(self, key: ConnectionKey, waiting: int) -> bool:
        """Whether one more connection may be kept beside those that wait: until proven, only as many as prove it."""
        proofs = self._proofs.get(key, 0)
        return proofs >= QUIET_PROOFS or (proofs != _SPOKE and waiting < QUIET_PROOFS)

    def was_quiet(self, key: ConnectionKey, rested: float) -> None:
        """A connection is used again and has said nothing meanwhile."""
        if rested >= QUIET_SECONDS and (proofs := self._proofs.get(key, 0)) < QUIET_PROOFS:
            self._note(key, proofs + 1)

    def spoke_unasked(self, key: ConnectionKey) -> None:
        """A connection brought what nobody had asked for."""
        self._note(key, _SPOKE)

    def _note(self, key: ConnectionKey, proofs: int) -> None:
        self._proofs[key] = proofs
        if len(self._proofs) > _HOSTS_REMEMBERED:
            del self._proofs[next(iter(self._proofs))]
