"""A server that a command starts on a free port of loopback, for load tests.

Rules
- `{port}` in an argument becomes the port. The server is ready when it accepts a connection there.
- It is asked to end after the block (SIGTERM), and killed five seconds later, with all that it has started.
- Its output goes to a temporary file. A server that does not start is an error with the last lines of it.
Runs on: any event loop.
"""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import IO

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.runtime.child import POLL, Child, child

_START = 30.0  # seconds
_END = 5.0  # seconds
_LINES = 20
_PORT = "{port}"


@asynccontextmanager
async def served_command(command: Sequence[str]) -> AsyncIterator[str]:
    """Run a command for the length of the block, and give the URL of its server, without a slash at the end.

    Raises:
        UsageError: the command cannot be started, has no place for the port, or serves nothing there.
    """
    shown = safe(" ".join(command), 200)
    if not any(_PORT in part for part in command):
        raise UsageError(f"{shown}: no {_PORT} in it: write it where the server is told its port")
    port = _free_port()
    with tempfile.TemporaryFile() as output:
        filled = [part.replace(_PORT, str(port)) for part in command]
        async with AsyncExitStack() as stack:
            try:
                server = await stack.enter_async_context(child(filled, output, patience=_END))
            except OSError as error:
                raise UsageError(f"{shown}: {error.strerror}") from None
            if (problem := await _problem(server, port)) is not None:
                raise UsageError("\n".join([f"{shown}: {problem}", *_last_lines(output)]))
            yield f"http://127.0.0.1:{port}"


async def _problem(server: Child, port: int) -> str | None:
    """Wait until the server accepts a connection, and return None, or why it does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_START):
            while server.exit_code is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return None
                await asyncio.sleep(POLL)  # another process's socket tells this loop nothing
    if server.exit_code is not None:
        return f"ended with exit code {server.exit_code} before it accepted a connection"
    return f"accepts no connection at port {port} within {_START:g} s"


def _last_lines(output: IO[bytes]) -> list[str]:
    output.seek(0)
    return [safe(line) for line in output.read()[-4096:].decode("utf-8", "replace").splitlines()[-_LINES:]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
