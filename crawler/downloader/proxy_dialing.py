"""Dialling through a proxy: a connection to it, and through it to the target.

Rules
- The proxy's address is dialled as one that the user named. The target is judged by its URL: a host that is, or is
  known to stand for, a refused address is refused here. The addresses that a socks5:// proxy is told are looked up and
  judged here, too, and it is told the first that the policy allows.
- An HTTP proxy is asked for an http URL itself, and for an https URL by a tunnel (`tunnel.py`). A SOCKS proxy connects
  to the host of any URL (`socks.py`).
- TLS with an https:// proxy is verified as with any host, and shows no certificate of the user's. TLS with the target
  runs inside it, and is the target's own.
- The lookup of the proxy's name is a part of connecting.
Runs on: the event loop.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

from crawler.core.addresses import written_address
from crawler.core.errors import FetchError, NoNameServer
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import HttpConnection
from crawler.downloader.failures import dial_error, proxy_error
from crawler.downloader.host_names import Address, Names
from crawler.downloader.proxy import Proxy, ProxyKind
from crawler.downloader.proxy_line import ProxyLine
from crawler.downloader.sockets import Sockets, address_of, targets
from crawler.downloader.socks import greet, open_connection
from crawler.downloader.timing import AttemptTrace
from crawler.downloader.tls import certified_name
from crawler.downloader.tunnel import open_tunnel

P = TypeVar("P", bound=asyncio.Protocol)


class ProxyDialer:
    """The way to new connections through proxies.

    Args:
        sockets: to the proxies.
        refusal: the policy of the targets' addresses, as `Sockets.refusal`.
        tls: gives the context for the URL of a proxy; None = without TLS.
        user_agent: the name that a proxy is told.
    """

    def __init__(
        self,
        sockets: Sockets,
        names: Names,
        refusal: Callable[[str], str | None],
        tls: Callable[[Url], ssl.SSLContext | None],
        user_agent: str,
    ) -> None:
        self._sockets = sockets
        self._names = names
        self._refusal = refusal
        self._tls = tls
        self._user_agent = user_agent
        self._loop = asyncio.get_running_loop()

    async def dial(
        self,
        proxy: Proxy,
        url: Url,
        tls: ssl.SSLContext | None,
        trace: AttemptTrace,
        make: Callable[[], HttpConnection],
    ) -> HttpConnection:
        """Return a new connection over which `url` may be asked for; `trace.reaching` is the proxy until it stands.

        Raises:
            FetchError: no connection stands; the reason says why.
        """
        target = await self._target(proxy, url, trace)
        trace.reaching = proxy
        if proxy.forwards(url):
            connection = await self._reached(proxy, make)
        else:
            line = await self._reached(proxy, partial(ProxyLine, proxy))
            transport = cast("asyncio.Transport", line.transport)
            try:
                await self._open(line, url, target, trace)
                connection = await self._handed_over(transport, url, tls, make)
            except BaseException:
                transport.abort()
                raise
        trace.reaching = None
        connection.proxy = proxy
        return connection

    async def _target(self, proxy: Proxy, url: Url, trace: AttemptTrace) -> Address | None:
        """Return the address that the proxy is told; None = it is told the host of the URL.

        Raises:
            FetchError: BLOCKED_ADDRESS, the policy refuses the host; or a failed lookup.
        """
        if (known := written_address(url.host)) and (refusal := self._refusal(known)):
            raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
        if not proxy.is_socks:
            return None
        if (written := address_of(url.host)) is not None or proxy.kind is ProxyKind.SOCKS5H:
            return written
        found = await self._names.resolve(url.host, queued=trace.paused)
        trace.resolved = trace.now()
        refusals = {address: self._refusal(address[1]) for address in found}
        allowed = [address for address, refusal in refusals.items() if refusal is None]
        if not allowed:
            raise FetchError(Reason.BLOCKED_ADDRESS, str(refusals[found[0]]))
        return allowed[0]

    async def _reached(self, proxy: Proxy, make: Callable[[], P]) -> P:
        """Return a connection to the proxy itself."""
        host, tls = proxy.url.host, self._tls(proxy.url)
        try:
            written = address_of(host)
            found = [written] if written else await self._names.resolve(host)
            sock = await self._sockets.connected(targets(found, proxy.url.port))
            name = certified_name(proxy.url) if tls else None
            return (await self._loop.create_connection(make, sock=sock, ssl=tls, server_hostname=name))[1]
        except OSError as error:
            raise proxy_error(error, proxy) from error
        except NoNameServer:
            raise
        except FetchError as error:
            raise proxy.failed(f"was not found: {error}; check its name") from error

    async def _open(self, line: ProxyLine, url: Url, target: Address | None, trace: AttemptTrace) -> None:
        """Let the proxy connect the line with the target, for which it may wait."""
        if line.proxy.is_socks:
            await greet(line)
            trace.reaching = None
            await open_connection(line, url, target)
        else:
            trace.reaching = None
            await open_tunnel(line, url, self._user_agent)

    async def _handed_over(
        self,
        transport: asyncio.Transport,
        url: Url,
        tls: ssl.SSLContext | None,
        make: Callable[[], HttpConnection],
    ) -> HttpConnection:
        """Return the connection to the target over a line that is open."""
        if transport.is_closing():
            raise _closed(url)
        connection = make()
        if tls is None:
            transport.set_protocol(connection)
            connection.connection_made(transport)
            return connection
        try:
            secured = await self._loop.start_tls(transport, connection, tls, server_hostname=certified_name(url))
        except OSError as error:
            raise dial_error(error, url.host_port) from error
        except TypeError as error:  # asyncio's own, in place of the error of TLS within TLS (cpython 113214)
            if not isinstance(error.__context__, OSError):
                raise
            raise dial_error(error.__context__, url.host_port) from error
        if secured is None:  # the line closed in the last step of the handshake
            raise _closed(url)
        connection.connection_made(secured)
        return connection


def _closed(url: Url) -> FetchError:
    return FetchError(Reason.CONNECT_FAILED, f"no connection to {url.host_port}: the proxy closed it")
