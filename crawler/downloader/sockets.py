"""Sockets: made within the address policy and the limit of open files, and connected by happy eyeballs.

Rules
- Every address is judged before it is dialled, and is dialled as a number: no spelling, no DNS answer and no redirect
  leads to an address that the policy refuses. The path of a unix socket is no address: the user named it.
- The last files that this process may open are left to the run.
- The addresses of a name are dialled by happy eyeballs (RFC 8305).
Strategy: aiohappyeyeballs dials several addresses. A single one, as most dead hosts have, is dialled without it: a
refused dial then leaves no reference cycle to the garbage collector.
Runs on: the event loop.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Iterable

from aiohappyeyeballs import AddrInfoType, start_connection

from crawler.core.addresses import AddressPolicy
from crawler.downloader.host_names import Address
from crawler.downloader.keep_alive import IdleConnections
from crawler.runtime.loop import open_files

_RESERVED_FILES = 32
_SCARCE_FILES = (
    96  # an idle connection takes a turn of the loop to end, in which 16 hosts are dialled by two sockets each
)

_EYEBALLS_SECONDS = 0.25  # after which the next address is dialled too (RFC 8305, 5)


class Sockets:
    """The sockets of one standing.

    Args:
        named: the user named the hosts whose addresses are dialled.
    """

    def __init__(self, policy: AddressPolicy, idle: IdleConnections, *, named: bool) -> None:
        self._policy = policy
        self._idle = idle
        self._named = named
        self._loop = asyncio.get_running_loop()
        self._most = open_files() - _RESERVED_FILES
        self._plenty = self._most - min(_SCARCE_FILES, self._most // 2)

    def refusal(self, address: str) -> str | None:
        """Return the reason why this address must not be dialled; None = it may be."""
        return self._policy.refusal(address, named=self._named)

    def make(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for an address about to be dialled.

        A new file has the lowest free number (POSIX), so a high one tells that few are left. Before none is left, each
        new socket ends the connection that has been idle for the longest time.

        Raises:
            OSError: EACCES with the policy's sentence, or EMFILE while few files are left.
        """
        family, kind, protocol, _, address = info
        if family != socket.AF_UNIX and (refusal := self.refusal(str(address[0]))):
            raise PermissionError(errno.EACCES, refusal)
        made = socket.socket(family, kind, protocol)
        if made.fileno() >= self._plenty:
            self._idle.drop_longest()
        if made.fileno() >= self._most:
            made.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return made

    async def connected(self, addresses: list[AddrInfoType]) -> socket.socket:
        """Return a socket that is connected to one of the addresses."""
        if len(addresses) > 1:
            return await start_connection(
                addresses, happy_eyeballs_delay=_EYEBALLS_SECONDS, loop=self._loop, socket_factory=self.make
            )
        (address,) = addresses
        sock = self.make(address)
        try:
            sock.settimeout(0)
            await self._loop.sock_connect(sock, address[4])
        except BaseException:
            sock.close()
            raise
        return sock

    def connected_to_path(self, path: str) -> socket.socket:
        """Return a socket that is connected to a unix socket, which takes no time.

        The loop's `sock_connect` would take EAGAIN, a full queue of the listener, for a connection under way.
        """
        sock = self.make((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", (path,)))
        try:
            sock.settimeout(0)
            sock.connect(path)
        except BaseException:
            sock.close()
            raise
        return sock


def address_of(host: str) -> Address | None:
    """Return the address that a URL's host is; None = it is a name."""
    if host.startswith("["):
        return socket.AF_INET6, host.strip("[]")
    # A canonical host of digits and dots alone is an IPv4 address (URL standard, 4.2, "ends in a number").
    return (socket.AF_INET, host) if host.replace(".", "").isdigit() else None


def targets(addresses: Iterable[Address], port: int) -> list[AddrInfoType]:
    """Return the addresses as `socket.getaddrinfo` would."""
    return [
        (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port, 0, 0) if ":" in text else (text, port))
        for family, text in addresses
    ]
