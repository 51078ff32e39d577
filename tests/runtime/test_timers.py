"""runtime.timers: callbacks at a nanosecond, never early."""

import asyncio
import sys

import pytest

from crawler.runtime.timers import Timers

pytestmark = pytest.mark.both_loops

MILLISECOND = 1_000_000


async def test_callbacks_come_in_order_and_never_early() -> None:
    """Callbacks come in order of their due times, in any order of asking."""
    called: list[tuple[int, int]] = []
    over = asyncio.Event()
    async with Timers() as timers:
        start = timers.now()
        moments = [start + n * 300_000 for n in (7, 2, 9, 1, 5)]
        for moment in moments:
            timers.at(moment, lambda due: called.append((due, timers.now())))
        timers.at(start + 10 * MILLISECOND, lambda _: over.set())
        await over.wait()

    assert [due for due, _ in called] == sorted(moments)
    assert all(now >= due for due, now in called)


async def test_one_that_has_passed_is_called_and_one_may_set_the_next() -> None:
    """A callback for a past moment is called soon, also from within a callback."""
    called: list[int] = []
    over = asyncio.Event()
    async with Timers() as timers:

        def again(due: int) -> None:
            called.append(due)
            if len(called) < 5:
                timers.at(due + 1, again)
            else:
                over.set()

        timers.at(timers.now() - MILLISECOND, again)
        await over.wait()

    assert called == [called[0] + n for n in range(5)]


async def test_without_a_kernel_timer_the_loop_s_own_is_never_early_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's timer is never early either, only coarser, as on macOS."""
    monkeypatch.setattr(sys, "platform", "darwin")
    called: list[tuple[int, int]] = []
    over = asyncio.Event()
    async with Timers() as timers:
        for n in (3, 1, 2):
            timers.at(timers.now() + n * 700_000, lambda due: called.append((due, timers.now())))
        timers.at(timers.now() + 5 * MILLISECOND, lambda _: over.set())
        await over.wait()

    assert len(called) == 3
    assert all(now >= due for due, now in called)


async def test_leaving_the_block_calls_nobody_any_more() -> None:
    """Callbacks that were still to come are forgotten."""
    called: list[int] = []
    async with Timers() as timers:
        timers.at(timers.now() + MILLISECOND, called.append)
    await asyncio.sleep(0.005)

    assert called == []
