"""A walk of cancellations: a coroutine is cancelled at its n-th suspension, for n = 1, 2, 3 and so on until it ends.

Rules
- After each of them there are no other tasks and no other open files than before.
- The last coroutine of the walk is left alone, and its result is returned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class _CancelledAt:
    """Awaits a coroutine in the current task, which it cancels at the n-th suspension."""

    def __init__(self, work: Coroutine[Any, Any, T], n: int) -> None:
        self.is_over = False
        self._work = work
        self._left = n

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._work.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = next(steps) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                return end.value
            thrown = None
            self._left -= 1
            if not self._left:
                self.is_over = True
                task.cancel()
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - passed on
                thrown = error


async def cancelled_everywhere(
    work: Callable[[], Coroutine[Any, Any, T]], afterwards: Callable[[], Awaitable[None]]
) -> tuple[T, int]:
    """Cancel `work()` at each of its suspensions; return the result of the last one, and the cancellations.

    `afterwards` waits until all is over that the coroutine may have left to others, such as a server.
    """
    await work()  # what is made once, such as threads and caches, is made now
    await afterwards()
    tasks, files = asyncio.all_tasks(), _open_files()
    for n in count(1):
        walk = _CancelledAt(work(), n)
        task = asyncio.ensure_future(_run(walk))
        done, _ = await asyncio.wait([task], timeout=20)
        assert done, f"it hangs after it was cancelled at its suspension {n}"
        await afterwards()
        left = {one for one in asyncio.all_tasks() - tasks if not one.done()}
        assert not left, f"cancelled at {n}: {left}"
        assert _open_files() == files, f"cancelled at {n}"
        if not walk.is_over:
            return task.result(), n - 1
        assert task.cancelled(), f"cancelled at {n}, it ended by {task}"
    raise AssertionError


async def _run(walk: _CancelledAt) -> Any:
    return await walk


def _open_files() -> list[str]:
    """Return the open files of this process but for sockets: of those the server of the test knows."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found.append(str(link.readlink()))
    return sorted(name for name in found if not name.startswith("socket:"))
