"""The checks of scripts while a test runs, from the processes that send to the one that shows."""

import asyncio
from pathlib import Path
from textwrap import dedent

import pytest

from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses
from crawler.load.progress import Progress
from crawler.load.supervise import Steering
from crawler.load.users.check_board import CheckBoard
from support.rawserver import raw_server

LONG = "ü" * 200


async def shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_the_counts_of_all_processes_are_added_by_name(tmp_path: Path) -> None:
    """A name may be any text; one that is too long is cut, and no character is torn apart."""
    with CheckBoard.make(tmp_path / "board", 2) as board, CheckBoard.beside(tmp_path / "board") as other:
        board.tell(0, {"a b": [1, 2], "only here": [0, 4], LONG: [1, 0]})
        other.tell(1, {"a b": [10, 20], "x": [1, 1]})
        board.tell(0, {"a b": [2, 2]})

        found = board.totals()

    assert found == {"a b": (12, 22), "only here": (0, 4), "ü" * 128: (1, 0), "x": (1, 1)}


def test_as_many_names_as_a_script_may_have_fit(tmp_path: Path) -> None:
    """The last row of one process does not reach into the next one's."""
    many = {f"name {number}": [number, 1] for number in range(102)}

    with CheckBoard.make(tmp_path / "board", 2) as board, CheckBoard.beside(tmp_path / "board") as other:
        other.tell(1, {"mine": [7, 7]})
        board.tell(0, many)

        found = board.totals()

    assert found == {name: tuple(counts) for name, counts in many.items()} | {"mine": (7, 7)}


@pytest.mark.parametrize("processes", [1, 2])
async def test_checks_are_known_while_the_test_runs(tmp_path: Path, processes: int) -> None:
    """Those that pass, those that fail, and runs without a check, of all processes."""
    script = tmp_path / "users.py"
    script.write_text(
        dedent(
            """
            async def user(u):
                page = await u.get("/")
                if u.number:
                    u.check(page.is_good, "it is good")
                    u.check(not page.is_good, "it is bad")
            """
        )
    )
    seen = list[Progress]()
    options = {"script": str(script), "connections": 4, "duration": 0.6, "processes": processes}
    (tmp_path / "requests").mkdir()

    async with raw_server(shop) as (host, port), LoadProcesses(processes) as sending:
        asked, plan = await prepare(f"http://{host}:{port}/", configure_load(options), tmp_path / "requests")
        steering = Steering(show=lambda _, progress: seen.append(progress), seconds=0.05)
        result = await sending.test(asked, plan, steering)

    last = seen[-1].checks
    assert last.keys() == {"it is good", "it is bad", "script_run"}
    assert last["it is good"][0] == pytest.approx(last["it is bad"][1], abs=5)
    assert last["it is good"][1] == last["it is bad"][0] == last["script_run"][1] == 0
    assert 0 < sum(map(sum, last.values())) <= result.total.checked
