"""A server's standard input as its leash: it ends, in order, when whoever started it lets go or dies."""

import asyncio
import sys
from functools import partial

from crawler.runtime.loop import Stop


async def hold_leash(stop: Stop) -> None:
    """Ask to end when standard input closes."""
    await asyncio.get_running_loop().connect_read_pipe(partial(_Leash, stop), sys.stdin)


class _Leash(asyncio.Protocol):
    """Standard input, of which only the end matters."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.request_drain()
