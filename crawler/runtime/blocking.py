"""A call that blocks, on a thread of the event loop's own pool.

Why this model: reading a user's file has no non-blocking form, and such calls are few and belong to nothing else. The
thread of the run's storage (`threads.py`) is for one owner's files, in order.
Rules
- A wait that is cancelled ends at once. A call that has not begun is not made; one that has goes on, since a thread
  cannot be stopped, and its result is discarded.
- A result that has to be released, such as an open file, goes to `discard` then.
Runs on: the event loop, and threads of its default executor.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(func: Callable[[*Ts], T], *args: *Ts, discard: Callable[[T], object] = lambda _result: None) -> T:
    """Return `func(*args)`, called on a thread; `discard` gets the result if the wait was cancelled, on any thread."""
    results: list[T] = []
    is_left = False

    def call() -> None:
        if is_left:
            return
        results.append(func(*args))
        if is_left:
            release()

    def release() -> None:
        with suppress(IndexError):  # the loop and the thread may come here at once, and one of them finds it
            discard(results.pop())

    running = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        is_left = True
        release()
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # its error has no reader
        raise
    return results.pop()


async def in_thread_to_the_end(func: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return `func(*args)`, called on a thread; a wait that is cancelled lasts until the call has ended, too.

    For calls that end soon, and work on something that the caller frees afterwards.
    """
    running = asyncio.get_running_loop().run_in_executor(None, func, *args)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.cancelled() or running.exception()  # which has no reader
        raise
