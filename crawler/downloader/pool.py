"""Connection pools: a kept-alive connection that may carry the request, or else a new one.

Rules
- Pools by standing: requests to a host that the user named, those to which only another origin's redirect led, and
  those to all other hosts share nothing but the limit of idle connections. A connection that was opened to a private
  address because the user named it never carries a request of a link. Only the first pool shows a certificate.
- `keep_alive.py` decides which idle connection may be used again; `dialing.py` opens new ones.
- Behind a proxy the dialled address is the proxy's, so the target is judged by its URL: a host that is, or is known to
  stand for, a refused address is refused here.
Strategy: aiohttp's pool; its overridden methods are pinned by tests.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from aiohttp import ClientRequest, ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict
from yarl import URL

from crawler.core.addresses import AddressPolicy, written_address
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import HttpConnection
from crawler.downloader.dialing import DialingConnector, SocketFactory, socket_factory
from crawler.downloader.dns import Resolver, check_name
from crawler.downloader.keep_alive import KEEP_ALIVE_SECONDS, IdleConnections, ReuseTrust
from crawler.downloader.proxy import Proxy
from crawler.downloader.timing import AttemptTrace, Timeouts
from crawler.downloader.tls import Trust, tls_for

LOOKUP_SECONDS = 5.0  # smokescreen's, and half of our default for connecting
_ORIGINS_REMEMBERED = 4096
_NO_TIMEOUT = ClientTimeout()  # the pool has its own

Standing = tuple[bool, bool]  # the host is named; the request may carry the user's credentials
_STANDINGS: tuple[Standing, ...] = ((True, True), (True, False), (False, False))


class ConnectionPools:
    """All connections of one fetcher; `close` ends them."""

    def __init__(
        self,
        config: FetchConfig,
        policy: AddressPolicy,
        proxy: Proxy | None,
        servers: Sequence[str],
        idle: IdleConnections,
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._policy = policy
        self._proxy = proxy
        self._resolver = Resolver(min(LOOKUP_SECONDS, config.connect_timeout / 2), servers, now)
        self._tls = {trusted: tls_for(config, trusted=trusted) for trusted in (True, False)}
        timeouts = Timeouts(
            now=now,
            connect=config.connect_timeout,
            first_byte=config.first_byte_timeout,
            idle=config.idle_timeout,
        )
        self._pools = {
            (named, trusted): ConnectionPool(
                socket_factory(policy, named=named or proxy is not None),
                self._resolver,
                self._tls[trusted].verified,
                timeouts,
                idle,
            )
            for named, trusted in _STANDINGS
        }
        self._requests: dict[tuple[str, bool], ClientRequest] = {}

    async def connect(self, request: Request, trace: AttemptTrace) -> Connection:
        """Return a connection on which the request may be sent; its `protocol` is an `HttpConnection`.

        Raises:
            FetchError: CONNECT_TIMEOUT, BLOCKED_ADDRESS behind a proxy, or a failed name lookup; NoNameServer.
        """
        url, trusted = request.url, request.named and not request.way.foreign
        if self._proxy and (address := written_address(url.host)):
            refusal = self._policy.refusal(address, named=request.named)
            if refusal:
                raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
        try:
            pool = self._pools[request.named, trusted]
            return await pool.connect(self._request(url, trusted=trusted), [trace], _NO_TIMEOUT)
        except TimeoutError:
            limit = f"{self._config.connect_timeout:g} s"
            raise FetchError(Reason.CONNECT_TIMEOUT, f"no connection to {url.host_port} within {limit}") from None

    async def close(self) -> None:
        """Drop every connection, idle or not."""
        for pool in self._pools.values():
            await pool.close()
        await self._resolver.close()

    def _request(self, url: Url, *, trusted: bool) -> ClientRequest:
        """Return the request that aiohttp's pool wants to see: never sent, and the same for all URLs of an origin."""
        key = (url.origin, trusted)
        if key in self._requests:
            return self._requests[key]
        if len(self._requests) >= _ORIGINS_REMEMBERED:
            self._requests.clear()
        check_name(url.host)  # also a name that only the proxy looks up
        is_insecure = not {url.host, url.host_port}.isdisjoint(self._config.insecure_hosts)
        proxy = self._proxy
        tunnel = {"Host": url.host_port, "User-Agent": self._config.full_user_agent}
        request = self._requests[key] = ClientRequest(
            "GET",
            URL(url.origin, encoded=True),
            loop=asyncio.get_running_loop(),
            ssl=self._tls[trusted].insecure if is_insecure else True,
            proxy=URL(proxy.url.href, encoded=True) if proxy else None,
            proxy_headers=CIMultiDict({**tunnel, **dict(proxy.headers)}) if proxy else None,
        )
        return request


class ConnectionPool(DialingConnector):
    """The connections of one standing."""

    def __init__(
        self,
        make_socket: SocketFactory,
        resolver: Resolver,
        tls: Trust,
        timeouts: Timeouts,
        idle: IdleConnections,
    ) -> None:
        super().__init__(make_socket, resolver, tls, timeouts)
        self._factory = partial(HttpConnection, self._loop, timeouts, idle)  # type: ignore[assignment] # our own class
        self._now = timeouts.now
        self._idle = idle
        self._trust = ReuseTrust()

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        if cast("AttemptTrace", traces[0]).fresh:
            return None
        waiting = self._conns.get(key)
        while waiting:
            connection = cast("HttpConnection", waiting[0][0])
            idle = self._now() - connection.idle_since
            if idle <= KEEP_ALIVE_SECONDS and connection.is_reusable():
                if not self._trust.may_return(key, idle):
                    return None
                self._trust.was_quiet(key, idle)
                self._idle.discard(connection)
                break
            if connection.unasked:
                self._trust.spoke_unasked(key)
            waiting.popleft()
            connection.abort()
        return await super()._get(key, traces)

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        connection = cast("HttpConnection", protocol)
        if connection.unasked:
            self._trust.spoke_unasked(key)
        may_wait = self._trust.may_wait(key, len(self._conns.get(key, ())))
        super()._release(key, protocol, should_close=should_close or not may_wait or not connection.is_connected())
        if connection.is_connected():
            connection.idle_since = self._now()
            self._idle.add(connection)
