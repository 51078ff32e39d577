"""runtime.threads: an inbox that is bounded in items and bytes, and its line of waiters."""

import asyncio

import pytest

from crawler.runtime.threads import GroupThread, InboxBounds
from support.disk import Disk
from support.turns import turns

pytestmark = [pytest.mark.both_loops, pytest.mark.usefixtures("no_thread_is_left")]


async def test_a_full_inbox_makes_put_wait() -> None:
    """At the bound of items, `put` waits until a group is taken; small control items squeeze in."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work, bounds=InboxBounds(max_items=2)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(1)
        await thread.put(2)
        third = asyncio.ensure_future(thread.put(3))
        await turns()
        thread.put_nowait(99)

        assert (third.done(), thread.depth) == (False, 3)
        assert repr(thread) == "<GroupThread 'groups' open, 3 items of 0 bytes wait, 1 more for room>"

        disk.gate.release(100)
        await third

    assert disk.groups[:2] == [[0], [1, 2, 99]]
    assert disk.items[-1] == 3


async def test_bytes_are_bounded_and_a_giant_passes_alone() -> None:
    """At the bound of bytes `put` waits; an item above the bound is accepted when nothing else waits."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work, weigh=abs, bounds=InboxBounds(max_bytes=100)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(500)
        next_one = asyncio.ensure_future(thread.put(1))
        await turns()
        assert (next_one.done(), " of 500 bytes wait" in repr(thread)) == (False, True)

        disk.gate.release(100)
        await next_one

    assert disk.groups == [[0], [500], [1]]


async def test_a_cancelled_put_hands_over_nothing() -> None:
    """It leaves the line, and a smaller item behind it goes in."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work, weigh=abs, bounds=InboxBounds(max_bytes=100)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(80)
        large = asyncio.ensure_future(thread.put(90))
        small = asyncio.ensure_future(thread.put(5))
        await turns()
        large.cancel()
        await small
        disk.gate.release(100)

    assert disk.items == [0, 80, 5]
    assert large.cancelled()


async def test_a_put_admitted_and_cancelled_in_one_turn_hands_over_nothing() -> None:
    """Room that was given to someone who was cancelled before waking goes to the next."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work, bounds=InboxBounds(max_items=2, group_items=1)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(1)
        await thread.put(2)
        unlucky, next_one = asyncio.ensure_future(thread.put(3)), asyncio.ensure_future(thread.put(4))
        await turns()
        thread._room.leave(1, 0)  # as if a group had been taken, in this very turn of the loop
        unlucky.cancel()
        await next_one
        thread._room.squeeze_in(0)
        disk.gate.release(100)

    assert unlucky.cancelled()
    assert disk.items == [0, 1, 2, 4]
    assert thread.depth == 0


async def test_nobody_overtakes_in_the_line() -> None:
    """A small item that would fit waits behind a large one that does not."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work, weigh=abs, bounds=InboxBounds(max_bytes=100)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(80)
        senders = [asyncio.ensure_future(thread.put(weight)) for weight in (90, 5)]
        await turns()
        assert [sender.done() for sender in senders] == [False, False]
        disk.gate.release(100)
        await asyncio.wait(senders)

    assert disk.items == [0, 80, 90, 5]
