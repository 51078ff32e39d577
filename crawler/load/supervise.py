"""A load test while it runs: its shares begin together, and it is shown, judged, and ended early where that is asked.

Rules
- The same code supervises shares in processes of their own and the one share of the caller's loop.
- A test that is stopped early has a result like any other, of the requests until then, marked as interrupted.
Runs on: the loop of the caller, which may be the one that loads.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from crawler.load.intervals import merge_intervals
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.plan import Plan
from crawler.load.progress import Progress
from crawler.load.records import LoadRecord, added, merge_groups, merge_phases
from crawler.load.referee import TallyBoard
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.shared_memory import SharedBoard
from crawler.load.targets.groups import MOST, OTHER
from crawler.load.users.check_board import CheckBoard
from crawler.load.verdict import judge
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import Slots, background, every
from crawler.runtime.timers import Timers

_SOON = 20 * MILLISECOND  # from the moment that all shares are ready to the start
_JUDGED = 0.25  # seconds between two looks of the referee

Show = Callable[[float, Progress], None]
"""A display, called with the seconds since the start and the progress of all processes."""

Sender = Callable[[Plan, Path], Awaitable[LoadRecord]]
"""A function that sends one share of a test, whose board is at that path."""


def show_nothing(_seconds: float, _progress: Progress) -> None:
    """Show nothing."""


@dataclass(slots=True, kw_only=True)
class Steering:
    """The wishes of the caller for a test that runs.

    Attributes:
        stop: ends the test early.
        show: called every `seconds`; an error of it ends the test, and is raised.
        has_begun: requests are sent, so that a test that is stopped has a result.
    """

    stop: Stop = field(default_factory=Stop)
    show: Show = show_nothing
    seconds: float = 1.0
    has_begun: bool = False


async def supervise(asked: LoadSetup, plan: Plan, path: Path, send: Sender, steering: Steering) -> LoadResult:
    """Run all shares of a test and return its result; the board of the test is made at `path`."""
    stop, records, aborted_by = steering.stop, list[LoadRecord](), list[str]()
    count = plan.shape.processes
    async with AsyncExitStack() as stack:
        board = stack.enter_context(SharedBoard.make(path, count))
        is_script = plan.users.script is not None
        checks = stack.enter_context(CheckBoard.make(path, count)) if is_script else None

        async def one(index: int) -> None:
            records.append(await send(replace(plan, index=index), path))

        def look() -> None:
            if board.begin:
                progress = Progress.total(board.progress())
                progress.checks = {} if checks is None else checks.totals()
                steering.show(max(0, Timers.now() - board.begin) / 1e9, progress)

        async def forward() -> None:
            """Forward the user's wish to stop to the processes."""
            await stop.wait_draining()
            board.stop = 1
            await stop.wait_cancelled()
            board.stop = 2

        await stack.enter_async_context(background(forward))
        await stack.enter_async_context(background(every, steering.seconds, look))
        if (referee := plan.referee) is not None:
            tallies = stack.enter_context(TallyBoard.make(path, len(referee.gates), count))

            def judge_so_far() -> None:
                """End the test when a threshold is lost."""
                elapsed = (Timers.now() - board.begin) / 1e9 if board.begin else 0.0
                gate = referee.lost(tallies.rows(), elapsed) if elapsed > 0 and not board.stop else None
                if gate is not None:
                    aborted_by.append(gate.text)
                    board.stop = 1

            await stack.enter_async_context(background(every, _JUDGED, judge_so_far))
        async with Slots(count) as slots:
            for index in range(count):
                await slots.acquire()
                slots.start(one, index)
            await board.until(lambda: all(row.is_ready for row in board.progress()) or len(records) == count)
            steering.has_begun = True
            board.begin = Timers.now() + _SOON
    return result_of(asked, records, interrupted=stop.draining, aborted_by=aborted_by[0] if aborted_by else None)


def result_of(
    asked: LoadSetup, records: list[LoadRecord], *, interrupted: bool, aborted_by: str | None = None
) -> LoadResult:
    """Merge the records of all processes, and return their result with its verdict."""
    phases = merge_phases([record.phases for record in records])
    clients = [record.client for record in records]
    shares = [record.logins for record in records if record.logins is not None]
    logins = added(shares, "log-in") if shares else None
    verdict, because, advice = judge(asked, phases, clients, logins)
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
        groups=tuple(merge_groups([record.groups for record in records], MOST, OTHER)),
        logins=logins,
        intervals=tuple(merge_intervals(record.intervals for record in records)),
    )
