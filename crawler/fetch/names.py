"""Names become addresses.

Rules
- `localhost`, everything under it (RFC 6761, 6.3) and its like are this machine, without asking anyone.
- A name with an empty part, or one that is too long, is no name (RFC 1035, 2.3.4): nobody is asked for it. TLS cannot
  even write it, and its complaint would end on the user's screen.
- No such name, no answer in time and a failing name server are different outcomes: only the first is final.
- An answer is an address to be judged at the dial, not here.
Strategy: c-ares through aiodns; it reads /etc/hosts too. (uvloop's own lookups share four threads, so four slow names
would stop all others.)
Runs on: the event loop.
"""

import asyncio
import socket

from aiodns import error as dns
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver

from crawler.core.addresses import NO_HOST, can_be_host, is_this_machine
from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe

_NO_SUCH_NAME = frozenset({dns.ARES_ENODATA, dns.ARES_ENOTFOUND, dns.ARES_ENONAME, dns.ARES_EBADNAME})
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def check_name(host: str) -> None:
    """Refuse a host that can be no name; an address passes.

    Raises:
        FetchError: DNS_NOT_FOUND.
    """
    if not can_be_host(host):
        raise FetchError(Reason.DNS_NOT_FOUND, f"{safe(host, 80)} {NO_HOST}; check the spelling")


class Resolver(AbstractResolver):
    """Looks names up within `limit` seconds each."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._dns: AsyncResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a name.

        Raises:
            FetchError: DNS_NOT_FOUND, DNS_TEMPORARY or DNS_TIMEOUT.
        """
        check_name(host)
        if is_this_machine(host):
            return [_found(host, port, kind, address) for kind, address in _LOOPBACK]
        self._dns = self._dns or AsyncResolver()
        try:
            async with asyncio.timeout(self._limit):
                return await self._dns.resolve(host, port, family)
        except TimeoutError:
            message = f"no name server answered for {safe(host)} within {self._limit:g} s"
            raise FetchError(Reason.DNS_TIMEOUT, message) from None
        except OSError as error:
            raise _failure(host, error) from error

    async def close(self) -> None:
        """Give the lookup channel back."""
        if self._dns is not None:
            await self._dns.close()


def _found(host: str, port: int, family: socket.AddressFamily, address: str) -> ResolveResult:
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def _failure(host: str, error: OSError) -> FetchError:
    code = error.__cause__.args[0] if error.__cause__ and error.__cause__.args else None
    if code in _NO_SUCH_NAME:
        return FetchError(Reason.DNS_NOT_FOUND, f"there is no host {safe(host)}: check the spelling")
    if code == dns.ARES_ETIMEOUT:
        return FetchError(Reason.DNS_TIMEOUT, f"no name server answered for {safe(host)}")
    return FetchError(Reason.DNS_TEMPORARY, f"the name lookup of {safe(host)} failed: {safe(str(error))}")
