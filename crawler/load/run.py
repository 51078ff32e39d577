"""A load test from its options to its result: in this loop, or in processes of its own.

Rules
- The command line loads from other processes, so that neither its display nor its own work delays a request; the
  library loads on the caller's loop, unless it is asked for several processes.
- All processes begin at one moment and share one schedule: process i of k has every k-th request of it.
- Stopping early is an end like every other: what was measured so far is the result, marked as interrupted.
Runs on: the main thread and its loop; `work` in a worker process.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from crawler.core.errors import InternalError
from crawler.core.options import check_names, in_keywords, keywords_of
from crawler.load.closed_loop import ClosedLoop
from crawler.load.config import LOAD_OPTIONS, LoadConfig, configure_load
from crawler.load.dial import Dialer
from crawler.load.gauges import Gauge
from crawler.load.loop import Loop, LoopParts
from crawler.load.nanoseconds import MILLISECOND, nanoseconds
from crawler.load.open_loop import OpenLoop
from crawler.load.pacers import Share
from crawler.load.plan import Plan, pacer, prepare, spans
from crawler.load.quantiles import quantile
from crawler.load.records import LoadRecord, merge_phases
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.shared_memory import Progress, SharedBoard
from crawler.load.verdict import judge
from crawler.runtime.lane import Limits
from crawler.runtime.loop import Stop, collect_less_often, raise_open_files
from crawler.runtime.loop import run as run_loop
from crawler.runtime.processes import Lanes
from crawler.runtime.tasks import Slots, TaskSet, background, every
from crawler.runtime.timers import Timers

_SOON = 20 * MILLISECOND  # between "all are ready" and the start
_PERCENTILES = 20  # watches between two looks at percentiles: about a second
_LONGEST = 30 * 24 * 3600.0  # seconds, for a test without a duration
_MEMORY = 4 << 30
_KEYWORDS = keywords_of(LOAD_OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment of a running test, for whoever shows it; sums over all processes, times in seconds."""

    seconds: float
    progress: Progress


Show = Callable[[Moment], None]


async def load_test(url: str, **options: object) -> LoadResult:
    """Load-test a server of this machine and give the result; every option of `crawler load` is a keyword.

    `rate=500, duration=10`, `connections=64, requests=100_000`, `stages="10s:100,30s:1000"`, `expect_status="200"`...
    It runs on the caller's loop: what else runs there shows as the client's own share. With `processes=2` it runs in
    worker processes, and Python's usual rule for scripts that start some applies: `if __name__ == "__main__":`.

    Raises:
        UsageError: an option is impossible.
        TargetRefused: the target is not this machine.
    """
    check_names(options, _KEYWORDS.values(), "load_test")
    with in_keywords(_KEYWORDS):
        config = configure_load({name.replace("_", "-"): value for name, value in options.items()})
        asked, plan = await prepare(url, config)
        if config.shape.processes > 1:
            return await _in_processes(asked, plan, Stop(), lambda _: None, 1.0)
        record, gave_up = await conduct(plan)
        return _result(asked, [(record, gave_up)], interrupted=False)


def run(url: str, config: LoadConfig, show: Show, seconds: float) -> tuple[LoadResult, int | None]:
    """Carry a test out in processes of its own; gives the result and the signal that ended it early, if one did.

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
    answers: list[tuple[LoadRecord, bool]] = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crawler-load-"))
        path = Path(folder) / "board"
        board = stack.enter_context(SharedBoard.make(path, count))
        lanes = await stack.enter_async_context(Lanes(count, limits=limits, batch=1))
        await lanes.start()

        async def one(index: int) -> None:
            answers.append(await lanes.run(work, (replace(plan, index=index), path)))

        await stack.enter_async_context(background(_pass_on, stop, board))
        await stack.enter_async_context(background(every, seconds, partial(_look, board, show)))
        async with Slots(count) as slots:
            for index in range(count):
                await slots.acquire()
                slots.start(one, index)
            await _until(lambda: all(row.is_ready for row in board.progress()) or len(answers) == count)
            board.begin = Timers.now() + _SOON
    return _result(asked, answers, interrupted=stop.draining)


async def _pass_on(stop: Stop, board: SharedBoard) -> None:
    """Tell the processes what the user told us."""
    await stop.wait_draining()
    board.stop = 1
    await stop.wait_cancelled()
    board.stop = 2


def _look(board: SharedBoard, show: Show) -> None:
    if not board.begin:
        return
    rows = board.progress()
    total = Progress()
    for row in rows:
        for name in ("answered", "failed", "timed_out", "in_flight"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
        for name in ("lag", "p50", "p99"):
            setattr(total, name, max(getattr(total, name), getattr(row, name)))
    show(Moment(seconds=max(0, Timers.now() - board.begin) / 1e9, progress=total))


async def _until(is_true: Callable[[], bool]) -> None:
    """Wait for what another process writes on the board: nobody can wake us."""
    while not is_true():  # noqa: ASYNC110 - no event reaches from there to here
        await asyncio.sleep(0.005)


def _result(asked: LoadSetup, answers: list[tuple[LoadRecord, bool]], *, interrupted: bool) -> LoadResult:
    phases = merge_phases([record.phases for record, _ in answers])
    clients = [record.client for record, _ in answers]
    verdict, because, advice = judge(asked, phases, clients)
    return LoadResult(
        asked=asked,
        phases=tuple(phases),
        clients=tuple(clients),
        verdict=verdict,
        because=because,
        advice=advice,
        interrupted=interrupted,
        gave_up=all(gave_up for _, gave_up in answers),
    )


# One process's share


def work(job: tuple[Plan, Path]) -> tuple[LoadRecord, bool]:
    """A process's whole job."""
    plan, path = job
    raise_open_files()
    with SharedBoard(path) as board:
        if board.progress()[plan.index].is_ready:  # a lane does a lost job again, but a test cannot be done twice
            raise InternalError("a process of this test was ended from outside, and its figures are lost with it")

        async def main(_: Stop) -> tuple[LoadRecord, bool]:
            collect_less_often()
            return await conduct(plan, board)

        return run_loop(main)


async def conduct(plan: Plan, board: SharedBoard | None = None) -> tuple[LoadRecord, bool]:
    """Carry out one process's share on this loop; the record, and whether it gave up."""
    async with _assembled(plan, board) as (loop, gauge):
        try:
            await _called(loop.open)
            begin = Timers.now()
            if board is not None:
                board.tell(plan.index, Progress(is_ready=1))
                await _until(lambda: board.begin != 0)
                begin = board.begin
            await _called(partial(loop.start, begin))
        finally:  # cancelled: the connections must not outlive the test
            loop.stop(at_once=True)
        return LoadRecord(phases=loop.phases, client=gauge.client), loop.gave_up


@asynccontextmanager
async def _assembled(plan: Plan, board: SharedBoard | None) -> AsyncIterator[tuple[Loop, Gauge]]:
    async with Timers() as timers, TaskSet() as errands:
        gauge = Gauge()
        shape, answer = plan.shape, plan.exchange
        parts = LoopParts(
            timers=timers,
            exchange=answer,
            dial=Dialer(plan.endpoint, errands, now=timers.now, timeout=answer.timeout),
            connections=plan.connections,
            spans=spans(shape),
            grace=nanoseconds(shape.grace),
            requests=plan.requests,
            gauge=gauge,
            watch=_LoadWatch(plan.index, board) if board is not None else lambda _: None,
        )
        if shape.is_open:
            loop: Loop = OpenLoop(parts, Share(pacer(shape), plan.index, shape.processes))
        else:
            loop = ClosedLoop(parts)
        yield loop, gauge


async def _called(start: Callable[[Callable[[], None]], None]) -> None:
    """Wait until the callback that `start` is given has been called."""
    done = asyncio.Event()
    start(done.set)
    await done.wait()


class _LoadWatch:
    """Looks at the board some twenty times a second: shows how far we are, and stops when we are told to."""

    def __init__(self, index: int, board: SharedBoard) -> None:
        self._index = index
        self._board = board
        self._looks = 0
        self._seen = Progress(is_ready=1)

    def __call__(self, loop: Loop) -> None:
        seen = self._seen
        outcomes = [phase.outcomes for phase in loop.phases]
        seen.answered = sum(outcome["ok"] for outcome in outcomes)
        seen.failed = sum(outcome["failed"] for outcome in outcomes)
        seen.timed_out = sum(outcome["timed_out"] for outcome in outcomes)
        seen.in_flight = loop.in_flight
        lag = loop.parts.gauge.client.lag
        if self._looks % _PERCENTILES == 0:
            response = loop.phase.response if loop.is_paced else loop.phase.service()
            seen.p50, seen.p99 = (
                one.value if one else 0 for one in (quantile(response, 0.5), quantile(response, 0.99))
            )
            found = quantile(lag, 0.99) or quantile(lag, 0.5)
            seen.lag = found.value if found else 0
        self._looks += 1
        self._board.tell(self._index, seen)
        if self._board.stop:
            loop.stop(at_once=self._board.stop > 1)
