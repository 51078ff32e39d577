"""The target of a load test: the check that it may be tested, and the bytes of the request.

Rules
- The target is this machine alone: loopback, its own addresses, a unix socket. For any other host the user types the
  name once more (--i-may-test), which says that it may be tested; the report keeps that.
- The address that was judged is dialled: no name is looked up twice.
- A redirect is an answer and is never followed, so a test cannot leave its target.
Runs on: the loop, before the test.
"""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

from crawler.core.addresses import NO_HOST, AddressClass, can_be_host, classify
from crawler.core.errors import TargetRefused, UrlError, UsageError
from crawler.core.text import safe
from crawler.core.urls import Url, parse
from crawler.load.config import LoadConfig, RequestConfig
from crawler.load.dial import Endpoint
from crawler.load.exchange import Exchange
from crawler.load.message import message
from crawler.load.nanoseconds import nanoseconds

_PROBE = 1.0  # seconds for each address of a name that has several


def target(text: str) -> Url:
    """Return the URL to test; without a scheme it is http.

    Raises:
        UsageError: the text is no URL.
    """
    try:
        return parse(text if "://" in text else f"http://{text}")
    except UrlError as error:
        raise UsageError(f"{safe(text, 80)}: {error}") from None


async def endpoint(url: Url, config: RequestConfig) -> Endpoint:
    """Return the address to connect to.

    Raises:
        TargetRefused: the host is another machine, and `i_may_test` does not name it.
        UsageError: the host has no address, or a file is missing.
    """
    if config.i_may_test not in (None, url.host):
        raise UsageError(f"--i-may-test {config.i_may_test}: the host of this test is {url.host}")
    name = url.host.strip("[]") if url.scheme == "https" else None
    _check_files(config)
    family, address = await _place(url, config)
    return Endpoint(family=family, address=address, server_name=name, ca_file=config.ca_file, insecure=config.insecure)


def _check_files(config: RequestConfig) -> None:
    if config.ca_file is not None and not Path(config.ca_file).is_file():
        raise UsageError(f"--ca-file: {config.ca_file!r}: no such file")
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
        UsageError: the file of the body cannot be read, or the method is no name.
    """
    asked = config.request
    body = None if asked.body is None else asked.body.encode()
    if asked.body_file is not None:
        try:
            body = Path(asked.body_file).read_bytes()
        except OSError as error:
            raise UsageError(f"--body-file: {asked.body_file}: {error.strerror}") from None
    method = asked.method or ("GET" if body is None else "POST")
    if not method.isascii() or not method.isalpha():
        raise UsageError(f"--method: expected a name such as PUT, got {safe(method, 40)!r}")
    expected = config.gate.expect_body
    return Exchange(
        request=message(asked, url, method=method, headers=(), body=body),
        bodiless=method == "HEAD",
        keep_alive=asked.keep_alive,
        statuses=config.gate.statuses(),
        body=None if expected is None else expected.encode(),
        timeout=nanoseconds(config.shape.timeout),
    )
