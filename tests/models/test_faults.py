"""Faults under each model, with real processes and signals: bad pages, killed workers, Ctrl-C."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from crawler.models.config import MODELS
from crawler.models.process_tree import pids
from crawler.site.plan import SitePlan
from crawler.site.truth import Site
from support.siteserver import Gate, HandMadeSite
from support.traces import faults

PAGES = 20
PATHS = list(Site(SitePlan.plain(pages=PAGES)).paths(0))


@pytest.fixture
async def site() -> AsyncIterator[HandMadeSite]:
    """A server of twenty small pages, at the addresses that the built-in site would have."""
    async with HandMadeSite() as served:
        for path in PATHS:
            served.add_page(path, f"<title>{path}</title><a href=/>home</a>")
        yield served


@asynccontextmanager
async def models(site: HandMadeSite, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, at the head of a group of its own as from a terminal; nothing of it may outlive the block."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crawler", "models", "--site", site.url(""), "--pages", str(PAGES), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.communicate()


async def figures(child: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return the figures that one model prints at its end."""
    output, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()
    found: dict[str, Any] = json.loads(output)
    return found


def workers(pid: int) -> list[int]:
    """The processes that a model has spawned to work for it."""
    return [child for child in pids(pid) if b"spawn_main" in command_line(child)]


async def gone(family: list[int]) -> None:
    """Wait until none of these processes is left; the test's time limit ends a wait in vain."""
    for pid in family:
        while is_alive(pid):  # noqa: ASYNC110 - the death of somebody else's child sends no event
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether a process lives; a zombie does not."""
    with suppress(OSError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("utf-8")
    return False


def entries(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def command_line(pid: int) -> bytes:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")


@pytest.mark.parametrize("model", MODELS)
async def test_a_page_that_fails_is_one_failed_page(model: str, site: HandMadeSite) -> None:
    """An error status and a connection that breaks cost a page each; both clients give the same reasons."""

    async def hang_up(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    site.add_page(PATHS[3], status=500)
    site.add_handler(PATHS[5], hang_up)

    async with models(site, "--alone", model, "--workers", "2") as child:
        told = await figures(child)

    assert told["pages"] == PAGES - 2
    assert told["failures"] == {site.url(PATHS[3]): "status 500", site.url(PATHS[5]): "connection_lost"}


async def test_the_pipeline_s_part_of_a_comparison_can_be_traced(site: HandMadeSite, tmp_path: Path) -> None:
    """Each page has its turn in the trace, which is valid; what no pipeline takes part in has none."""
    trace = tmp_path / "trace.json"

    async with models(site, "--model", "pipeline", "--model", "sequential", "--trace", str(trace)) as child:
        _, errors = await child.communicate()
    async with models(site, "--model", "threads", "--trace", str(trace)) as other:
        _, refusal = await other.communicate()

    assert child.returncode == 0, errors.decode()
    told = json.loads(trace.read_bytes())
    assert list(faults(told)) == []
    turns = [event["args"]["url"] for event in told["traceEvents"] if event.get("cat") == "turn"]
    assert sorted(turns) == sorted(site.url(path) for path in PATHS)
    assert (other.returncode, b"--trace: only the pipeline" in refusal) == (2, True)


@pytest.mark.parametrize("model", [name for name in MODELS if "process" in name or name == "pipeline"])
async def test_a_killed_worker_costs_what_its_model_cannot_save(model: str, site: HandMadeSite) -> None:
    """With pipes it costs the page that it was at, a pool breaks and says so, and the pipeline loses nothing."""
    gate = Gate(site, PATHS)

    async with models(site, "--alone", model, "--workers", "2") as child:
        await site.asked(2)
        os.kill(workers(child.pid)[0], signal.SIGKILL)
        gate.opened.set()
        told = await figures(child)

    lost = list(told["failures"].values())
    if model == "processes":
        assert (told["pages"], lost, told["ended"]) == (PAGES - 1, ["parse_crash"], None)
    elif model == "process-pool":
        assert told["ended"].startswith("BrokenProcessPool: ")
    else:
        assert (told["pages"], lost, told["ended"]) == (PAGES, [], None)


@pytest.mark.parametrize("model", MODELS)
async def test_ctrl_c_ends_each_model_clean(model: str, site: HandMadeSite) -> None:
    """In the middle of its requests: exit 130, one line, and no process is left."""
    gate = Gate(site, PATHS)

    async with models(site, "--alone", model, "--workers", "2") as child:
        await site.asked(1)
        family = list(pids(child.pid))
        os.killpg(child.pid, signal.SIGINT)
        gate.opened.set()
        output, errors = await child.communicate()

    assert (child.returncode, output, errors.strip()) == (130, b"", b"crawler: interrupted")
    await gone(family)


async def test_ctrl_c_ends_the_whole_comparison(site: HandMadeSite) -> None:
    """The command passes it on to the process of the model that runs."""
    Gate(site, PATHS)

    async with models(site, "--model", "processes", "--json") as child:
        await site.asked(1)
        family = list(pids(child.pid))
        child.send_signal(signal.SIGINT)
        output, errors = await child.communicate()

    assert (child.returncode, output, errors.strip()) == (130, b"", b"crawler: interrupted")
    await gone(family)


async def test_a_model_that_is_killed_is_told_in_its_row(site: HandMadeSite) -> None:
    """The others do the job all the same, and the exit code says that one did not."""
    async with models(site, "--model", "sequential", "--model", "asyncio", "--json") as child:

        async def kill(_: web.BaseRequest) -> web.Response:
            for pid in pids(child.pid):
                if pid != child.pid and b"--alone sequential" in command_line(pid):
                    os.kill(pid, signal.SIGKILL)
            return web.Response(text="", content_type="text/html")

        site.add_handler(PATHS[-1], kill)
        output, errors = await child.communicate()

    rows = json.loads(output)["models"]
    assert (child.returncode, errors) == (1, b"")
    assert [(row["model"], row["ended"], row["pages"]) for row in rows] == [
        ("sequential", "killed by SIGKILL", 0),
        ("asyncio", None, PAGES),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--site", "http://192.0.2.1/"), "--site: expected a site of this machine"),
        (("--site", "nonsense"), "--site: expected a site of this machine"),
        (("--site", "http://127.0.0.1:8000/?a=1"), "--site: expected a site of this machine"),
        (("--model", "goroutines"), "--model: expected one of sequential, "),
        (("--alone", "threads"), "--alone: give a --site, too"),
        (("--html", "x"), "--html: give --sweep, too"),
        (("--sweep", "--parse-cost", "2"), "--sweep and --parse-cost: give one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    """Exit 2 and a sentence, before anything is started; other machines are never asked."""
    command = [sys.executable, "-m", "crawler", "models", *arguments]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("model", ["processes", "process-pool", "pipeline"])
async def test_a_worker_that_is_killed_at_its_start_hangs_nobody(model: str, site: HandMadeSite) -> None:
    """The model ends all the same: with every page but one at the most, or by saying that it cannot."""
    async with models(site, "--alone", model, "--workers", "2") as child:
        while not (found := workers(child.pid)):  # noqa: ASYNC110 - somebody else's child sends no event
            await asyncio.sleep(0.005)
        os.kill(found[0], signal.SIGKILL)
        told = await figures(child)

    assert told["pages"] >= PAGES - 1 or told["ended"]


async def test_a_process_of_the_gil_s_measurement_that_is_killed_hangs_nobody() -> None:
    """One line, and the exit code of missing workers."""
    command = [sys.executable, "-m", "crawler", "models", "--gil"]
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, process_group=0)
    try:
        while not (found := workers(child.pid)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        os.kill(found[0], signal.SIGKILL)
        _, errors = await child.communicate()
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)

    assert (child.returncode, errors.count(b"\n")) == (6, 1), errors.decode()


async def test_sigterm_leaves_no_file_behind(
    site: HandMadeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of the model are deleted, and its process has ended."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    gate = Gate(site, PATHS)

    async with models(site, "--model", "threads") as child:
        while not any(name.startswith("models-") for name in entries(tmp_path)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        family = list(pids(child.pid))
        child.terminate()
        gate.opened.set()
        await child.communicate()

    await gone(family)
    assert child.returncode == 143
    assert entries(tmp_path) == []
