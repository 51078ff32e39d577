"""The target of a load test: the check that it may be tested, and the request.

Rules
- The target is this machine alone: loopback, its own addresses, a unix socket. For any other host the user types the
  name once more (--i-may-test), which says that it may be tested; the report keeps that.
- The address that was judged is dialled: no name is looked up twice.
- A redirect is an answer and is never followed, so a test cannot leave its target.
- Every port counts: the list of those on which a crawl asks for no page protects other people's servers.
- Credentials in the URL become an Authorization header. The URL that reports and messages show never has them.
Runs on: the loop, before the test.
"""

import asyncio
import re
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec

from crawler.core.addresses import NO_HOST, AddressClass, can_be_host, classify
from crawler.core.errors import TargetRefused, UrlError, UsageError
from crawler.core.text import safe
from crawler.core.urls import Url, credentials, parse
from crawler.http.authorization import basic
from crawler.load.config import LoadConfig, RequestConfig
from crawler.load.dial import Endpoint
from crawler.load.exchange import Exchange
from crawler.load.message import message
from crawler.load.nanoseconds import nanoseconds
from crawler.load.tls import tls_setup

_PROBE = 1.0  # seconds for each address of a name that has several


_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_CREDENTIALS = re.compile(r"^((?:[^/?#]*//)?)[^/?#]*@")


def target(text: str) -> Url:
    """Return the URL to test; without a scheme it is http.

    Raises:
        UsageError: the text is no URL.
    """
    try:
        url = parse(_whole(text), any_port=True)
    except UrlError as error:
        shown = safe(_CREDENTIALS.sub(r"\1***@", text.strip()), 80)
        raise UsageError(f"{shown}: {error}") from None
    if url.port == 0:
        raise UsageError(f"{safe(url.href, 80)}: no server can listen at port 0: give the port that yours has")
    return url


def identified(text: str, asked: RequestConfig) -> RequestConfig:
    """Return the request with the Authorization header that the credentials in this URL make, if it has any.

    Raises:
        UsageError: another Authorization header was given.
    """
    found = credentials(_whole(text))
    if found is None:
        return asked
    if any(name.lower() == "authorization" for name, _ in asked.headers):
        raise UsageError("the URL has credentials, and so has --header Authorization: leave out one of them")
    if ":" in found[0]:
        raise UsageError("the URL's user name holds a colon, which Basic authentication cannot send (RFC 7617)")
    return msgspec.structs.replace(asked, headers=(*asked.headers, ("Authorization", basic(*found))))


def _whole(text: str) -> str:
    return text if _SCHEME.match(text) else f"http://{text.lstrip()}"


async def endpoint(url: Url, config: RequestConfig) -> Endpoint:
    """Return the address to connect to.

    Raises:
        TargetRefused: the host is another machine, and `i_may_test` does not name it.
        UsageError: the host has no address, or the socket is missing.
    """
    _check_socket(config)
    secured = tls_setup(url, config)
    family, address = await _place(url, config)
    return Endpoint(family=family, address=address, secured=secured)


def _check_socket(config: RequestConfig) -> None:
    if config.unix_socket is not None and not Path(config.unix_socket).is_socket():
        raise UsageError(f"--unix-socket: {config.unix_socket!r} is no socket; is the server running?")


async def _place(url: Url, config: RequestConfig) -> tuple[int, tuple[str, int] | str]:
    if not can_be_host(url.host):
        raise UsageError(f"{safe(url.host, 80)} {NO_HOST}")
    if config.unix_socket is not None:
        return socket.AF_UNIX, config.unix_socket
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host.strip("[]"), url.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"{url.host}: {error.strerror}: check the name, or give an address") from None
    places = [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]
    if config.i_may_test is None:
        for _, (ip, _) in places:
            if not is_own(ip):
                raise TargetRefused(
                    f"{url.host} ({ip}) is not this machine, and load on another's machine is an attack. If it is "
                    f"yours or its owner agreed: --i-may-test {url.host}"
                )
    for family, address in places[:-1]:  # `localhost` often has two addresses, and a server listens at one of them
        with socket.socket(family, socket.SOCK_STREAM) as sock, suppress(OSError):
            sock.settimeout(0)
            async with asyncio.timeout(_PROBE):
                await asyncio.get_running_loop().sock_connect(sock, address)
            return family, address
    return places[-1]


def is_own(address: str) -> bool:
    """Return whether a connection to this address stays on this machine."""
    kind = classify(address)
    if kind is AddressClass.LOOPBACK or address in {"0.0.0.0", "::"}:  # noqa: S104 - dialled, they are loopback
        return True
    if kind is AddressClass.RESERVED:
        return False
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))  # the kernel lets a socket have only an address of this machine
        except OSError:
            return False
    return True


def exchange(url: Url, config: LoadConfig) -> Exchange:
    """Return the request, and the rule for a good answer to it.

    Raises:
        UsageError: the file of the body cannot be read, or the method or a header cannot be sent.
    """
    asked = config.request
    body = body_of(asked)
    if asked.chunked and body is None:
        raise UsageError("--chunked: there is no body: give --body or --body-file, too")
    method = asked.method or ("GET" if body is None else "POST")
    request = message(asked, url, method=method, headers=(), body=body)
    return replace(rule(config), request=request, bodiless=method == "HEAD")


def rule(config: LoadConfig) -> Exchange:
    """Return the rule for a good answer, without a request."""
    return Exchange(
        request=b"",
        keep_alive=config.request.keep_alive,
        per_connection=config.request.requests_per_connection,
        statuses=config.gate.statuses(),
        body=config.gate.expect_body,
        keeps_body=config.users.script is not None,
        timeout=nanoseconds(config.shape.timeout),
    )


def body_of(asked: RequestConfig) -> bytes | None:
    """Return the body that the options give; None = there is none.

    Raises:
        UsageError: its file cannot be read.
    """
    name = asked.body_file
    if name is None:
        return asked.body
    try:
        return standard_input() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--body-file: {safe(name)}: {error.strerror}") from None


@cache
def standard_input() -> bytes:
    """Return all of standard input, which can be read only once, for each test of this process."""
    return sys.stdin.buffer.read()
