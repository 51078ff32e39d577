"""Dialling: a new connection, from name lookup to TLS, by the route that a URL has.

Rules
- Name lookup, TCP and TLS together have the connect timeout; the wait for the lookup's turn is not counted.
- `sockets.py` judges every address before it is dialled. When no address of a name carries TCP and TLS, the dial is
  repeated without the first address of each family, until none is left: TLS may fail at one address and succeed at the
  next.
- Through a proxy, `proxy_dialing.py` dials. By a unix socket no name is looked up and no address judged; TLS is with
  the URL's host all the same.
Strategy: Without TLS the loop makes the socket of a single address, in half the time.
Runs on: the event loop.
"""

import asyncio
import ssl
from collections.abc import Callable

from aiohappyeyeballs import AddrInfoType

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import HttpConnection
from crawler.downloader.failures import dial_error, unix_error
from crawler.downloader.host_names import Names
from crawler.downloader.proxy import Proxy
from crawler.downloader.proxy_dialing import ProxyDialer
from crawler.downloader.routes import Routes, UnixSocket
from crawler.downloader.sockets import Sockets, address_of, targets
from crawler.downloader.timing import AttemptTrace
from crawler.downloader.tls import certified_name

MakeConnection = Callable[[], HttpConnection]


class Dialer:
    """The way to new connections, of one pool.

    Args:
        sockets: to servers that are dialled straight, or by a unix socket.
        through: dials through proxies.
    """

    def __init__(self, sockets: Sockets, names: Names, routes: Routes, through: ProxyDialer) -> None:
        self._sockets = sockets
        self._names = names
        self._routes = routes
        self._through = through
        self._loop = asyncio.get_running_loop()

    async def dial(
        self, url: Url, tls: ssl.SSLContext | None, trace: AttemptTrace, make: MakeConnection
    ) -> HttpConnection:
        """Return a new connection over which `url` may be asked for.

        Args:
            url: of the request.
            tls: None = without TLS.
            trace: is told of the lookup's end.
            make: makes the protocol of a connection whose TCP side stands.

        Raises:
            FetchError: no connection stands; the reason says why.
        """
        limit, left = trace.timeouts.connect, trace.deadline.due - trace.now()
        try:
            async with asyncio.timeout(min(limit, left)) as trace.timeout:
                match self._routes.to(url):
                    case Proxy() as proxy:
                        return await self._through.dial(proxy, url, tls, trace, make)
                    case UnixSocket() as unix:
                        return await self._dial_path(unix.path, url, tls, make)
                return await self._dial(url, tls, trace, make)
        except TimeoutError:
            if left < limit:
                raise trace.deadline.exceeded() from None
            if trace.reaching is not None:
                advice = "check its address, and that it runs"
                raise trace.reaching.failed(f"did not answer within {limit:g} s: {advice}") from None
            message = f"no connection to {url.host_port} within {limit:g} s"
            raise FetchError(Reason.CONNECT_TIMEOUT, message) from None

    async def _dial(
        self, url: Url, tls: ssl.SSLContext | None, trace: AttemptTrace, make: MakeConnection
    ) -> HttpConnection:
        name = certified_name(url) if tls else None
        if (written := address_of(url.host)) is not None:
            found = [written]
        else:
            found = await self._names.resolve(url.host, queued=trace.paused)
            trace.resolved = trace.now()
        addresses = targets(found, url.port)
        while True:
            try:
                if tls is None and len(addresses) == 1:
                    return await self._dial_plainly(addresses[0], make)
                sock = await self._sockets.connected(addresses)
                _, connection = await self._loop.create_connection(make, sock=sock, ssl=tls, server_hostname=name)
                return connection
            except OSError as error:
                _drop_first_of_each_family(addresses)
                if not addresses:
                    raise dial_error(error, url.host_port) from error

    async def _dial_plainly(self, address: AddrInfoType, make: MakeConnection) -> HttpConnection:
        """Return a connection for which the loop makes the socket, once one made here has shown that it may be."""
        self._sockets.make(address).close()
        host, port = address[4][:2]
        return (await self._loop.create_connection(make, str(host), int(port)))[1]

    async def _dial_path(self, path: str, url: Url, tls: ssl.SSLContext | None, make: MakeConnection) -> HttpConnection:
        name = certified_name(url) if tls else None
        try:
            sock = self._sockets.connected_to_path(path)
            return (await self._loop.create_unix_connection(make, sock=sock, ssl=tls, server_hostname=name))[1]
        except OSError as error:
            raise unix_error(error, path) from error


def _drop_first_of_each_family(addresses: list[AddrInfoType]) -> None:
    for family in {address[0] for address in addresses}:
        addresses.remove(next(address for address in addresses if address[0] == family))
