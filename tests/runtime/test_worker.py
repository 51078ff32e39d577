"""runtime.worker: a worker is light, quiet, and gone with its parent."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from runtime import jobs

from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import WorkerDied
from support.lanes import QUICK, outcomes

ROOT = Path(__file__).parents[2]


async def test_a_worker_is_light_and_leaves_signals_to_its_parent(lanes: Lanes) -> None:
    """A worker does not import the HTTP client, and Ctrl-C in the terminal is its parent's business."""
    has_client = await lanes.run(jobs.has_imported, "crawler.downloader")
    blocks_interrupt = await lanes.run(jobs.blocks, signal.SIGINT)
    blocks_terminate = await lanes.run(jobs.blocks, signal.SIGTERM)

    assert (has_client, blocks_interrupt, blocks_terminate) == (False, True, False)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


async def test_workers_outlive_the_threads_that_helped(lanes: Lanes) -> None:
    """The parent-death signal is tied to the loop's thread: when a helper thread ends, no worker dies."""
    loop = asyncio.get_running_loop()
    helpers = ThreadPoolExecutor()
    loop.set_default_executor(helpers)
    with pytest.raises(WorkerDied):
        await lanes.run(jobs.fault, "abort")  # its burial takes a helper thread
    await lanes.start()
    before = lanes.pids, lanes.deaths

    loop.set_default_executor(ThreadPoolExecutor())
    helpers.shutdown()
    await outcomes(lanes, jobs.double, range(20))

    assert (lanes.pids, lanes.deaths) == before
    assert threading.active_count() < 20


def end_of(pid: int) -> select.poll:
    """Something that tells when a process is gone."""
    ends = select.poll()
    ends.register(os.pidfd_open(pid))
    return ends


@pytest.mark.parametrize("ending", ["abort", "kill", "sleep", None])
async def test_what_an_item_starts_ends_with_its_worker(ending: str | None) -> None:
    """The worker may crash, be killed, be ended by a timer or close in order."""
    async with Lanes(1, limits=QUICK) as lanes:
        child = end_of(await lanes.run(jobs.start_child, None))
        if ending:
            await outcomes(lanes, jobs.fault, [ending])

    assert child.poll(2000)


def run_script(path: Path, text: str) -> subprocess.Popen[str]:
    """Start a script of its own, with this project on its path."""
    path.write_text("import asyncio\nfrom crawler.runtime.processes import Lanes\n" + text)
    return subprocess.Popen([sys.executable, path], env=env(), stdin=-1, stdout=-1, stderr=-1, text=True)


def env() -> dict[str, str]:
    """The environment with this project on Python's path."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    """The workers of a killed parent are gone within two seconds, a busy one too."""
    text = """
import time
async def main():
    async with Lanes(2) as lanes:
        await lanes.start()
        asyncio.ensure_future(lanes.run(time.sleep, 60))
        print(*lanes.pids, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with run_script(tmp_path / "parent.py", text) as parent:
        assert parent.stdout is not None
        workers = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        ends = select.poll()
        for worker in workers:
            ends.register(worker)

        parent.kill()
        for _ in workers:
            [(ended, _), *_] = ends.poll(2000)
            ends.unregister(ended)
            os.close(ended)

        assert len(workers) == 2


def test_what_an_item_started_dies_with_the_parent(tmp_path: Path) -> None:
    """`kill -9` of the parent ends the workers, and what their items started too."""
    text = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from runtime import jobs
async def main():
    async with Lanes(1) as lanes:
        print(await lanes.run(jobs.start_child, None), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with run_script(tmp_path / "parent.py", text) as parent:
        assert parent.stdout is not None
        child = end_of(int(parent.stdout.readline()))

        parent.kill()

        assert child.poll(2000)


def test_what_an_item_prints_is_no_output_of_the_parent(tmp_path: Path) -> None:
    """It goes to standard error, also what a program prints that it starts; on its input there is nothing."""
    text = """
import os
async def main():
    async with Lanes(1) as lanes:
        await lanes.run(print, "printed")
        await lanes.run(os.system, "echo echoed")
        print(await lanes.run(os.system, "read line"))
asyncio.run(main())
"""
    with run_script(tmp_path / "parent.py", text) as script:
        stdout, stderr = script.communicate("typed\n", timeout=30)

    assert stdout == "256\n"  # the shell's `read` met the end
    assert {"printed", "echoed"} <= set(stderr.split())


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """A worker does not import the main script, so that one which starts lanes at once neither hangs nor multiplies."""
    text = """
import sys
async def main():
    async with Lanes(2) as lanes:
        await lanes.start()
        print(await lanes.run(abs, -1), sys.modules["__main__"].main is main)
asyncio.run(main())
"""
    with run_script(tmp_path / "unguarded.py", text) as script:
        shown = script.communicate(timeout=30)

    assert shown == ("1 True\n", "")
