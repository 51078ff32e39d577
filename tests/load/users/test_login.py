"""The log-in of users against a real server on loopback: its failures are told apart from those of other requests."""

import asyncio
from pathlib import Path

import pytest

import crawler
from crawler.load.contradictions import configure_load
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses
from crawler.load.progress import Progress
from crawler.load.result import LoadVerdict
from crawler.load.supervise import Steering
from support.rawserver import raw_server


async def closed_shop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let nobody log in, and serve all else."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status = 401 if head.startswith(b"POST /login") else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_log_in_that_fails_is_told_with_its_own_counts(tmp_path: Path, processes: int) -> None:
    """Each of four users logs in once, in the warm-up; the other requests are good, and one has the log-in's name."""
    login, mix = tmp_path / "login.txt", tmp_path / "mix.txt"
    login.write_text("POST /login\n")
    mix.write_text("/a\nPOST /login\n/b\n")

    async with raw_server(closed_shop) as (host, port):
        result = await crawler.load_test(
            f"http://{host}:{port}/",
            targets=mix,
            login=login,
            connections=4,
            duration=0.3,
            warmup=0.2,
            processes=processes,
        )

    assert result.verdict is LoadVerdict.FAILING
    assert result.because.startswith("log-in failed: status_401, 4 of 4; ")
    assert {group.name for group in result.groups} == {"GET /a", "POST /login", "GET /b", "POST /login (log-in)"}


async def test_a_log_in_that_fails_is_known_while_the_test_runs(tmp_path: Path) -> None:
    """The display has its counts as soon as the first second has ended."""
    login, seen = tmp_path / "login.txt", list[Progress]()
    login.write_text("POST /login\n")
    (tmp_path / "requests").mkdir()
    options = {"login": str(login), "connections": 4, "duration": 1.2}

    async with raw_server(closed_shop) as (host, port), LoadProcesses(1) as processes:
        asked, plan = await prepare(f"http://{host}:{port}/", configure_load(options), tmp_path / "requests")
        await processes.test(asked, plan, Steering(show=lambda _, progress: seen.append(progress), seconds=0.02))

    assert (seen[-1].logins, seen[-1].lost_logins) == (4, 4)
