"""runtime.lane: workers that hang, crash, run out of memory or never start."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from runtime import jobs

from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import CannotStart, Death, Limits
from support.lanes import PATIENT, QUICK, kinds, outcomes


@pytest.mark.parametrize("kind", ["loop in C", "regular expression"])
async def test_what_hangs_is_ended_at_its_wall_time(kind: str) -> None:
    """The wall time holds inside C code, without the parent's help."""
    async with asyncio.timeout(10), Lanes(1, limits=replace(PATIENT, cpu_seconds=0.3)) as lanes:
        results = await outcomes(lanes, jobs.double_unless_fault, [1, kind, 3])

    assert kinds(results) == [None, Death.TIMEOUT, None]
    assert [results[0], results[2]] == [2, 6]


async def test_a_stopped_process_is_killed_by_its_parent() -> None:
    """A process that no timer reaches ends soon after its item is due, in a batch of any size."""
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
    """The neighbours of an item come through any end of the process, and the lane has a new one."""
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


async def test_preparing_happens_once_per_process() -> None:
    """The effect of `prepare` is there when the first item comes."""
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
