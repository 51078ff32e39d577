"""The processes that send: they live through one test or through many, such as the windows of a capacity search.

Rules
- All processes begin a test at one moment and share one schedule: process i of k has every k-th request of it.
- A test that is stopped early has a result like any other, of the requests until then, marked as interrupted.
Runs on: the main thread and its loop; the work runs in the processes.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.load.conduct import work
from crawler.load.intervals import merge_intervals
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.plan import Plan
from crawler.load.progress import Progress
from crawler.load.records import LoadRecord, merge_groups, merge_phases
from crawler.load.referee import TallyBoard
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.shared_memory import SharedBoard
from crawler.load.verdict import judge
from crawler.runtime.loop import Stop
from crawler.runtime.processes import Lanes
from crawler.runtime.tasks import Slots, background, every
from crawler.runtime.timers import Timers
from crawler.runtime.worker_lane import Limits

_SOON = 20 * MILLISECOND  # from the moment that all processes are ready to the start
_JUDGED = 0.25  # seconds between two looks of the referee
_LONGEST = 30 * 24 * 3600.0  # seconds, for a test without a duration
_MEMORY = 4 << 30

Show = Callable[[float, Progress], None]
"""A display, called with the seconds since the start and the progress of all processes."""


def show_nothing(_seconds: float, _progress: Progress) -> None:
    """Show nothing."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder, which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="crawler-load-") as folder:
        yield Path(folder)


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

    async def test(
        self, asked: LoadSetup, plan: Plan, *, stop: Stop | None = None, show: Show = show_nothing, seconds: float = 1.0
    ) -> LoadResult:
        """Run one test and return its result; `show` is called every `seconds`, and `stop` ends the test early."""
        stop, records, aborted_by = stop or Stop(), list[LoadRecord](), list[str]()
        async with AsyncExitStack() as stack:
            board = stack.enter_context(SharedBoard.make(self._board, self._count))

            async def one(index: int) -> None:
                records.append(await self._lanes.run(work, (replace(plan, index=index), self._board)))

            def look() -> None:
                if board.begin:
                    show(max(0, Timers.now() - board.begin) / 1e9, Progress.total(board.progress()))

            async def forward() -> None:
                """Forward the user's wish to stop to the processes."""
                await stop.wait_draining()
                board.stop = 1
                await stop.wait_cancelled()
                board.stop = 2

            await stack.enter_async_context(background(forward))
            await stack.enter_async_context(background(every, seconds, look))
            if (referee := plan.referee) is not None:
                tallies = stack.enter_context(TallyBoard.make(self._board, len(referee.gates), self._count))

                def judge_so_far() -> None:
                    """End the test when a threshold is lost."""
                    elapsed = (Timers.now() - board.begin) / 1e9 if board.begin else 0.0
                    gate = referee.lost(tallies.rows(), elapsed) if elapsed > 0 and not board.stop else None
                    if gate is not None:
                        aborted_by.append(gate.text)
                        board.stop = 1

                await stack.enter_async_context(background(every, _JUDGED, judge_so_far))
            async with Slots(self._count) as slots:
                for index in range(self._count):
                    await slots.acquire()
                    slots.start(one, index)
                await board.until(lambda: all(row.is_ready for row in board.progress()) or len(records) == self._count)
                board.begin = Timers.now() + _SOON
        return result_of(asked, records, interrupted=stop.draining, aborted_by=aborted_by[0] if aborted_by else None)


def result_of(
    asked: LoadSetup, records: list[LoadRecord], *, interrupted: bool, aborted_by: str | None = None
) -> LoadResult:
    """Merge the records of all processes, and return their result with its verdict."""
    phases = merge_phases([record.phases for record in records])
    clients = [record.client for record in records]
    verdict, because, advice = judge(asked, phases, clients)
    return LoadResult(
        asked=asked,
        phases=tuple(phases),
        clients=tuple(clients),
        verdict=verdict,
        because=because,
        advice=advice,
        interrupted=interrupted,
        aborted_by=aborted_by,
        gave_up=all(record.gave_up for record in records),
        groups=tuple(merge_groups([record.groups for record in records])),
        intervals=tuple(merge_intervals(record.intervals for record in records)),
    )
