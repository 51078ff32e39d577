"""Dialling: a new connection, from name lookup over happy eyeballs and the address policy to TLS.

Rules
- The socket for an address is made here and nowhere else, so no spelling, no DNS answer and no redirect leads to an
  address that the policy refuses. With a proxy the dialled address is the proxy's, which the user named; `pool.py`
  judges the target by its URL.
- Name lookup, TCP and TLS together have the connect timeout; the wait for the lookup's turn is not counted.
- The addresses of a name are dialled by happy eyeballs (RFC 8305). When none carries TCP and TLS, the dial is repeated
  without the first address of each family, until none is left: TLS may fail at one address and succeed at the next.
Strategy: aiohttp's connector; its overridden methods are pinned by tests. A single address, as most dead hosts have,
is dialled without aiohttp's layers. A refused dial then costs 127 us of processor time instead of 162 (uvloop, one run,
two cores) and leaves no reference cycle, where aiohttp's leaves 61 objects to the garbage collector.
Runs on: the event loop.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import cast

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientRequest,
    ClientTimeout,
    TCPConnector,
)
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType
from aiohttp.helpers import is_ip_address
from aiohttp.tracing import Trace

from crawler.core.addresses import AddressPolicy
from crawler.downloader.dns import Resolver
from crawler.downloader.keep_alive import IdleConnections
from crawler.downloader.timing import AttemptTrace, Timeouts
from crawler.downloader.tls import Trust
from crawler.runtime.loop import open_files

_RESERVED_FILES = 32
_SCARCE_FILES = (
    96  # an idle connection takes a turn of the loop to end, in which 16 hosts are dialled by two sockets each
)

SocketFactory = Callable[[AddrInfoType], socket.socket]


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


class DialingConnector(TCPConnector):
    """The new connections of one pool."""

    def __init__(self, make_socket: SocketFactory, resolver: Resolver, tls: Trust, timeouts: Timeouts) -> None:
        super().__init__(
            resolver=resolver,
            socket_factory=make_socket,
            ssl=tls,
            use_dns_cache=False,
        )
        self._make_socket = make_socket
        self._dns = resolver
        self._timeouts = timeouts

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's, without limits
    ) -> ResponseHandler:
        trace = cast("AttemptTrace", traces[0])
        limit, left = self._timeouts.connect, trace.deadline.due - self._timeouts.now()
        try:
            async with asyncio.timeout(min(limit, left)) as trace.timeout:
                return await super()._create_connection(req, traces, timeout)
        except TimeoutError:
            if left < limit:
                raise trace.deadline.exceeded() from None
            raise

    async def _create_direct_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's, without limits
        *,
        client_error: type[Exception] = ClientConnectorError,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        host = cast("str", req.url.raw_host)
        context = self._get_ssl_context(req)
        name = host.rstrip(".") if context else None  # a certificate's names end in no dot
        addresses = await self._addresses(host, cast("int", req.port), traces)
        while True:
            try:
                if len(addresses) == 1:
                    return await self._dial(addresses[0], req, client_error, context, name)
                return await self._wrap_create_connection(
                    self._factory,
                    addr_infos=addresses,
                    req=req,
                    timeout=timeout,
                    client_error=client_error,
                    ssl=context,
                    server_hostname=name,
                )
            except ClientConnectorError:
                for family in {address[0] for address in addresses}:
                    addresses.remove(next(address for address in addresses if address[0] == family))
                if not addresses:
                    raise

    async def _addresses(self, host: str, port: int, traces: Sequence[Trace]) -> list[AddrInfoType]:
        if not is_ip_address(host):
            return self._convert_hosts_to_addr_infos(await self._resolve_host(host, port, traces))
        if ":" in host:
            return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    async def _dial(
        self,
        address: AddrInfoType,
        req: ClientRequest,
        client_error: type[Exception],
        context: ssl.SSLContext | None,
        name: str | None,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Dial one address as `_wrap_create_connection` dials several."""
        try:
            sock = self._make_socket(address)
            try:
                sock.settimeout(0)
                await self._loop.sock_connect(sock, address[4])
            except BaseException:
                sock.close()
                raise
            return await self._loop.create_connection(self._factory, sock=sock, ssl=context, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            raise ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise ClientConnectorSSLError(req.connection_key, error) from error
        except OSError as error:
            raise client_error(req.connection_key, error) from error

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        trace = cast("AttemptTrace | None", next(iter(traces or ()), None))
        # Towards a proxy there are no traces.
        found = await self._dns.resolve(host, port, queued=trace.paused if trace else nullcontext)
        if trace:
            trace.resolved = trace.now()
        return found
