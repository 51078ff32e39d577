"""runtime.tasks.ByteBudget: bytes in memory, shared by seniority."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.runtime.tasks import Account, ByteBudget
from support.turns import turns

pytestmark = pytest.mark.both_loops


def waiting(account: Account, size: int) -> "asyncio.Future[float]":
    """An account that asks in a task of its own."""
    return asyncio.ensure_future(account.grow(size))


async def test_growing_within_the_limit_does_not_wait() -> None:
    """Bytes that fit are granted at once."""
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
    """An item on its way out is not held up: its end is what frees bytes."""
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
