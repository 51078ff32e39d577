"""runtime.tasks: slots, the alarm, and tasks beside a block."""

import asyncio
import random
import time

import pytest

from crawler.runtime.tasks import Alarm, Slots, background, every, finished
from support.turns import turns

pytestmark = pytest.mark.both_loops


class Bodies:
    """Fake bodies of tasks: they note when they run and end when told to."""

    def __init__(self) -> None:
        self.running = 0
        self.peak = 0
        self.finish = asyncio.Event()

    async def run(self) -> None:
        """Be in flight until `finish`."""
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.finish.wait()
        finally:
            self.running -= 1


async def test_a_task_exists_only_in_a_slot() -> None:
    """With three slots, the fourth task waits to be born until one ends."""
    bodies = Bodies()
    async with Slots(3) as slots:
        for _ in range(3):
            await slots.acquire()
            slots.start(bodies.run)
        fourth = asyncio.ensure_future(slots.acquire())
        await turns()

        assert (slots.in_flight, slots.free, bodies.running, fourth.done()) == (3, 0, 3, False)
        assert repr(slots) == "<Slots 3 in flight, 0 of 3 free, peak 3>"

        bodies.finish.set()
        await fourth
        slots.release()
        await slots.idle()
        assert (slots.in_flight, slots.free, slots.peak) == (0, 3, 3)


async def test_leaving_waits_for_all_tasks() -> None:
    """The block ends when its last task has."""
    done = []

    async def body(number: int) -> None:
        await turns(number)
        done.append(number)

    async with Slots(2) as slots:
        for number in range(6):
            await slots.acquire()
            slots.start(body, number)

    assert sorted(done) == list(range(6))
    assert slots.peak == 2


async def test_a_task_without_a_slot_is_refused() -> None:
    """Starting without a slot is a mistake that is told."""
    bodies = Bodies()
    async with Slots(2) as slots:
        await slots.acquire()
        slots.start(bodies.run)
        with pytest.raises(RuntimeError, match="acquire"):
            slots.start(bodies.run)
        slots.cancel_all()


async def test_cancelling_all_tasks_leaves_the_block_alive() -> None:
    """Tasks are cancelled, even one that never ran, their slots come back, and the block goes on."""
    bodies = Bodies()
    async with Slots(3) as slots:
        for _ in range(2):
            await slots.acquire()
            slots.start(bodies.run)
        await turns()
        await slots.acquire()
        slots.start(bodies.run)
        slots.cancel_all()
        await slots.idle()

        assert (slots.free, bodies.running, bodies.peak) == (3, 0, 2)


async def test_the_first_error_leaves_the_block_as_itself() -> None:
    """One task's error cancels the others and the block, and is raised unwrapped, cause and all."""
    bodies = Bodies()

    async def fail() -> None:
        raise ValueError("the first") from KeyError("the cause")

    async def fail_too() -> None:
        try:
            await bodies.run()
        finally:
            raise TypeError("while being cancelled")

    async def block() -> None:
        async with slots:
            for body in (bodies.run, fail_too, fail):
                await slots.acquire()
                slots.start(body)
            await asyncio.Event().wait()

    slots = Slots(3)
    with pytest.raises(ValueError, match="the first") as caught:
        await block()

    assert isinstance(caught.value.__cause__, KeyError)
    assert (bodies.running, slots.in_flight, slots.free) == (0, 0, 3)


async def test_an_error_of_the_block_cancels_the_tasks() -> None:
    """The block's own error is the cause, whatever the tasks do about it."""
    bodies = Bodies()

    async def fail_too() -> None:
        try:
            await bodies.run()
        finally:
            raise TypeError("while being cancelled")

    async def block() -> None:
        async with Slots(1) as slots:
            await slots.acquire()
            slots.start(fail_too)
            await turns()
            raise ValueError("the block")

    with pytest.raises(ValueError, match="the block"):
        await block()
    assert bodies.running == 0


async def test_a_cancelled_block_cancels_its_tasks() -> None:
    """Cancellation from outside goes through and stays a cancellation."""
    bodies = Bodies()

    async def block() -> None:
        async with Slots(1) as slots:
            await slots.acquire()
            slots.start(bodies.run)
            await slots.acquire()

    task = asyncio.ensure_future(block())
    await turns()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert bodies.running == 0


async def test_a_cancelled_acquire_takes_no_slot() -> None:
    """Many cancellations at odd moments leave every slot free."""
    chance = random.Random(7)  # noqa: S311 - chance, not a secret
    async with Slots(3) as slots:

        async def visit() -> None:
            await slots.acquire()
            slots.start(turns, chance.randrange(4))

        for _ in range(30):
            visits = [asyncio.ensure_future(visit()) for _ in range(8)]
            await turns(chance.randrange(6))
            for task in chance.sample(visits, 4):
                task.cancel()
            await asyncio.wait(visits)
        await slots.idle()

        assert slots.free == 3
        assert slots.peak == 3


async def test_an_alarm_wakes_its_waiter() -> None:
    """Set while someone waits: that one wakes, once."""
    alarm = Alarm()
    asyncio.get_running_loop().call_soon(alarm.set)

    assert await alarm.wait() is True
    assert await alarm.wait(0.001) is False
    assert repr(alarm) == "<Alarm quiet, nobody waits>"


async def test_an_alarm_set_before_is_not_lost() -> None:
    """Set while nobody waits: the next wait returns at once; setting twice is setting once."""
    alarm = Alarm()
    alarm.set()
    alarm.set()

    assert repr(alarm) == "<Alarm set, nobody waits>"
    assert await alarm.wait() is True
    assert await alarm.wait(0) is False


async def test_an_alarm_rings_at_its_due_time() -> None:
    """Nothing happens: the wait ends when it is due."""
    began = time.monotonic()

    assert await Alarm().wait(0.02) is False
    assert time.monotonic() - began >= 0.018  # a loop may round to whole milliseconds


async def test_a_cancelled_wait_leaves_the_alarm_usable() -> None:
    """After a cancelled wait the alarm is as before."""
    alarm = Alarm()
    sleeper = asyncio.ensure_future(alarm.wait())
    await turns()
    sleeper.cancel()
    await asyncio.wait([sleeper])

    alarm.set()

    assert await alarm.wait() is True


async def test_what_runs_beside_ends_with_the_block() -> None:
    """The function runs while the block does, and is cancelled at its end."""
    bodies = Bodies()

    async with background(bodies.run):
        await turns()
        assert bodies.running == 1

    assert bodies.running == 0


async def test_a_failure_beside_ends_the_block() -> None:
    """The block is cancelled and the error is raised as itself."""

    async def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match="beside"):
        async with background(fail, "beside"):
            await asyncio.Event().wait()


async def test_an_error_of_the_block_ends_what_is_beside() -> None:
    """The block's error goes through, and nothing stays behind."""
    bodies = Bodies()

    async def block() -> None:
        async with background(bodies.run):
            await turns()
            raise KeyError

    with pytest.raises(KeyError):
        await block()
    assert bodies.running == 0


async def test_a_function_is_called_again_and_again() -> None:
    """Calls come one after another until the block ends."""
    calls = asyncio.Semaphore(0)

    async with background(every, 0.001, calls.release):
        for _ in range(3):
            await calls.acquire()


async def test_an_error_of_a_periodic_call_ends_the_block() -> None:
    """A sample that cannot be taken is not ignored."""

    def sample() -> None:
        raise ValueError("no sample")

    with pytest.raises(ValueError, match="no sample"):
        async with background(every, 0.001, sample):
            await asyncio.Event().wait()


async def test_work_that_is_finished_gives_its_result_or_its_error() -> None:
    """Without a cancellation it is an await."""

    async def work(number: int) -> int:
        await turns(2)
        return 1 // number

    assert await finished(work(1), lambda: True) == 1
    with pytest.raises(ZeroDivisionError):
        await finished(work(0), lambda: True)


@pytest.mark.parametrize(("ends", "cancels", "marks"), [(True, 1, ["end"]), (False, 1, []), (True, 2, [])])
async def test_work_ends_in_order_unless_it_cannot_or_is_cancelled_twice(
    *, ends: bool, cancels: int, marks: list[str]
) -> None:
    """The waiter is cancelled in either case, and the work is over then."""
    asked, seen, over = asyncio.Event(), list[str](), list[str]()

    async def work() -> None:
        try:
            await asked.wait()
            await turns(3)
            seen.append("end")
        finally:
            over.append("over")

    def ask() -> bool:
        asked.set()
        return ends

    waiter = asyncio.ensure_future(finished(work(), ask))
    for _ in range(cancels):
        await turns(2)
        waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert (seen, over) == (marks, ["over"])


async def test_an_error_after_the_cancellation_is_not_left_without_a_reader() -> None:
    """The cancellation has the last word."""
    asked = asyncio.Event()

    async def work() -> None:
        await asked.wait()
        raise KeyError

    def ask() -> bool:
        asked.set()
        return True

    waiter = asyncio.ensure_future(finished(work(), ask))
    await turns(2)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
