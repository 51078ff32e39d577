"""A capacity search on a real server of this machine, and the server that does nothing."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import crawler
from crawler.load.capacity.null_server import null_server
from crawler.load.capacity.search import Ending
from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses


class Quick(asyncio.Protocol):
    """A connection of a server that answers at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that this holds."""
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.transport.write(answer * data.count(b"\r\n\r\n"))  # type: ignore[attr-defined]


async def test_a_search_runs_from_the_ceiling_to_its_answer(tmp_path: Path) -> None:
    """A server that holds all that it is asked for ends at the highest rate to try; every window is in the rows."""
    mix = tmp_path / "mix.txt"
    mix.write_text("/a\n/b\n", "utf-8")
    server = await asyncio.get_running_loop().create_server(Quick, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async with server:
        found = await crawler.find_capacity(
            f"http://127.0.0.1:{port}/",
            slo="p50<1s",
            targets=str(mix),
            from_rate=200,
            to_rate=200,
            window=0.5,
            settle=0.1,
            connections=4,
        )

    assert (found.verdict, found.low, found.high) == (Ending.HOLDS_THROUGHOUT, 200, None)
    assert [row.stage for row in found.rows] == ["idle", "ceiling", "climb"]
    assert found.ceiling is not None
    assert found.ceiling > 400
    assert found.rows[-1].errors == 0
    assert found.asked.targets == f"2 requests of {mix}, 2 groups"


async def test_a_server_that_is_dead_is_told_as_a_load_test_tells_it() -> None:
    """The search says what is wrong with the server, and has measured nothing else."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    found = await crawler.find_capacity(f"http://127.0.0.1:{port}/", slo="p50<1s")

    assert found.verdict is Ending.NOTHING_OK
    assert "connect_refused" in found.because
    assert found.advice == f"nothing listens at 127.0.0.1:{port}: is the server running?"
    assert [row.stage for row in found.rows] == ["idle"]


async def test_the_null_server_answers_every_request(tmp_path: Path) -> None:
    """Each connection of a load test gets a good answer to each of its requests."""
    async with null_server() as url, LoadProcesses(1) as processes:
        setup, plan = await prepare(url, configure_load({"requests": 1000, "connections": 8}), tmp_path)
        result = await processes.test(setup, plan)

    assert (result.outcomes["ok"], result.outcomes["scheduled"]) == (1000, 1000)


async def test_processes_live_through_many_tests(tmp_path: Path) -> None:
    """A second test begins anew: what the first one left on the board is gone."""
    async with null_server() as url, LoadProcesses(1) as processes:
        setup, plan = await prepare(url, configure_load({"requests": 100, "connections": 2}), tmp_path)
        results = [await processes.test(setup, plan) for _ in range(3)]

    assert [result.outcomes["ok"] for result in results] == [100, 100, 100]
