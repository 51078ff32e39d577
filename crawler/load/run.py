"""A load test from its options to its result: on this loop, or in processes of its own.

Rules
- The command line sends from other processes, so that neither its display nor its own work delays a request. The
  library sends on the caller's loop, unless it is asked for several processes.
- All processes begin at one moment and share one schedule: process i of k has every k-th request of it.
- A test that is stopped early has a result like any other, of the requests until then, marked as interrupted.
Runs on: the main thread and its loop.
"""

import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from crawler.core.keywords import by_keyword, values_of
from crawler.core.options import in_keywords
from crawler.load.conduct import conduct, work
from crawler.load.config import LOAD_OPTIONS, LoadConfig, configure_load
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.plan import Plan, prepare
from crawler.load.records import LoadRecord, merge_phases
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.shared_memory import Progress, SharedBoard
from crawler.load.verdict import judge
from crawler.runtime.loop import Stop
from crawler.runtime.loop import run as run_loop
from crawler.runtime.processes import Lanes
from crawler.runtime.tasks import Slots, background, every
from crawler.runtime.timers import Timers
from crawler.runtime.worker_lane import Limits

_SOON = 20 * MILLISECOND  # from the moment that all processes are ready to the start
_LONGEST = 30 * 24 * 3600.0  # seconds, for a test without a duration
_MEMORY = 4 << 30
_OPTIONS = by_keyword(option for name, option in LOAD_OPTIONS.items() if name != "threshold")  # of the exit code
_KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}


Show = Callable[[float, Progress], None]
"""A display, called with the seconds since the start and the progress of all processes."""


async def load_test(url: str, **options: object) -> LoadResult:
    """Load-test a server of this machine and return the result; options are those of `crawler load`.

    `rate=500, duration=10`, `headers={"X-Team": "data"}`, `connections=64, requests=100_000`,
    `stages="10s:100,30s:1000"`, `expect_status="200"`... The test runs on the caller's loop, so other work on that loop
    shows as the client's own share; with `processes=2` it runs in worker processes.

    Raises:
        UsageError: an option is impossible.
        TargetRefused: the target is not this machine.
    """
    with in_keywords(_KEYWORDS):
        config = configure_load(values_of(options, _OPTIONS, "load_test"))
        asked, plan = await prepare(url, config)
        if config.shape.processes > 1:
            return await _in_processes(asked, plan, Stop(), lambda _seconds, _progress: None, 1.0)
        return _result(asked, [await conduct(plan)], interrupted=False)


def run(url: str, config: LoadConfig, show: Show, seconds: float) -> tuple[LoadResult, int | None]:
    """Run a test in processes of its own, and return the result and the signal that ended it early, if one did.

    `show` is called every `seconds`.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """

    async def main(stop: Stop) -> tuple[LoadResult, int | None]:
        asked, plan = await prepare(url, config)
        result = await _in_processes(asked, plan, stop, show, seconds)
        return result, stop.signal

    return run_loop(main, drain_seconds=config.shape.grace + config.shape.timeout)


async def _in_processes(asked: LoadSetup, plan: Plan, stop: Stop, show: Show, seconds: float) -> LoadResult:
    count = plan.shape.processes
    limits = Limits(cpu_seconds=_LONGEST, memory_bytes=_MEMORY)
    records: list[LoadRecord] = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crawler-load-"))
        path = Path(folder) / "board"
        board = stack.enter_context(SharedBoard.make(path, count))
        lanes = await stack.enter_async_context(Lanes(count, limits=limits, batch=1))
        await lanes.start()

        async def one(index: int) -> None:
            records.append(await lanes.run(work, (replace(plan, index=index), path)))

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
        async with Slots(count) as slots:
            for index in range(count):
                await slots.acquire()
                slots.start(one, index)
            await board.until(lambda: all(row.is_ready for row in board.progress()) or len(records) == count)
            board.begin = Timers.now() + _SOON
    return _result(asked, records, interrupted=stop.draining)


def _result(asked: LoadSetup, records: list[LoadRecord], *, interrupted: bool) -> LoadResult:
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
        gave_up=all(record.gave_up for record in records),
    )
