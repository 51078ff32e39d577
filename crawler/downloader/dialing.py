"""Connections: a kept-alive one from the right pool, or a new one through the guard.

Rules
- Pools by standing: requests to a host that the user named, those to which only another origin's redirect led, and
  those to all other hosts share nothing but the limit of idle connections. Only the first are shown a certificate.
- Name lookup, TCP and TLS together have `connect_timeout`; the wait for the lookup's turn is not counted.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import ClientRequest, ClientTimeout
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from crawler.core.addresses import AddressPolicy, written_address
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import ConnectionWatch, IdleConnections
from crawler.downloader.dns import Resolver, check_name
from crawler.downloader.pool import GuardedConnector, guarded_socket
from crawler.downloader.proxy import Proxy
from crawler.downloader.timing import Trail
from crawler.downloader.tls import Tls, tls_for

_LOOKUP_SECONDS = 5.0  # smokescreen's, and half of our default for connecting
_ORIGINS_REMEMBERED = 4096
_NO_TIMEOUT = ClientTimeout()  # the pool has its own

Standing = tuple[bool, bool]  # the host is named; the request is trusted with what is the user's
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
        self._watch = ConnectionWatch(now=now, first_byte=config.first_byte_timeout, idle=config.idle_timeout)
        self._resolver = Resolver(min(_LOOKUP_SECONDS, config.connect_timeout / 2), servers, now)
        self._tls = {trusted: tls_for(config, trusted=trusted) for trusted in (True, False)}
        self._pools = {
            (named, trusted): self._pool(idle, self._tls[trusted], named=named) for named, trusted in _STANDINGS
        }
        self._requests: dict[tuple[str, bool], ClientRequest] = {}

    async def connect(self, request: Request, trail: Trail) -> Connection:
        """A connection on which the request may be sent.

        Raises:
            FetchError: CONNECT_TIMEOUT, BLOCKED_ADDRESS behind a proxy, or a failed name lookup; NoNameServer.
        """
        url, trusted = request.url, request.named and not request.way.foreign
        if self._proxy:
            self._refuse_written(url, named=request.named)
        try:
            pool = self._pools[request.named, trusted]
            return await pool.connect(self._request(url, trusted=trusted), [trail], _NO_TIMEOUT)
        except TimeoutError:
            limit = f"{self._config.connect_timeout:g} s"
            raise FetchError(Reason.CONNECT_TIMEOUT, f"no connection to {url.host_port} within {limit}") from None

    async def close(self) -> None:
        """Drop every connection, idle or not."""
        for pool in self._pools.values():
            await pool.close()
        await self._resolver.close()

    def _pool(self, idle: IdleConnections, tls: Tls, *, named: bool) -> GuardedConnector:
        return GuardedConnector(
            create_socket=guarded_socket(self._policy, named=named or self._proxy is not None),
            resolver=self._resolver,
            ssl=tls.verified,
            timeout=self._config.connect_timeout,
            watch=self._watch,
            idle=idle,
        )

    def _request(self, url: Url, *, trusted: bool) -> ClientRequest:
        """What aiohttp's pool wants to see: never sent, and the same for all URLs of an origin."""
        key = (url.origin, trusted)
        if key not in self._requests:
            if len(self._requests) >= _ORIGINS_REMEMBERED:
                self._requests.clear()
            self._requests[key] = self._new_request(url, trusted=trusted)
        return self._requests[key]

    def _new_request(self, url: Url, *, trusted: bool) -> ClientRequest:
        check_name(url.host)  # also of what only a proxy looks up
        is_insecure = not {url.host, url.host_port}.isdisjoint(self._config.insecure_hosts)
        proxy = self._proxy
        tunnel = CIMultiDict(
            {"Host": url.host_port, "User-Agent": self._config.full_user_agent, **dict(proxy.headers if proxy else ())}
        )
        return ClientRequest(
            "GET",
            URL(url.origin, encoded=True),
            loop=asyncio.get_running_loop(),
            ssl=self._tls[trusted].insecure if is_insecure else True,
            proxy=URL(proxy.url.href, encoded=True) if proxy else None,
            proxy_headers=tunnel if proxy else None,
        )

    def _refuse_written(self, url: Url, *, named: bool) -> None:
        """Behind a proxy the dialled address is not the target's; what the URL itself says can still be judged."""
        address = written_address(url.host)
        if address and (refusal := self._policy.refusal(address, named=named)):
            raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
