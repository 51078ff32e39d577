"""A server of `rawserver.py` in a thread with a loop of its own, so that its tasks are none of the test's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from support.rawserver import Handler, raw_server


class ThreadedServer:
    """A server that runs; `where` is its address."""

    def __init__(self, where: tuple[str, int], loop: asyncio.AbstractEventLoop) -> None:
        self.where = where
        self._loop = loop

    async def run(self, func: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function on the server's loop."""

        async def call() -> None:
            await func()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._loop))


@asynccontextmanager
async def threaded_server(handler: Handler) -> AsyncIterator[ThreadedServer]:
    """Serve every connection with `handler(reader, writer)` in a thread, until the block ends."""
    here, started = asyncio.get_running_loop(), asyncio.Event()
    servers: list[tuple[ThreadedServer, asyncio.Event]] = []

    async def serve() -> None:
        async with raw_server(handler) as where:
            over = asyncio.Event()
            servers.append((ThreadedServer(where, asyncio.get_running_loop()), over))
            here.call_soon_threadsafe(started.set)
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server of a test")
    thread.start()
    await started.wait()
    server, over = servers[0]
    try:
        yield server
    finally:
        server._loop.call_soon_threadsafe(over.set)
        thread.join()
