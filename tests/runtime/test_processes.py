"""runtime.processes: batches of items in worker processes, and lanes that come and go."""

import asyncio
import os
import signal
from collections import Counter
from functools import partial

import pytest
from runtime import jobs

from crawler.runtime.processes import Lanes
from crawler.runtime.worker import JobError
from crawler.runtime.worker_lane import CannotStart, WorkerDied
from support.lanes import PATIENT, QUICK, kinds, outcomes
from support.turns import turns


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
    """An error of a function comes back with the worker's traceback; its neighbours in the batch do not notice."""
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


async def test_processes_can_begin_to_start_before_an_item_needs_them(two_lanes: Lanes, sizes: list[int]) -> None:
    """`begin` returns at once, twice starts nothing twice, and an item given meanwhile is done once they are ready."""
    two_lanes.begin()
    two_lanes.begin()
    was_up = two_lanes.is_up

    result = await two_lanes.run(jobs.double, 4)

    assert (was_up, two_lanes.is_up, result) == (False, True, 8)
    assert len(two_lanes.pids) == 2
    assert sizes == [0, 0, 1]


async def test_a_start_that_fails_is_over_too() -> None:
    """No item waits for lanes that cannot start: the next one gets the reason."""
    async with asyncio.timeout(10), Lanes(1, limits=PATIENT, prepare=partial(__import__, "no_such_module")) as lanes:
        lanes.begin()
        while not lanes.is_up:  # noqa: ASYNC110 - the time limit ends it
            await asyncio.sleep(0)

        with pytest.raises(CannotStart):
            await lanes.run(jobs.double, 1)
