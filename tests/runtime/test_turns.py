"""runtime.turns: many futures are resolved a few in each turn of the loop."""

import asyncio

import pytest

from crawler.runtime.turns import Waker

pytestmark = pytest.mark.both_loops


async def _woken_by_turn(waiters: list[asyncio.Future[None]], turns: int) -> list[int]:
    """Return how many are resolved after each turn."""
    woken = []
    for _ in range(turns):
        await asyncio.sleep(0)
        woken.append(sum(waiter.done() for waiter in waiters))
    return woken


async def test_a_turn_wakes_a_few_in_the_order_of_asking() -> None:
    """The first go on at once, the others turn by turn."""
    loop = asyncio.get_running_loop()
    waker, waiters = Waker(loop, most=3), [loop.create_future() for _ in range(8)]

    for waiter in waiters:
        waker.wake(waiter)

    assert [waiter.done() for waiter in waiters] == [True] * 3 + [False] * 5
    assert await _woken_by_turn(waiters, 3) == [6, 8, 8]


async def test_one_who_comes_late_overtakes_no_other() -> None:
    """A turn's last places belong to those that wait."""
    loop = asyncio.get_running_loop()
    waker, early, late = Waker(loop, most=2), [loop.create_future() for _ in range(5)], loop.create_future()
    for waiter in early:
        waker.wake(waiter)

    await asyncio.sleep(0)
    waker.wake(late)

    assert not late.done()
    assert await _woken_by_turn([*early, late], 1) == [6]


async def test_each_turn_begins_anew() -> None:
    """A turn may wake as many as the one before."""
    loop = asyncio.get_running_loop()
    waker = Waker(loop, most=1)

    for _ in range(3):
        waiter = loop.create_future()
        waker.wake(waiter)
        assert waiter.done()
        await asyncio.sleep(0)


async def test_one_that_was_cancelled_is_passed_over() -> None:
    """A waiter that left before its turn disturbs no other."""
    loop = asyncio.get_running_loop()
    waker, first, gone, last = Waker(loop, most=1), *(loop.create_future() for _ in range(3))
    for waiter in (first, gone, last):
        waker.wake(waiter)

    gone.cancel()

    assert await _woken_by_turn([last], 2) == [0, 1]
