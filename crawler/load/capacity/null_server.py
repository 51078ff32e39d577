"""A server that does nothing, in a process of its own: how many requests a second can this client send here?

Rules
- It answers each request without a body with a few constant bytes, so it costs the client as little as a server can.
- Its work competes with the client for the processors of this machine, as that of any server on it does.
Runs on: the loop of a worker process; `null_server` on the caller's.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from crawler.load.progress import Progress
from crawler.load.shared_memory import SharedBoard
from crawler.runtime.loop import Stop
from crawler.runtime.loop import run as run_loop
from crawler.runtime.processes import Lanes
from crawler.runtime.tasks import background
from crawler.runtime.worker_lane import Limits

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LONGEST = 3600.0


@asynccontextmanager
async def null_server() -> AsyncIterator[str]:
    """Serve on a free port of loopback for the length of the block; gives the URL."""
    with tempfile.TemporaryDirectory(prefix="crawler-null-") as folder:
        path = Path(folder) / "board"
        with SharedBoard.make(path, 1) as board:
            async with Lanes(1, limits=Limits(cpu_seconds=_LONGEST), batch=1) as lanes, background(_run, lanes, path):
                await board.until(lambda: board.progress()[0].is_ready != 0)
                yield f"http://127.0.0.1:{board.progress()[0].is_ready}/"


async def _run(lanes: Lanes, path: Path) -> None:
    await lanes.run(_work, path)


def _work(path: Path) -> None:
    """Serve until this process is ended; the board tells the port, in the place of `is_ready`."""

    async def main(stop: Stop) -> None:
        server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1024)
        with SharedBoard(path) as board:
            board.tell(0, Progress(is_ready=server.sockets[0].getsockname()[1]))
        async with server:
            await stop.wait_draining()

    run_loop(main)


class _Connection(asyncio.Protocol):
    """One connection: each end of a head is answered."""

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast(asyncio.Transport, transport).write  # TCP; uvloop's class is none of asyncio's

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        self._write(_ANSWER * data.count(b"\r\n\r\n"))
        self._rest = data[-3:] if not data.endswith(b"\r\n\r\n") else b""
