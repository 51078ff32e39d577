"""The processes that send: they live through one test or through many, such as the windows of a capacity search.

Rule: all processes begin a test at one moment and share one schedule: process i of k has every k-th request of it.
Runs on: the main thread and its loop; the work runs in the processes.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from crawler.load.conduct import work
from crawler.load.config import ShapeConfig
from crawler.load.plan import Plan
from crawler.load.records import LoadRecord
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.supervise import Steering, supervise
from crawler.runtime.loop import Stop
from crawler.runtime.loop import run as run_loop
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import Limits

T = TypeVar("T")

_LONGEST = 30 * 24 * 3600.0  # seconds, for a test without a duration
_MEMORY = 4 << 30


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder, which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="crawler-load-") as folder:
        yield Path(folder)


def run_until_signal(shape: ShapeConfig, work: Callable[[Stop], Awaitable[T]]) -> tuple[T, int | None]:
    """Run this on a loop of its own; return its result, and the signal that ended it early, if one did.

    `shape` is that of the tests that it sends: their grace and their timeout are what a stop may take.
    """

    async def main(stop: Stop) -> tuple[T, int | None]:
        return await work(stop), stop.signal

    return run_loop(main, drain_seconds=shape.grace + shape.timeout)


class LoadProcesses:
    """`count` processes that send, as a context manager; each `await processes.test(setup, plan)` is one test."""

    def __init__(self, count: int) -> None:
        self._count = count

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._board = stack.enter_context(scratch_folder()) / "board"
            limits = Limits(cpu_seconds=_LONGEST, memory_bytes=_MEMORY)
            self._lanes = await stack.enter_async_context(Lanes(self._count, limits=limits, batch=1))
            await self._lanes.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def test(self, asked: LoadSetup, plan: Plan, steering: Steering | None = None) -> LoadResult:
        """Run one test and return its result."""
        return await supervise(asked, plan, self._board, self._send, steering or Steering())

    async def _send(self, plan: Plan, board: Path) -> LoadRecord:
        return await self._lanes.run(work, (plan, board))
