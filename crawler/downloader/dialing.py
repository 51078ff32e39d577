"""Dialling: a new connection, from name lookup over happy eyeballs and the address policy to TLS.

Rules
- Every address is judged by `make_socket` before it is dialled, and is dialled as a number: no spelling, no DNS answer
  and no redirect leads to an address that the policy refuses. With a proxy the dialled address is the proxy's, which
  the user named; `pool.py` judges the target by its URL.
- Name lookup, TCP and TLS together have the connect timeout; the wait for the lookup's turn is not counted.
- The addresses of a name are dialled by happy eyeballs (RFC 8305). When none carries TCP and TLS, the dial is repeated
  without the first address of each family, until none is left: TLS may fail at one address and succeed at the next.
- Behind a proxy an http URL is asked of the proxy itself, and an https URL through a tunnel (`tunnel.py`). Towards the
  proxy the lookup is a part of connecting.
Strategy: aiohappyeyeballs dials the addresses. A single address, as most dead hosts have, is dialled without it: a
refused dial then leaves no reference cycle to the garbage collector. Without TLS the loop makes its socket, too, in
half the time.
Runs on: the event loop.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterable

from aiohappyeyeballs import AddrInfoType, start_connection

from crawler.core.addresses import AddressPolicy
from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.connection import HttpConnection
from crawler.downloader.failures import dial_error, proxy_error
from crawler.downloader.host_names import Address, Names
from crawler.downloader.keep_alive import IdleConnections
from crawler.downloader.proxy import Proxy
from crawler.downloader.timing import AttemptTrace, Timeouts
from crawler.downloader.tunnel import TunnelAnswer, tunnel_request
from crawler.runtime.loop import open_files

_RESERVED_FILES = 32
_SCARCE_FILES = (
    96  # an idle connection takes a turn of the loop to end, in which 16 hosts are dialled by two sockets each
)

_EYEBALLS_SECONDS = 0.25  # after which the next address is dialled too (RFC 8305, 5)

SocketFactory = Callable[[AddrInfoType], socket.socket]
MakeConnection = Callable[[], HttpConnection]


def socket_factory(policy: AddressPolicy, idle: IdleConnections, *, named: bool) -> SocketFactory:
    """Return the function that makes the socket for an address about to be dialled.

    It raises EACCES with the policy's sentence, or EMFILE while few of the files are left that this process may open:
    the run's own files need them. A new file has the lowest free number (POSIX), so a high one tells that few are left.
    Before that, each new socket ends the connection that has been idle for the longest time.
    """
    most = open_files() - _RESERVED_FILES
    plenty = most - min(_SCARCE_FILES, most // 2)

    def create(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if refusal := policy.refusal(str(address[0]), named=named):
            raise PermissionError(errno.EACCES, refusal)
        created = socket.socket(family, kind, protocol)
        if created.fileno() >= plenty:
            idle.drop_longest()
        if created.fileno() >= most:
            created.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return created

    return create


class Dialer:
    """The way to new connections, of one pool.

    Args:
        make_socket: for an address about to be dialled; raises OSError where it must not be.
        user_agent: the name that a proxy is told.
    """

    def __init__(
        self,
        make_socket: SocketFactory,
        names: Names,
        timeouts: Timeouts,
        proxy: Proxy | None,
        user_agent: str,
    ) -> None:
        self._make_socket = make_socket
        self._names = names
        self._timeouts = timeouts
        self._proxy = proxy
        self._user_agent = user_agent
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
        limit, left = self._timeouts.connect, trace.deadline.due - self._timeouts.now()
        try:
            async with asyncio.timeout(min(limit, left)) as trace.timeout:
                if self._proxy is None:
                    return await self._dial(url, tls, trace, make)
                return await self._dial_proxy(self._proxy, url, tls, make)
        except TimeoutError:
            if left < limit:
                raise trace.deadline.exceeded() from None
            message = f"no connection to {url.host_port} within {limit:g} s"
            raise FetchError(Reason.CONNECT_TIMEOUT, message) from None

    async def _dial(
        self, url: Url, tls: ssl.SSLContext | None, trace: AttemptTrace, make: MakeConnection
    ) -> HttpConnection:
        name = _certified_name(url) if tls else None
        if (written := _written(url.host)) is not None:
            found = [written]
        else:
            found = await self._names.resolve(url.host, queued=trace.paused)
            trace.resolved = trace.now()
        addresses = _targets(found, url.port)
        while True:
            try:
                if tls is None and len(addresses) == 1:
                    return await self._dial_plainly(addresses[0], make)
                sock = await self._connected(addresses)
                _, connection = await self._loop.create_connection(make, sock=sock, ssl=tls, server_hostname=name)
                return connection
            except OSError as error:
                _drop_first_of_each_family(addresses)
                if not addresses:
                    raise dial_error(error, url.host_port) from error

    async def _dial_plainly(self, address: AddrInfoType, make: MakeConnection) -> HttpConnection:
        """Return a connection for which the loop makes the socket, once one made here has shown that it may be."""
        self._make_socket(address).close()
        host, port = address[4][:2]
        return (await self._loop.create_connection(make, str(host), int(port)))[1]

    async def _dial_proxy(
        self, proxy: Proxy, url: Url, tls: ssl.SSLContext | None, make: MakeConnection
    ) -> HttpConnection:
        written = _written(proxy.url.host)
        found = [written] if written else await self._names.resolve(proxy.url.host)
        try:
            sock = await self._connected(_targets(found, proxy.url.port))
            if tls is None:
                return (await self._loop.create_connection(make, sock=sock))[1]
            transport, answer = await self._loop.create_connection(TunnelAnswer, sock=sock)
        except OSError as error:
            raise proxy_error(error, url.host_port) from error
        try:
            transport.write(tunnel_request(url, proxy, self._user_agent))
            await answer.check(url.host_port)
            return await self._secured(transport, url, tls, make)
        except BaseException:
            transport.abort()
            raise

    async def _secured(
        self, tunnel: asyncio.Transport, url: Url, tls: ssl.SSLContext, make: MakeConnection
    ) -> HttpConnection:
        """Return the connection to the target behind a tunnel that is open."""
        connection = make()
        try:
            secured = await self._loop.start_tls(tunnel, connection, tls, server_hostname=_certified_name(url))
        except OSError as error:
            raise dial_error(error, url.host_port) from error
        if secured is None:  # the tunnel closed in the last step of the handshake
            raise FetchError(Reason.CONNECT_FAILED, f"no connection to {url.host_port}: the tunnel closed")
        connection.connection_made(secured)
        return connection

    async def _connected(self, addresses: list[AddrInfoType]) -> socket.socket:
        """Return a socket that is connected to one of the addresses."""
        if len(addresses) > 1:
            return await start_connection(
                addresses, happy_eyeballs_delay=_EYEBALLS_SECONDS, loop=self._loop, socket_factory=self._make_socket
            )
        (address,) = addresses
        sock = self._make_socket(address)
        try:
            sock.settimeout(0)
            await self._loop.sock_connect(sock, address[4])
        except BaseException:
            sock.close()
            raise
        return sock


def _certified_name(url: Url) -> str:
    """Return the name that the host's certificate must have: it ends in no dot."""
    return url.host.strip("[]").rstrip(".")


def _written(host: str) -> Address | None:
    """Return the address that a URL's host is; None = it is a name."""
    if host.startswith("["):
        return socket.AF_INET6, host.strip("[]")
    # A canonical host of digits and dots alone is an IPv4 address (URL standard, 4.2, "ends in a number").
    return (socket.AF_INET, host) if host.replace(".", "").isdigit() else None


def _targets(addresses: Iterable[Address], port: int) -> list[AddrInfoType]:
    """Return the addresses as `socket.getaddrinfo` would."""
    return [
        (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port, 0, 0) if ":" in text else (text, port))
        for family, text in addresses
    ]


def _drop_first_of_each_family(addresses: list[AddrInfoType]) -> None:
    for family in {address[0] for address in addresses}:
        addresses.remove(next(address for address in addresses if address[0] == family))
