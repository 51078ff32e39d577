import asyncio
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from runtime import jobs

from crawler.runtime import lane
from crawler.runtime.lane import CannotStart, Death, Limits, WorkerDied
from crawler.runtime.processes import Lanes
from crawler.runtime.worker import JobError

ROOT = Path(__file__).parents[2]
PATIENT = Limits(cpu_seconds=60, grace_seconds=60, memory_bytes=256 << 20)
QUICK = replace(PATIENT, cpu_seconds=0.3, grace_seconds=0.5)


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    """After each test no process is left."""
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
async def lanes() -> AsyncIterator[Lanes]:
    """One lane: two batches deep, and nowhere to hide."""
    async with Lanes(1, limits=PATIENT) as lanes:
        yield lanes


@pytest.fixture
async def two_lanes() -> AsyncIterator[Lanes]:
    """Two of them."""
    async with Lanes(2, limits=PATIENT) as lanes:
        yield lanes


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items went in each batch."""
    sizes: list[int] = []
    send = lane.Worker.send

    def noting_send(worker: lane.Worker, calls: Sequence[Any]) -> Any:
        sizes.append(len(calls))
        return send(worker, calls)

    monkeypatch.setattr(lane.Worker, "send", noting_send)
    return sizes


async def turns(count: int = 5) -> None:
    """Let everyone else who can go on, go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outcomes(lanes: Lanes, func: Callable[[Any], Any], items: Iterable[object]) -> list[Any]:
    """What comes of items that are given all at once: each one's result or error."""
    return await asyncio.gather(*(lanes.run(func, item) for item in items), return_exceptions=True)


def kinds(results: Iterable[object]) -> list[Death | None]:
    """How each item died."""
    return [result.kind if isinstance(result, WorkerDied) else None for result in results]


@pytest.mark.both_loops
async def test_each_item_gets_its_own_result(two_lanes: Lanes) -> None:
    """Many items at once come back in place, from both processes."""
    results = await outcomes(two_lanes, jobs.double, range(500))
    pids = await outcomes(two_lanes, jobs.pid, range(500))

    assert results == [2 * number for number in range(500)]
    assert set(pids) == set(two_lanes.pids)
    assert len({os.getpid(), *pids}) == 3


async def test_items_that_wait_together_travel_together(two_lanes: Lanes, sizes: list[int]) -> None:
    """One item goes alone at once; many are shared between the lanes, two batches deep, sixteen at most in each."""
    await two_lanes.run(jobs.double, 1)
    await outcomes(two_lanes, jobs.double, range(6))
    await outcomes(two_lanes, jobs.double, range(64))

    assert sizes == [1, 3, 2, 1, 16, 16, 16, 8, *sizes[8:]]
    assert sum(sizes) == 71


async def test_an_error_belongs_to_its_item(lanes: Lanes) -> None:
    """What a function raises comes back with the worker's traceback; its neighbours in the batch do not notice."""
    good = outcomes(lanes, jobs.double, range(10))
    bad = outcomes(lanes, jobs.fail, ["no such thing"])

    results, [error] = await asyncio.gather(good, bad)

    assert results == [2 * number for number in range(10)]
    assert isinstance(error, ValueError)
    assert str(error) == "no such thing"
    assert "raise ValueError(text)" in error.__notes__[0]
    assert not lanes.deaths


@pytest.mark.parametrize("kind", ["unpicklable", "unbuildable", "exit", "stop"])
async def test_an_error_that_cannot_travel_is_told_as_text(lanes: Lanes, kind: str) -> None:
    """An error that would break the lane or the loop comes back as a JobError with its traceback."""
    with pytest.raises(JobError, match="in fail_with"):
        await lanes.run(jobs.fail_with, kind)

    assert not lanes.deaths


async def test_what_cannot_be_pickled_fails_alone(lanes: Lanes) -> None:
    """An argument or a result that cannot travel is its own item's error, not its batch's."""
    items: list[object] = [1, 2, lambda: None, 4]

    arguments = await outcomes(lanes, jobs.double, items)
    results = await outcomes(lanes, jobs.unpicklable, [1])

    assert [arguments[0], arguments[1], arguments[3]] == [2, 4, 8]
    assert "pickle" in str(arguments[2])
    assert "pickle" in str(results[0])
    assert not lanes.deaths


# --- payloads ---------------------------------------------------------------------------------------------------------

MIB = 1 << 20


@pytest.mark.both_loops
async def test_a_payload_comes_with_its_item(two_lanes: Lanes) -> None:
    """Payloads of all sizes come whole, each with its own item, among items that have none."""
    payloads = [os.urandom(size) for size in (0, 1, 5 * MIB, 65536, 3 * MIB + 1, 17)]
    trips = [two_lanes.run(jobs.weigh, number, payload) for number, payload in enumerate(payloads)]

    weighed, doubled = await asyncio.gather(
        asyncio.gather(*trips), asyncio.gather(*(two_lanes.run(jobs.double, number) for number in range(40)))
    )

    assert weighed == [(number, len(data), zlib.crc32(data)) for number, data in enumerate(payloads)]
    assert doubled == [2 * number for number in range(40)]


async def test_large_payloads_travel_one_by_one(two_lanes: Lanes, sizes: list[int]) -> None:
    """A batch has a number of items and a weight; small payloads share one."""
    await asyncio.gather(*(two_lanes.run(jobs.weigh, number, bytes(MIB)) for number in range(6)))
    assert sizes == [1] * 6

    await asyncio.gather(*(two_lanes.run(jobs.weigh, number, bytes(MIB // 4)) for number in range(8)))
    assert sizes[6:] == [4, 2, 1, 1]


async def test_a_payload_is_not_copied(two_lanes: Lanes) -> None:
    """On this side of the pipe nothing is added to what holds it."""
    payload = bytes(32 * MIB)
    await two_lanes.start()

    tracemalloc.start()
    results = await asyncio.gather(*(two_lanes.run(jobs.weigh, number, payload) for number in range(6)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert {size for _, size, _ in results} == {len(payload)}
    assert peak < 2 * MIB


async def test_a_payload_without_its_call_is_read_over(lanes: Lanes) -> None:
    """An item that cannot be pickled leaves its payload in the pipe, and the next item still gets its own."""
    results = await asyncio.gather(
        lanes.run(jobs.weigh, lambda: None, b"astray"),
        *(lanes.run(jobs.weigh, number, bytes(100 + number)) for number in range(4)),
        return_exceptions=True,
    )

    assert "pickle" in str(results[0])
    assert [result[:2] for result in results[1:] if isinstance(result, tuple)] == [(n, 100 + n) for n in range(4)]
    assert not lanes.deaths


async def test_a_payload_goes_again_with_its_item(lanes: Lanes, tmp_path: Path) -> None:
    """The second chance in a new process includes it, and what waited behind it comes through."""
    size, weighed = await asyncio.gather(
        lanes.run(jobs.crash_once_with, str(tmp_path / "marker"), bytes(3 * MIB)),
        lanes.run(jobs.weigh, 1, bytes(2 * MIB)),
    )

    assert (size, weighed[1]) == (3 * MIB, 2 * MIB)
    assert lanes.deaths == {Death.CRASH: 1}


async def test_no_thread_outlives_its_worker() -> None:
    """Neither that of a worker which dies while the next payload is being written, nor that of one which is closed."""
    before = set(threading.enumerate())

    async with Lanes(1, limits=PATIENT) as lanes:
        results = await asyncio.gather(
            lanes.run(jobs.fault_with, "kill", bytes(8 * MIB)),
            lanes.run(jobs.weigh, 1, bytes(8 * MIB)),
            return_exceptions=True,
        )
    writing = [thread for thread in threading.enumerate() if thread.name == "payloads" and thread not in before]
    for thread in writing:
        await asyncio.to_thread(thread.join, 5)

    assert kinds(results) == [Death.CRASH, None]
    assert not any(thread.is_alive() for thread in writing)


@pytest.mark.parametrize("kind", ["loop in C", "regular expression"])
async def test_what_hangs_is_ended_at_its_wall_time(kind: str) -> None:
    """The wall time holds inside C code, without the parent's help."""
    async with asyncio.timeout(10), Lanes(1, limits=replace(PATIENT, cpu_seconds=0.3)) as lanes:
        results = await outcomes(lanes, jobs.double_unless_fault, [1, kind, 3])

    assert kinds(results) == [None, Death.TIMEOUT, None]
    assert [results[0], results[2]] == [2, 6]


async def test_a_stopped_process_is_killed_by_its_parent() -> None:
    """What no timer reaches ends soon after its item is due, however many came with it."""
    async with asyncio.timeout(15), Lanes(1, limits=QUICK) as lanes:
        results = await outcomes(lanes, jobs.double_unless_fault, [*range(15), "stop"])

    assert kinds(results) == [None] * 15 + [Death.TIMEOUT]


async def test_a_batch_may_take_longer_than_one_item() -> None:
    """The parent's patience begins anew with each item."""
    limits = replace(PATIENT, cpu_seconds=0.2, grace_seconds=0.2)

    async with Lanes(1, limits=limits) as lanes:
        await outcomes(lanes, jobs.nap, [0.1] * 16)

        assert not lanes.deaths


async def test_waiting_costs_less_patience_than_working(lanes: Lanes) -> None:
    """An item's limit is of CPU time; on a busy machine, or while it waits, four times as much may pass."""
    cpu, wall = await lanes.run(jobs.timers, None)

    assert 59 < cpu <= 60.1
    assert 239 < wall <= 240


@pytest.mark.parametrize("kind", ["abort", "exit", "kill"])
async def test_a_crash_costs_one_item(lanes: Lanes, kind: str) -> None:
    """However the process ends, its neighbours come through, and the lane has a new process."""
    results = await outcomes(lanes, jobs.double_unless_fault, [1, kind, 3])

    assert kinds(results) == [None, Death.CRASH, None]
    assert [results[0], results[2]] == [2, 6]
    assert lanes.deaths[Death.CRASH] >= 2  # in its batch, and alone
    assert await lanes.run(jobs.double, 4) == 8


async def test_memory_is_bounded(lanes: Lanes) -> None:
    """An item that wants more than its share is named, and the process that it may have damaged is replaced."""
    results = await outcomes(lanes, jobs.double_unless_fault, [1, "memory", 3])
    within = await lanes.run(jobs.huge, 64 << 20)

    assert kinds(results) == [None, Death.MEMORY, None]
    assert lanes.deaths[Death.MEMORY] == 2
    assert len(within) == 64 << 20


async def test_a_result_too_large_to_send_is_memory_too(lanes: Lanes) -> None:
    """Memory that runs out after the work, while the result is pickled, is told in the same way."""
    [result] = await outcomes(lanes, jobs.huge, [200 << 20])

    assert kinds([result]) == [Death.MEMORY]


async def test_an_innocent_item_is_given_a_second_chance(lanes: Lanes, tmp_path: Path) -> None:
    """A process that someone else killed costs nothing: the item runs again."""
    result = await lanes.run(jobs.crash_once, str(tmp_path / "marker"))

    assert result == "done"
    assert lanes.deaths == Counter(crash=1)


async def test_half_an_answer_is_a_death(lanes: Lanes) -> None:
    """A process that dies while it writes its answer is not waited for."""
    async with asyncio.timeout(10):
        [result] = await outcomes(lanes, jobs.die_in_mid_answer, [None])

    assert kinds([result]) == [Death.CRASH]


async def test_faults_among_many_are_each_named() -> None:
    """Six faults among sixty items, of every kind: each is named, and every good item is right."""
    faults = {5: "abort", 13: "memory", 14: "kill", 29: "sleep", 41: "exit", 55: "loop in C"}
    expected = {5: "crash", 13: "memory", 14: "crash", 29: "timeout", 41: "crash", 55: "timeout"}
    items = [faults.get(number, number) for number in range(60)]

    async with asyncio.timeout(20), Lanes(2, limits=QUICK) as lanes:
        results = await outcomes(lanes, jobs.double_unless_fault, items)

    assert {number: kind for number, kind in enumerate(kinds(results)) if kind} == expected
    assert [result for result in results if isinstance(result, int)] == [2 * n for n in range(60) if n not in faults]


async def test_a_dead_lane_does_not_disturb_the_other(two_lanes: Lanes) -> None:
    """While one lane loses process after process, the other lane keeps its own."""
    await two_lanes.start()
    _, kept = two_lanes.pids

    await outcomes(two_lanes, jobs.fault, ["abort"])

    assert kept in two_lanes.pids


@pytest.mark.both_loops
async def test_an_idle_process_that_was_killed_is_replaced(two_lanes: Lanes) -> None:
    """A lane whose process vanished meanwhile does the next item with a new one."""
    await two_lanes.start()
    for pid in two_lanes.pids:
        os.kill(pid, signal.SIGKILL)

    assert await outcomes(two_lanes, jobs.double, range(20)) == [2 * number for number in range(20)]
    assert two_lanes.deaths == Counter(crash=2)


@pytest.mark.both_loops
async def test_a_cancelled_wait_leaves_the_lanes_healthy(lanes: Lanes, sizes: list[int]) -> None:
    """Cancelled items are skipped if they have not been sent, and dropped if they have; others go on."""
    await lanes.start()
    sizes.clear()
    waiting = [asyncio.ensure_future(lanes.run(jobs.double, number)) for number in range(40)]
    await turns()
    for task in waiting[::2]:
        task.cancel()

    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert sizes == [16, 16, 4]
    assert results[1::2] == [2 * number for number in range(1, 40, 2)]
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert await lanes.run(jobs.double, 4) == 8
    assert not lanes.deaths


async def test_a_worker_is_light_and_leaves_signals_to_its_parent(lanes: Lanes) -> None:
    """A worker does not import the HTTP client, and Ctrl-C in the terminal is its parent's business."""
    has_client = await lanes.run(jobs.has_imported, "aiohttp")
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


async def test_preparing_happens_once_per_process() -> None:
    """What `prepare` did is there when the first item comes."""
    async with Lanes(1, prepare=partial(__import__, "colorsys")) as lanes:
        assert await lanes.run(jobs.has_imported, "colorsys") is True


@pytest.mark.parametrize(
    ("prepare", "limits", "message"),
    [
        (jobs.refuse_to_start, Limits(), "ended with exit code 1"),
        (jobs.sleep_at_start, Limits(start_seconds=0.2), "did not answer"),
    ],
)
async def test_a_worker_that_cannot_start_is_told(prepare: Callable[[], object], limits: Limits, message: str) -> None:
    """A process that never gets ready is neither waited for nor blamed on the item."""
    async with Lanes(1, limits=limits, prepare=prepare) as lanes:
        with pytest.raises(CannotStart, match=message):
            await lanes.run(jobs.double, 1)
        with pytest.raises(CannotStart, match=message):
            await lanes.start()


async def test_workers_killed_at_their_start_are_tried_again(tmp_path: Path) -> None:
    """The item is not blamed; a lane whose workers were killed three times in a row says that it cannot start."""
    prepare = partial(jobs.be_killed_at_start, str(tmp_path / "log"))

    async with Lanes(1, prepare=prepare) as lanes:
        with pytest.raises(CannotStart, match="were killed"):
            await lanes.run(jobs.double, 1)

        assert await lanes.run(jobs.double, 1) == 2
        assert not lanes.deaths

        os.kill(lanes.pids[0], signal.SIGKILL)
        with pytest.raises(CannotStart, match="were killed"):
            await lanes.run(jobs.double, 1)
        assert await lanes.run(jobs.double, 1) == 2


async def test_a_worker_that_got_stuck_at_its_start_is_replaced(tmp_path: Path) -> None:
    """One that is stopped before it is ready costs its time, and nothing else."""
    prepare = partial(jobs.be_stopped_at_start, str(tmp_path / "log"))

    async with Lanes(1, limits=replace(PATIENT, start_seconds=1.5), prepare=prepare) as lanes:
        assert await lanes.run(jobs.double, 1) == 2
        assert not lanes.deaths


def end_of(pid: int) -> select.poll:
    """Something that tells when a process is gone."""
    ends = select.poll()
    ends.register(os.pidfd_open(pid))
    return ends


@pytest.mark.parametrize("ending", ["abort", "kill", "sleep", None])
async def test_what_an_item_starts_ends_with_its_worker(ending: str | None) -> None:
    """Whether the worker crashes, is killed, is ended by a timer or closes in order."""
    async with Lanes(1, limits=QUICK) as lanes:
        child = end_of(await lanes.run(jobs.start_child, None))
        if ending:
            await outcomes(lanes, jobs.fault, [ending])

    assert child.poll(2000)


@pytest.mark.both_loops
@pytest.mark.parametrize("so_far", [1, 2, 9], ids=["before they are sent", "while they are sent", "when they are sent"])
async def test_closing_does_not_wait_for_the_stuck(so_far: int) -> None:
    """Leaving the block kills what is busy at once; who still waits is told."""
    async with asyncio.timeout(10):
        async with Lanes(1, limits=PATIENT) as lanes:
            await lanes.start()
            pids = lanes.pids
            stuck = [asyncio.ensure_future(lanes.run(jobs.fault, "sleep")) for _ in range(60)]
            await turns(so_far)
        results = await asyncio.gather(*stuck, return_exceptions=True)

    assert {str(result) for result in results} == {"these lanes are closed"}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for use in (lanes.run(jobs.double, 1), lanes.start()):
        with pytest.raises(RuntimeError, match="closed"):
            await use


async def test_closing_kills_an_idle_process_that_does_not_listen() -> None:
    """An idle process is asked to end; one that was stopped is killed after the grace."""
    async with asyncio.timeout(10), Lanes(1, limits=QUICK) as lanes:
        await lanes.start()
        [pid] = lanes.pids
        os.kill(pid, signal.SIGSTOP)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_lanes_tell_their_state(lanes: Lanes) -> None:
    """The repr counts busy and idle lanes, waiting items and deaths."""
    with pytest.raises(WorkerDied):
        await lanes.run(jobs.fault, "abort")

    assert repr(lanes) == "<Lanes 0 busy, 1 idle, 0 items wait, deaths: 2 crash>"


def run_script(path: Path, text: str) -> subprocess.Popen[str]:
    """Start a script of its own, with this project on its path."""
    path.write_text("import asyncio\nfrom crawler.runtime.processes import Lanes\n" + text)
    return subprocess.Popen([sys.executable, path], env=env(), stdin=-1, stdout=-1, stderr=-1, text=True)


def env() -> dict[str, str]:
    """The environment with this project on Python's path."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    """When the parent is killed, its workers are gone within two seconds, a busy one too."""
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
