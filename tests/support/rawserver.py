"""Servers that say exactly what a test wants, byte by byte: `async with raw_server(handler) as (host, port)`.

Rules
- The handler owns one connection; when it returns, what it wrote is sent and the connection is closed.
- A handler may wait for ever: leaving the block cancels it and drops every connection.
- A client that hangs up is no error; any other exception of a handler is raised where the block ends.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Connections:
    """The connections of one server, and what went wrong on them."""

    def __init__(self, handler: Handler) -> None:
        self.errors: list[Exception] = []
        self._handler = handler
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._handler(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except Exception as error:  # noqa: BLE001 - it is raised again, in the test
            self.errors.append(error)
            writer.transport.abort()
        finally:
            del self._open[task]

    async def drop(self) -> None:
        """End all of them and wait until they are gone."""
        left = list(self._open.items())
        for task, writer in left:
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in left), return_exceptions=True)
        for _, writer in left:
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def raw_server(handler: Handler, address: str = "127.0.0.1") -> AsyncIterator[tuple[str, int]]:
    """Serve every connection with `handler(reader, writer)` and yield where."""
    connections = _Connections(handler)
    server = await asyncio.start_server(connections.serve, address, 0, backlog=4096)
    try:
        yield address, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.drop()
    if connections.errors:
        raise connections.errors[0]
