"""The names of hosts: which can be looked up, and the plug of those who look them up.

Runs on: the event loop; `check_name` anywhere.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from socket import AddressFamily
from typing import Protocol

from crawler.core.addresses import NO_HOST, can_be_host
from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe

Address = tuple[AddressFamily, str]


class Names(Protocol):
    """A place to look names up (`dns.py: Resolver`)."""

    async def resolve(
        self, host: str, *, queued: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> list[Address]:
        """Return addresses of a name, the best first; `queued` is entered to await a turn."""
        ...

    async def close(self) -> None:
        """End all lookups."""
        ...


def check_name(host: str) -> None:
    """Raise FetchError(DNS_NOT_FOUND) for a host that can be no name; an address passes."""
    if not can_be_host(host):
        raise FetchError(Reason.DNS_NOT_FOUND, f"{safe(host, 80)} {NO_HOST}; check the spelling")
