"""A resolver that is made for the first name: it is imported with c-ares, which takes longer than ten fetches.

A run of addresses alone, as on this machine, needs neither.
Runs on: the event loop, which the import stops once for about 15 ms.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.host_names import Address, Names


class LateResolver:
    """Implements `Names`; the arguments are those of `Resolver`."""

    def __init__(self, limit: float, servers: Sequence[str], now: Callable[[], float]) -> None:
        self._limit = limit
        self._servers = servers
        self._now = now
        self._resolver: Names | None = None
        self._is_closed = False

    async def resolve(
        self, host: str, *, queued: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> list[Address]:
        """Return addresses of a name; see `Resolver.resolve`."""
        if self._resolver is None:
            if self._is_closed:
                raise FetchError(Reason.DNS_TEMPORARY, "the fetcher is closed", counted=False)
            from crawler.downloader.dns import Resolver  # noqa: PLC0415 - the purpose of this file

            self._resolver = Resolver(self._limit, self._servers, self._now)
        return await self._resolver.resolve(host, queued=queued)

    async def close(self) -> None:
        """End all lookups."""
        self._is_closed = True
        if self._resolver is not None:
            await self._resolver.close()
