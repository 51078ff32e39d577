"""runtime.blocking: calls that block, on a thread."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler.runtime.blocking import in_thread

pytestmark = pytest.mark.both_loops


async def test_a_call_returns_and_raises_as_if_it_were_made_here() -> None:
    """The result and the error of the function are those of the wait; the thread is another one."""
    assert await in_thread(divmod, 7, 2) == (3, 1)
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_a_call_that_has_not_begun_is_not_made_once_its_wait_is_cancelled() -> None:
    """A read that comes late would move a file that is sent again."""
    loop, may_end, made = asyncio.get_running_loop(), threading.Event(), list[int]()
    loop.set_default_executor(ThreadPoolExecutor(1))
    first = asyncio.create_task(in_thread(may_end.wait, 10))
    second = asyncio.create_task(in_thread(made.append, 2))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    may_end.set()
    await first
    await in_thread(made.append, 3)

    assert made == [3]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_wait_ends_at_once_and_the_result_is_released(fails: bool) -> None:
    """A thread that still waits holds nobody up, and what it opens later is closed; its late error is no news."""
    begun, may_end = asyncio.Event(), threading.Event()
    released: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    tell: Callable[[str], object] = lambda result: loop.call_soon_threadsafe(released.put_nowait, result)  # noqa: E731

    def work() -> str:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(10)
        if fails:
            tell("failed")
            raise OSError("late")
        return "file"

    wait = asyncio.create_task(in_thread(work, discard=tell))
    await begun.wait()
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert released.empty()

    may_end.set()

    assert await released.get() == ("failed" if fails else "file")
