"""Servers that send exactly the bytes of a test: `async with raw_server(handler) as (host, port)`.

Rules
- The handler owns one connection; when it returns, the bytes that it wrote are sent and the connection is closed.
- A handler may wait for ever: leaving the block cancels it and drops every connection.
- A client that hangs up is no error; any other exception of a handler is raised where the block ends.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Connections:
    """The connections of one server, and the errors of their handlers."""

    def __init__(self, handler: Handler) -> None:
        self.errors: list[Exception] = []
        self._handler = handler
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._talking: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        if await self._talk(reader, writer):
            writer.close()
        else:
            writer.transport.abort()
        # A handler that was cancelled while it waited for the same end has cancelled this wait, too.
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()
        del self._open[task]

    async def drop(self) -> None:
        """End all of them and wait until they are gone."""
        for task, writer in self._open.items():
            writer.transport.abort()
            if writer in self._talking:
                task.cancel()
        await asyncio.gather(*self._open)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the handler ended by itself."""
        self._talking.add(writer)
        try:
            await self._handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return False
        except Exception as error:  # noqa: BLE001 - it is raised again, in the test
            self.errors.append(error)
            return False
        finally:
            self._talking.remove(writer)
        return True


@asynccontextmanager
async def raw_server(
    handler: Handler, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Serve every connection with `handler(reader, writer)` and yield its address; a path is a unix socket."""
    connections = _Connections(handler)
    if "/" in address:
        server: asyncio.Server = await asyncio.start_unix_server(connections.serve, address, backlog=4096, ssl=tls)
    else:
        server = await asyncio.start_server(connections.serve, address, port, backlog=4096, ssl=tls)
    try:
        yield address, 0 if "/" in address else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.drop()
    if connections.errors:
        raise connections.errors[0]
