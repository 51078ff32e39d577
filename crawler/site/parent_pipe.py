"""The pipe by which a server ends with the program that started it.

Runs on: loop.
"""

import asyncio
import sys
from functools import partial

from crawler.runtime.loop import Stop


async def end_with_parent(stop: Stop) -> None:
    """Request a drain when standard input, a pipe, closes: its writer closed it or died."""
    await asyncio.get_running_loop().connect_read_pipe(partial(_ParentPipe, stop), sys.stdin)


class _ParentPipe(asyncio.Protocol):
    """Standard input, of which only the end matters."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.request_drain()
