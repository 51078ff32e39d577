import asyncio
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.runtime.tasks import Account, Alarm, ByteBudget, Slots, background, every

pytestmark = pytest.mark.both_loops


async def turns(count: int = 5) -> None:
    """Let everyone else who can go on, go on."""
    for _ in range(count):
        await asyncio.sleep(0)


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


# Slots


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


# ByteBudget


def waiting(account: Account, size: int) -> "asyncio.Future[float]":
    """An account that asks in a task of its own."""
    return asyncio.ensure_future(account.grow(size))


async def test_growing_within_the_limit_does_not_wait() -> None:
    """What fits is granted at once."""
    budget = ByteBudget(100)
    account = budget.open()

    assert await account.grow(60) == 0.0
    assert (account.held, budget.used) == (60, 60)
    assert repr(budget) == "<ByteBudget 60 of 100 bytes used, 1 receiving, 0 waiting>"


async def test_the_oldest_may_overdraw_and_others_wait() -> None:
    """The oldest account passes the limit; a younger one waits for its bytes, and learns how long."""
    budget = ByteBudget(100)
    oldest, younger = budget.open(), budget.open()
    await oldest.grow(60)
    await younger.grow(40)

    await oldest.grow(50)
    growing = waiting(younger, 10)
    await turns()
    assert (budget.used, budget.waiting, growing.done()) == (150, 1, False)

    oldest.close()
    assert await growing > 0
    assert (budget.used, younger.held) == (50, 50)


async def test_what_has_come_counts_at_once() -> None:
    """Bytes that are in memory already count past the limit, while their account waits for room like any other."""
    budget = ByteBudget(100)
    oldest, younger, youngest = budget.open(), budget.open(), budget.open()
    await oldest.grow(90)

    growing = [asyncio.ensure_future(younger.grow(50, 30)), asyncio.ensure_future(youngest.grow(20, 20))]
    await turns()
    assert (budget.used, younger.held, youngest.held) == (140, 30, 20)
    assert not any(grown.done() for grown in growing)

    oldest.close()
    assert all(waited > 0 for waited in await asyncio.gather(*growing))
    assert (budget.used, younger.held, youngest.held) == (70, 50, 20)


async def test_seniority_passes_on_when_the_bytes_of_the_elder_are_gone() -> None:
    """A settled account hands on its seniority, but only its end lets the next one pass the limit."""
    budget = ByteBudget(100)
    first, second = budget.open(), budget.open()
    await first.grow(120)
    growing = waiting(second, 150)

    first.settle()
    await turns()
    assert not growing.done()

    first.close()
    await growing
    assert budget.used == 150


async def test_waiters_are_served_oldest_first_and_nobody_overtakes() -> None:
    """A small wish behind a large one waits its turn, even if it would fit."""
    budget = ByteBudget(100)
    oldest, second, third = budget.open(), budget.open(), budget.open()
    await oldest.grow(90)
    large = waiting(second, 20)
    await turns()
    small = waiting(third, 5)
    await turns()
    assert (large.done(), small.done()) == (False, False)

    oldest.hold(80)
    await large
    assert (second.held, small.done()) == (20, False)

    oldest.close()
    await small
    assert budget.used == 25


async def test_a_settled_account_never_waits() -> None:
    """What is on its way out is not held up: its end is what frees bytes."""
    budget = ByteBudget(10)
    oldest, leaving = budget.open(), budget.open()
    await oldest.grow(10)
    leaving.settle()

    assert await leaving.grow(5) == 0.0
    leaving.close()
    assert budget.used == 10


async def test_closing_twice_gives_back_once() -> None:
    """An account may be closed by more than one hand."""
    budget = ByteBudget(10)
    account = budget.open()
    await account.grow(5)

    account.close()
    account.close()

    assert (budget.used, account.held) == (0, 0)


async def test_a_cancelled_wait_leaves_nothing_and_wakes_the_next() -> None:
    """A cancelled wish holds no bytes, and the smaller one behind it is served."""
    budget = ByteBudget(100)
    oldest, second, third = budget.open(), budget.open(), budget.open()
    await oldest.grow(90)
    large, small = waiting(second, 50), waiting(third, 10)
    await turns()

    large.cancel()
    await small

    assert (second.held, third.held, budget.used, budget.waiting) == (0, 10, 100, 0)


async def test_a_wait_granted_and_cancelled_in_one_turn_leaves_nothing() -> None:
    """Bytes that were granted to someone who was cancelled before waking go to the next."""
    budget = ByteBudget(100)
    oldest, second, third = budget.open(), budget.open(), budget.open()
    await oldest.grow(100)
    granted, behind = waiting(second, 60), waiting(third, 60)
    await turns()

    oldest.hold(40)
    granted.cancel()
    await behind

    assert (second.held, third.held, budget.used) == (0, 60, 100)


Sizes = st.lists(st.integers(1, 40), max_size=5)


@given(st.lists(st.tuples(Sizes, st.integers(0, 3), st.booleans()), max_size=12), st.integers(1, 100))
def test_the_budget_neither_locks_nor_leaks(plans: list[tuple[list[int], int, bool]], limit: int) -> None:
    """Any holders, growing, settling and cancelled at any time: all end, nothing is left, one at most overdraws."""
    asyncio.run(hold(plans, limit))


async def hold(plans: list[tuple[list[int], int, bool]], limit: int) -> None:
    """Each plan is one account's: sizes to grow by, turns to linger once settled, whether it is cancelled."""
    budget = ByteBudget(limit)
    overdraft = max((sum(sizes) for sizes, _, _ in plans), default=0)

    async def holder(sizes: list[int], lingers: int) -> None:
        account = budget.open()
        try:
            for size in sizes:
                await account.grow(size)
                assert budget.used <= limit + overdraft
                await asyncio.sleep(0)
            account.settle()
            await turns(lingers)
        finally:
            account.close()

    async with asyncio.timeout(5):
        tasks = [asyncio.ensure_future(holder(sizes, lingers)) for sizes, lingers, _ in plans]
        for task, (sizes, _, is_cancelled) in zip(tasks, plans, strict=True):
            if is_cancelled:
                await turns(len(sizes))
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
    assert (budget.used, budget.waiting) == (0, 0)
    assert "0 receiving" in repr(budget)


# Alarm


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


# background and every


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
    """What cannot be sampled is not ignored."""

    def sample() -> None:
        raise ValueError("no sample")

    with pytest.raises(ValueError, match="no sample"):
        async with background(every, 0.001, sample):
            await asyncio.Event().wait()
