"""SOCKS5: the way through a SOCKS proxy (RFC 1928), with a user name and password if it asks for them (RFC 1929).

Rules
- The proxy chooses between no authentication and a password; the password is offered only if there is one.
- An address goes as an address, a name as a name: whether a name is looked up here is decided before.
- The version of the answer to a password is not judged: proxies are known that write SOCKS's own there, and curl does
  not look either.
Strategy: python-socks is alive, but dials and looks names up itself, past the address policy, and its readers take
the length of a segment for that of an answer; socksio has had no release since 2020.
Runs on: the event loop.
"""

import socket

from crawler.core.urls import Url
from crawler.downloader.host_names import Address
from crawler.downloader.proxy_line import ProxyLine, spoke_early

_VERSION = 5
_NO_AUTHENTICATION, _PASSWORD, _NO_METHOD = 0, 2, 255
_NAME = 3
_TYPES = {socket.AF_INET: 1, socket.AF_INET6: 4}
_LENGTHS = {1: 4, 4: 16}
_DOWN = "the host may be down: try it without the proxy"
_REPLIES = {
    1: f"general failure; {_DOWN}",
    2: "its rules forbid this host or port: ask its operator",
    3: f"network unreachable; {_DOWN}",
    4: f"host unreachable; {_DOWN}",
    5: f"connection refused; {_DOWN}",
    6: f"TTL expired; {_DOWN}",
    7: "it knows no CONNECT: name another proxy",
    8: "it does not take this kind of address: let it look the name up, by socks5h:// in place of socks5://",
}


async def greet(line: ProxyLine) -> None:
    """Agree with the proxy on who asks.

    Raises:
        FetchError: PROXY_FAILED, it refuses, or does not speak SOCKS5.
    """
    user = line.proxy.user
    methods = (_NO_AUTHENTICATION, _PASSWORD) if user else (_NO_AUTHENTICATION,)
    line.write(bytes((_VERSION, len(methods), *methods)))
    version, method = await line.exactly(2)
    _check_version(line, version)
    if method == _NO_METHOD and not user:
        advice = "put them into its URL, as in socks5://user:password@localhost:1080"
        raise line.proxy.failed(f"asks for a user name and password: {advice}")
    if method not in methods:
        raise line.proxy.failed("takes neither a password nor none: name another proxy")
    if user and method == _PASSWORD:
        name, password = (part.encode() for part in user)
        line.write(bytes((1, len(name))) + name + bytes((len(password),)) + password)
        _, status = await line.exactly(2)
        if status:
            raise line.proxy.failed("refuses the user name or the password: correct them")


async def open_connection(line: ProxyLine, url: Url, address: Address | None) -> None:
    """Let the proxy connect the line with the host of `url`, at this address; None = the proxy looks the name up.

    Raises:
        FetchError: PROXY_FAILED, the proxy did not connect, or does not speak SOCKS5; PROTOCOL_ERROR, more than an
            answer came.
    """
    if address is None:
        name = url.host.encode("ascii")
        host = bytes((_NAME, len(name))) + name
    else:
        host = bytes((_TYPES[address[0]],)) + socket.inet_pton(*address)
    line.write(bytes((_VERSION, 1, 0)) + host + url.port.to_bytes(2, "big"))
    version, reply = await line.exactly(2)
    _check_version(line, version)
    if reply:
        said = _REPLIES.get(reply, f"error {reply}; {_DOWN}")
        raise line.proxy.failed(f"did not connect to {url.host_port}: {said}")
    _, kind = await line.exactly(2)
    length = (await line.exactly(1))[0] if kind == _NAME else _LENGTHS.get(kind)
    if length is None:
        raise line.proxy.failed(f"does not speak SOCKS5: an address of kind {kind}; check its scheme and port")
    await line.exactly(length + 2)  # the address and port from which it connected
    if line.has_more:
        raise spoke_early(url.host_port)


def _check_version(line: ProxyLine, version: int) -> None:
    if version != _VERSION:
        raise line.proxy.failed(f"does not speak SOCKS5, but version {version}: check its scheme and port")
