"""runtime.threads: one thread that works in groups, and how it fails and ends."""

import asyncio
import random
import threading

import pytest

from crawler.runtime.tasks import background
from crawler.runtime.threads import LINGER, GroupThread, InboxBounds
from support.disk import Disk
from support.turns import turns

pytestmark = [pytest.mark.both_loops, pytest.mark.usefixtures("no_thread_is_left")]


MANY = InboxBounds(max_items=10**6)


async def test_items_are_worked_on_in_order_on_one_thread() -> None:
    """All items, in the order of `put`, on the named thread; `done` hears of each group before a flush returns."""
    disk = Disk()
    told: list[int] = []

    async with GroupThread(disk.work, done=told.append, name="disk") as thread:
        for number in range(1000):
            await thread.put(number)
        await thread.flush()

        assert sum(told) == 1000
        assert thread.depth == 0

    assert disk.items == list(range(1000))
    assert disk.threads == {"disk"}


async def test_a_group_is_whatever_waits() -> None:
    """While the thread is busy with the first item, the others gather to one group, up to its bounds."""
    disk = Disk(is_open=False)
    bounds = InboxBounds(group_items=4, group_bytes=100)

    async with GroupThread(disk.work, weigh=abs, bounds=bounds) as thread:
        await thread.put(0)
        await disk.began.wait()
        for weight in (1, 2, 3, 4, 60, 50, 500, 7, 8):
            await thread.put(weight)
        disk.gate.release(100)

    assert disk.groups == [[0], [1, 2, 3, 4], [60], [50], [500], [7, 8]]


async def test_an_item_that_lingers_waits_for_company() -> None:
    """Lingering items make one group with the next item that does not, in order; alone they wait LINGER seconds."""
    disk = Disk()
    worked = asyncio.Event()

    async with GroupThread(disk.work, done=lambda _: worked.set()) as thread:
        thread.put_nowait(1, lingers=True)
        await thread.put(2, lingers=True)
        assert disk.groups == []
        await thread.put(3)
        await thread.flush()
        assert disk.groups == [[1, 2, 3]]

        worked.clear()
        began = asyncio.get_running_loop().time()
        thread.put_nowait(4, lingers=True)
        await worked.wait()

    assert round(asyncio.get_running_loop().time() - began, 3) >= LINGER  # uvloop counts milliseconds
    assert disk.groups == [[1, 2, 3], [4]]


async def test_a_group_of_lingering_items_is_enough_company() -> None:
    """A full group of them wakes the thread, and the end of the block waits for no other item."""
    disk = Disk()

    async with GroupThread(disk.work, bounds=InboxBounds(group_items=3)) as thread:
        for item in range(3):
            thread.put_nowait(item, lingers=True)
        await asyncio.sleep(LINGER / 2)
        assert disk.groups == [[0, 1, 2]]
        thread.put_nowait(3, lingers=True)

    assert disk.groups == [[0, 1, 2], [3]]


async def test_a_call_takes_its_turn() -> None:
    """A function runs on the thread after what was put before it and before what was put after it."""
    disk = Disk(is_open=False)

    async with GroupThread(disk.work) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(1)
        call = asyncio.ensure_future(thread.call(lambda word: (word, disk.items), "so far"))
        await turns()
        await thread.put(2)
        disk.gate.release(100)

        assert await call == ("so far", [0, 1])

    assert disk.groups == [[0], [1], [2]]


async def test_an_error_of_a_call_is_its_callers() -> None:
    """The caller gets it; the thread goes on."""
    disk = Disk()

    async with GroupThread(disk.work) as thread:
        with pytest.raises(ZeroDivisionError):
            await thread.call(divmod, 1, 0)
        await thread.put(1)

    assert disk.items == [1]


async def test_a_call_that_is_cancelled_in_time_does_not_run() -> None:
    """A call whose caller has gone is skipped."""
    disk = Disk(is_open=False)
    ran: list[str] = []

    async with GroupThread(disk.work) as thread:
        await thread.put(0)
        await disk.began.wait()
        call = asyncio.ensure_future(thread.call(ran.append, "it ran"))
        await turns()
        call.cancel()
        await turns()
        disk.gate.release(100)

    assert ran == []


async def test_a_failure_wakes_everyone_with_the_same_error() -> None:
    """A failure of the work is raised by every put, call, flush and watch, waiting or later, and by the block."""
    disk = Disk(is_open=False)
    disk.error = OSError("the disk is full")
    last: list[str] = []

    told: list[object] = []
    thread = GroupThread(disk.work, last=lambda: last.append("word"), bounds=InboxBounds(max_items=1))

    async def block() -> None:
        async with thread:
            await thread.put(0)
            await disk.began.wait()
            await thread.put(1)
            waiters = [thread.put(2), thread.call(int), thread.flush(), thread.watch()]
            waiting = asyncio.gather(*waiters, return_exceptions=True)
            await turns()
            disk.gate.release(100)
            told.extend(await waiting)
            told.extend(await asyncio.gather(thread.put(3), thread.call(int), return_exceptions=True))

    with pytest.raises(OSError, match="full") as left:
        await block()

    assert [error is disk.error for error in told] == [True] * 6
    assert left.value is disk.error
    assert "failed: OSError" in repr(thread)
    assert disk.items == []
    assert last == ["word"]


async def test_a_failure_ends_a_block_that_watches() -> None:
    """A block that waits for something else is cancelled by its watch, and raises the error once, as itself."""
    disk = Disk()
    disk.error = OSError("the disk is full")

    async def block() -> None:
        async with GroupThread(disk.work) as thread, background(thread.watch):
            await thread.put(0)
            await asyncio.Event().wait()

    with pytest.raises(OSError, match="full"):
        await block()


@pytest.mark.parametrize("where", ["done", "last"])
async def test_a_failure_around_the_work_counts_as_the_works(where: str) -> None:
    """An error of `done` or `last` leaves the block, too."""

    def fail(*_: object) -> None:
        raise KeyError(where)

    disk = Disk()
    done, last = (fail, int) if where == "done" else (bool, fail)
    with pytest.raises(KeyError, match=where):
        async with GroupThread(disk.work, done=done, last=last) as thread:
            await thread.put(0)

    assert disk.items == [0]


async def test_the_last_word_is_spoken_on_the_thread() -> None:
    """`last` runs after all work, on the same thread: what was opened there can be closed there."""
    disk = Disk()
    words: list[tuple[str, list[int]]] = []

    async with GroupThread(
        disk.work, last=lambda: words.append((threading.current_thread().name, disk.items)), name="disk"
    ) as thread:
        await thread.put(1)

    assert words == [("disk", [1])]


@pytest.mark.parametrize("how", ["error", "cancellation"])
async def test_what_was_accepted_is_worked_on_whatever_happens(how: str) -> None:
    """A block that fails, or is cancelled again and again, still leaves only when the inbox is empty."""
    disk = Disk(is_open=False)

    async def block() -> None:
        async with GroupThread(disk.work, bounds=MANY) as thread:
            for number in range(100):
                await thread.put(number)
            if how == "error":
                raise KeyError
            await asyncio.Event().wait()

    task = asyncio.ensure_future(block())
    await disk.began.wait()
    for _ in range(3):
        if how == "cancellation":
            task.cancel()
        await turns()
    assert not task.done()
    disk.gate.release(100)
    [result] = await asyncio.gather(task, return_exceptions=True)

    assert isinstance(result, KeyError if how == "error" else asyncio.CancelledError)
    assert disk.items == list(range(100))


async def test_after_the_block_nothing_is_taken() -> None:
    """A put that still waits for room when the block ends, and every later one, are refused."""
    disk = Disk(is_open=False)
    async with GroupThread(disk.work, bounds=InboxBounds(max_items=1)) as thread:
        await thread.put(0)
        await disk.began.wait()
        await thread.put(1)
        late = asyncio.ensure_future(thread.put(2))
        await turns()
        asyncio.get_running_loop().call_later(0.01, disk.gate.release, 100)

    with pytest.raises(RuntimeError, match="takes nothing"):
        await late
    with pytest.raises(RuntimeError, match="takes nothing"):
        await thread.call(int)
    assert disk.items == [0, 1]


async def test_many_senders_lose_and_double_nothing() -> None:
    """Senders of all weights, some cancelled: each one's order is kept, and what was accepted is worked on once."""
    chance = random.Random(11)  # noqa: S311 - chance, not a secret
    disk = Disk()
    bounds = InboxBounds(max_items=7, max_bytes=40, group_items=5, group_bytes=30)
    accepted: list[int] = []

    async def send(start: int) -> None:
        for number in range(start, start + 100):
            await thread.put(number)
            accepted.append(number)

    async with GroupThread(disk.work, weigh=lambda number: number % 17, bounds=bounds) as thread:
        senders = [asyncio.ensure_future(send(1000 * sender)) for sender in range(12)]
        for unlucky in senders[:4]:
            await turns(chance.randrange(40))
            unlucky.cancel()
        calls = [await thread.call(len, "four") for _ in range(20)]
        await asyncio.wait(senders)

    assert calls == [4] * 20
    assert sorted(disk.items) == sorted(accepted)
    assert len(set(disk.items)) == len(disk.items) >= 800
    for sender in range(12):
        own = [number for number in disk.items if number // 1000 == sender]
        assert own == sorted(own)
    assert all(len(group) <= 5 for group in disk.groups)
