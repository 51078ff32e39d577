"""The bytes between this process and a proxy, until the way through it stands.

Rules
- Bytes behind the proxy's last answer are not the target's, since it speaks only once it is asked: they end the dial.
- A proxy that leaves or speaks another protocol is told as its own failure, not as the target's.
Runs on: the event loop.
"""

import asyncio
from typing import cast

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.proxy import Proxy


def spoke_early(where: str) -> FetchError:
    """Return the error for bytes that came before `where`, the target, was asked."""
    return FetchError(Reason.PROTOCOL_ERROR, f"the proxy, or {where} behind it, spoke before it was asked")


class ProxyLine(asyncio.Protocol):
    """One connection to a proxy.

    Attributes:
        proxy: the other end.
        transport: None = it is not connected yet.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._is_lost = False
        self._waiter: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes to the proxy."""
        cast("asyncio.Transport", self.transport).write(data)

    async def some(self) -> bytes:
        """Return the bytes that have come, at least one.

        Raises:
            FetchError: PROXY_FAILED, the proxy left.
        """
        await self._grown(1)
        return self._taken(len(self._held))

    async def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes.

        Raises:
            FetchError: PROXY_FAILED, the proxy left before them.
        """
        await self._grown(count)
        return self._taken(count)

    @property
    def has_more(self) -> bool:
        """Return whether bytes have come that were not taken."""
        return bool(self._held)

    async def _grown(self, count: int) -> None:
        while len(self._held) < count:
            if self._is_lost:
                raise self.proxy.failed("closed the connection before it had answered: check its scheme and port")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _taken(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    # --- called by the transport ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that the proxy can be asked."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep bytes of the proxy until they are taken."""
        self._held += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the proxy has left."""
        self._is_lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
