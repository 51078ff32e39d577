"""Connection pools: a kept-alive connection that may carry the request, or else a new one.

Rules
- Pools by standing: requests to a host that the user named, those to which only another origin's redirect led, and
  those to all other hosts share nothing but the limit of idle connections. A connection that was opened to a private
  address because the user named it never carries a request of a link. Only the first pool shows a certificate.
- `keep_alive.py` decides which idle connection may be used again; `dialing.py` opens new ones. A connection that ends
  leaves its pool at once.
Runs on: the event loop.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from crawler.core.addresses import AddressPolicy
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import HttpConnection
from crawler.downloader.dialing import Dialer
from crawler.downloader.host_names import check_name
from crawler.downloader.keep_alive import FRESH_SECONDS, KEEP_ALIVE_SECONDS, IdleConnections, ReuseTrust
from crawler.downloader.late_resolver import LateResolver
from crawler.downloader.proxy_dialing import ProxyDialer
from crawler.downloader.routes import Routes
from crawler.downloader.sockets import Sockets
from crawler.downloader.timing import AttemptTrace, Reuse, Timeouts
from crawler.downloader.tls import tls_for
from crawler.runtime.turns import Waker

LOOKUP_SECONDS = 5.0  # smokescreen's, and half of our default for connecting
_WOKEN = 32  # fetches that go on in one turn of the loop, each for about 0.1 ms

Standing = tuple[bool, bool]  # the host is named; the request may carry the user's credentials
_STANDINGS: tuple[Standing, ...] = ((True, True), (True, False), (False, False))


class ConnectionPools:
    """All connections of one fetcher; `close` ends them."""

    def __init__(
        self,
        config: FetchConfig,
        policy: AddressPolicy,
        routes: Routes,
        servers: Sequence[str],
        idle: IdleConnections,
        timeouts: Timeouts,
    ) -> None:
        self._config = config
        self._policy = policy
        self._idle = idle
        self._now = now = timeouts.now
        self._routes = routes
        self._names = LateResolver(min(LOOKUP_SECONDS, timeouts.connect / 2), servers, now)
        self._tls = {trusted: tls_for(config, trusted=trusted) for trusted in (True, False)}
        loop = asyncio.get_running_loop()
        make = partial(HttpConnection, loop, timeouts, Waker(loop, _WOKEN))
        self._pools = {
            (named, trusted): ConnectionPool(self._dialer(config, named=named), make, idle, now)
            for named, trusted in _STANDINGS
        }
        self._sweep()

    async def connect(self, request: Request, trace: AttemptTrace) -> HttpConnection:
        """Return a connection on which the request may be sent; hand it back by `give_back`.

        Raises:
            FetchError: no connection stands; NoNameServer.
        """
        url, trusted = request.url, request.is_trusted
        pool = self._pools[request.named, trusted]
        if (kept := pool.kept(url.origin, trace)) is not None:
            return kept
        check_name(url.host)  # also a name that only the proxy looks up
        return await pool.dial(url, self._context(url, trusted=trusted), trace)

    def give_back(self, request: Request, connection: HttpConnection) -> None:
        """Take a connection back, over which the request was sent."""
        self._pools[request.named, request.is_trusted].give_back(connection)

    async def close(self) -> None:
        """Drop every connection, idle or not."""
        self._sweeping.cancel()
        for pool in self._pools.values():
            pool.close()
        await self._names.close()

    def _dialer(self, config: FetchConfig, *, named: bool) -> Dialer:
        sockets, to_proxies = (Sockets(self._policy, self._idle, named=told) for told in (named, True))
        tls = partial(self._context, trusted=False)
        through = ProxyDialer(to_proxies, self._names, sockets.refusal, tls, config.full_user_agent)
        return Dialer(sockets, self._names, self._routes, through)

    def _sweep(self) -> None:
        self._idle.drop_expired(self._now())
        self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._sweep)

    def _context(self, url: Url, *, trusted: bool) -> ssl.SSLContext | None:
        if url.scheme == "http":
            return None
        is_insecure = not {url.host, url.host_port}.isdisjoint(self._config.insecure_hosts)
        return self._tls[trusted].context(verified=not is_insecure)


class ConnectionPool:
    """The connections of one standing."""

    def __init__(
        self,
        dialer: Dialer,
        make: "Callable[[Callable[[HttpConnection], object]], HttpConnection]",
        idle: IdleConnections,
        now: Callable[[], float],
    ) -> None:
        self._dialer = dialer
        self._make = partial(make, self._lost)
        self._now = now
        self._idle = idle
        self._trust = ReuseTrust()
        self._open: set[HttpConnection] = set()
        self._waiting: dict[str, OrderedDict[HttpConnection, None]] = {}  # by origin, the longest idle first
        self._is_closed = False

    def kept(self, origin: str, trace: AttemptTrace) -> HttpConnection | None:
        """Return a connection to the origin that waits and may be used again; None = there is none."""
        waiting = None if trace.reuse is Reuse.NONE else self._waiting.get(origin)
        while waiting:
            now = self._now()
            connection = next(iter(waiting))
            if trace.reuse is Reuse.FRESH and now - connection.idle_since > FRESH_SECONDS:
                fresh = next((one for one in waiting if now - one.idle_since <= FRESH_SECONDS), None)
                if fresh is None:
                    return None
                connection = fresh
            idle = now - connection.idle_since
            if idle <= KEEP_ALIVE_SECONDS and connection.is_reusable():
                if not self._trust.may_return(origin, idle):
                    return None
                self._trust.was_quiet(origin, idle)
                self._remove(connection)
                trace.reused = True
                return connection
            if connection.unasked:
                self._trust.spoke_unasked(origin)
            connection.abort()
            self._remove(connection)
        return None

    async def dial(self, url: Url, tls: ssl.SSLContext | None, trace: AttemptTrace) -> HttpConnection:
        """Return a new connection to the origin of `url`.

        Raises:
            FetchError: no connection stands, or the fetcher was closed.
        """
        connection = await self._dialer.dial(url, tls, trace, self._make)
        connection.origin = url.origin
        if self._is_closed:
            connection.abort()
            raise FetchError(Reason.CONNECTION_LOST, "the fetcher was closed")
        self._open.add(connection)
        return connection

    def give_back(self, connection: HttpConnection) -> None:
        """Keep a connection for another request, or end it."""
        origin = connection.origin
        if connection.unasked:
            self._trust.spoke_unasked(origin)
        waiting = self._waiting.get(origin)
        may_wait = self._trust.may_wait(origin, len(waiting) if waiting else 0)
        if not may_wait or connection.should_close or self._is_closed or not connection.is_connected():
            connection.abort()
            return
        connection.idle_since = self._now()
        if waiting is None:
            waiting = self._waiting[origin] = OrderedDict()
        waiting[connection] = None
        self._idle.add(connection)

    def close(self) -> None:
        """End all connections, idle or not."""
        self._is_closed = True
        for connection in tuple(self._open):
            connection.abort()

    def _remove(self, connection: HttpConnection) -> None:
        """Let a connection wait no more."""
        self._idle.discard(connection)
        if (waiting := self._waiting.get(connection.origin)) is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._waiting[connection.origin]

    def _lost(self, connection: HttpConnection) -> None:
        self._open.discard(connection)
        self._remove(connection)
