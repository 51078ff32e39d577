"""Workers that share one run, as processes: together they write what one crawl in a folder writes, each URL once."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from crawler.frontier.postgres.at_rest import at_rest
from crawler.site.plan import Shares, SitePlan
from crawler.site.server import SiteServer
from crawler.site.truth import Site
from support.commands import program

HOSTS = 6
RUN = "odd"
SHARES = Shares(
    redirects=0.1, missing=0.05, slow=0.02, duplicates=0.05, codings=0.05, charsets=0.05, flaky=0.03, binary=0.02
)
PLAN = SitePlan(pages=40, hosts=HOSTS, shares=SHARES, latency=0.1, slow_seconds=0.1, largest=4000)
FAILED = 1  # redirects in circles fail, on purpose

Told = tuple[str, int | None, str | None]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def site() -> AsyncIterator[SiteServer]:
    """Six hosts with redirects, circles of them, 404s, copies, codings, busy and failing pages."""
    async with SiteServer(Site(PLAN)) as server:
        yield server


@pytest.fixture
def listed(tmp_path: Path, site: SiteServer) -> Path:
    """The list of their front pages."""
    path = tmp_path / "fronts.txt"
    path.write_text("".join(f"{url}/\n" for url in site.base_urls), "utf-8")
    return path


def lines(*folders: Path) -> list[Told]:
    """Everything that the lines of these folders tell, sorted."""
    files = [(folder / "pages.jsonl").read_bytes().splitlines() for folder in folders]
    found = [json.loads(line) for file in files for line in file]
    return sorted((line["url"], line["status"], line["sha256"] or "") for line in found)


def states(database: str) -> list[tuple[float | None, int]]:
    """Return how late each worker is, where None is one that has ended, and how many hosts it has."""
    with at_rest(database, RUN) as frontier:
        return [(worker.late, worker.hosts) for worker in frontier.workers()]


async def ended(child: asyncio.subprocess.Process) -> int | None:
    """The exit code of a program, once it has ended."""
    async with asyncio.timeout(60):
        await child.communicate()
    return child.returncode


async def seen(what: Callable[[], bool]) -> None:
    """Wait until something is so: what another process has done sends no event."""
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


def has_lines(folder: Path, count: int) -> Callable[[], bool]:
    """Return a check: has a worker written so many lines?"""
    return lambda: (folder / "pages.jsonl").exists() and (folder / "pages.jsonl").read_bytes().count(b"\n") >= count


async def alone(listed: Path, folder: Path) -> list[Told]:
    """The lines of one process with SQLite."""
    async with program("crawl", listed, "-o", folder, "--allow-net", "127.0.0.0/8", "--quiet") as child:
        assert await ended(child) == FAILED
    return lines(folder)


async def test_three_workers_write_what_one_process_writes(tmp_path: Path, listed: Path, database: str) -> None:
    """One joins at once and is stopped by Ctrl-C in the middle, another joins late."""
    first, second, third = (tmp_path / f"w{number}" for number in (1, 2, 3))
    options = ("--frontier", database, "--name", RUN, "--allow-net", "127.0.0.0/8", "--concurrency", 4, "--quiet")

    async with program("crawl", listed, "-o", first, *options) as one:
        await seen(has_lines(first, 5))
        async with program("join", database, "-o", second, "--quiet") as two:
            await seen(has_lines(second, 5))
            two.send_signal(signal.SIGINT)
            async with program("join", database, "-o", third) as three:
                await seen(has_lines(third, 1))
                _, said = await three.communicate()
                codes = [await ended(child) for child in (two, three, one)]

    assert codes == [128 + signal.SIGINT, FAILED, FAILED]
    assert all(map(lines, (first, second, third)))
    assert lines(first, second, third) == await alone(listed, tmp_path / "alone")
    async with program("verify", database, "--name", RUN) as audit:
        assert await ended(audit) == 0
    assert states(database) == [(None, 0)] * 3
    begins, *_, ends = said.decode().splitlines()
    assert begins == f"worker 3 of the run {RUN}; others take part by: crawler join {database} --name {RUN}"
    assert f"worker 3 of 3 in the run {RUN} wrote {len(lines(third))} of" in ends


async def test_a_worker_of_one_command_that_is_killed_is_told(tmp_path: Path, listed: Path, database: str) -> None:
    """The others end the run, the exit code is that of the kill, and a resume leaves each line once."""
    first = tmp_path / "w"
    second = first / "worker-2"
    options = ("--frontier", database, "--name", RUN, "--allow-net", "127.0.0.0/8", "--concurrency", 4, "--lease", 2)

    async with program("crawl", listed, "-o", first, *options, "--processes", 2) as one:
        await seen(has_lines(second, 5))
        os.kill(_process_of(one, second), signal.SIGKILL)
        async with asyncio.timeout(60):
            _, said = await one.communicate()
    async with program("resume", first, "--quiet") as again:
        code = await ended(again)

    assert one.returncode == 128 + signal.SIGKILL
    assert f"the worker in {second} was killed by signal 9" in said.decode()
    assert code == FAILED
    assert lines(first, second) == await alone(listed, tmp_path / "alone")


async def test_ctrl_c_ends_all_workers_of_a_command(tmp_path: Path, listed: Path, database: str) -> None:
    """Each gives its hosts back, and one resume starts all of them again."""
    first = tmp_path / "w"
    others = [first / "worker-2", first / "worker-3"]
    options = ("--frontier", database, "--name", RUN, "--allow-net", "127.0.0.0/8", "--concurrency", 4, "--quiet")

    async with program("crawl", listed, "-o", first, *options, "--processes", 3) as one:
        await seen(lambda: all(has_lines(folder, 1)() for folder in others))
        one.send_signal(signal.SIGINT)
        code = await ended(one)
    stopped, kept = states(database), len(lines(first, *others))
    async with program("resume", first, "--quiet") as again:
        resumed = await ended(again)

    assert code == 128 + signal.SIGINT
    assert stopped == [(None, 0)] * 3
    assert resumed == FAILED
    assert lines(first, *others) == (everything := await alone(listed, tmp_path / "alone"))
    assert kept < len(everything)


def _process_of(parent: asyncio.subprocess.Process, folder: Path) -> int:
    """Return the id of the child that works in this folder."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text("ascii").split()
    (found,) = [int(pid) for pid in children if os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found
