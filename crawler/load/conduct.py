"""One process's share of a load test: its connections, its loop and its progress.

Rules
- The process is ready when its connections are open; it begins at the moment that the board shows.
- A process that was ended from outside is not repeated: its figures are lost, and so is the test.
Runs on: the loop that loads, of the caller or of a worker process.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from crawler.core.errors import InternalError
from crawler.core.protocols import Pacer
from crawler.load.base_loop import Loop
from crawler.load.board_writer import BoardWriter
from crawler.load.closed_loop import ClosedLoop
from crawler.load.dial import Dialer
from crawler.load.intervals import SCRIPT_ERROR
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import nanoseconds
from crawler.load.open_loop import OpenLoop
from crawler.load.pacers import Share, Until
from crawler.load.plan import Plan, pacer
from crawler.load.progress import Progress
from crawler.load.records import LoadRecord
from crawler.load.referee import TallyBoard
from crawler.load.requests import OpenRequests
from crawler.load.schedule import Schedule
from crawler.load.shared_memory import SharedBoard
from crawler.load.tally_walk import TallyWalk
from crawler.load.users.check_board import CheckBoard
from crawler.load.users.loop import Behaviour, UserLoop
from crawler.load.users.script import load_script
from crawler.load.users.script_loop import ScriptLoop
from crawler.load.users.stages import Stay
from crawler.load.users.user import User
from crawler.runtime.clock import SystemClock
from crawler.runtime.collector import collect_less_often
from crawler.runtime.loop import Stop, raise_open_files
from crawler.runtime.loop import run as run_loop
from crawler.runtime.tasks import TaskSet
from crawler.runtime.timers import Timers

_PATIENCE = 1.0  # seconds for scripts to end
_AT_ONCE = 2  # of the board's wishes to stop


def work(job: tuple[Plan, Path]) -> LoadRecord:
    """Run one process's share on a loop of its own, in a worker process."""
    raise_open_files()

    async def main(_: Stop) -> LoadRecord:
        collect_less_often()
        return await conduct(*job)

    return run_loop(main)


async def conduct(plan: Plan, path: Path) -> LoadRecord:
    """Run one process's share on this loop, and return its record; the board of the test is at `path`."""
    with ExitStack() as stack:
        board = stack.enter_context(SharedBoard(path))
        if board.progress()[plan.index].is_ready:  # a lane repeats a lost job, but a test cannot be repeated
            raise InternalError(
                "a process of this test was ended from outside, so its figures are lost: run the test again"
            )
        requests = stack.enter_context(OpenRequests(plan))
        async with Timers() as timers, TaskSet() as tasks:
            loop = _loop(plan, requests, timers, tasks)
            watches: list[Callable[[Loop], None]] = [BoardWriter(plan.index, board, tuple(plan.login_groups.values()))]
            if plan.referee is not None:
                tallies = stack.enter_context(TallyBoard.beside(path, plan.shape.processes))
                walk = TallyWalk(plan.referee.gates, is_open=plan.is_open)
                watches.append(partial(_tell_referee, tallies, walk, plan.index))
            if isinstance(loop, ScriptLoop):
                checks = stack.enter_context(CheckBoard.beside(path))
                watches.append(lambda _: checks.tell(plan.index, loop.check_counts))
            loop.watch = partial(_look, watches)
            try:
                await _carry_out(loop, plan.index, board)
                if isinstance(loop, ScriptLoop) and board.stop < _AT_ONCE:
                    await _settle(loop)
            finally:  # cancelled: the connections must not outlive the test
                loop.stop(at_once=True)
            if await tasks.end(_PATIENCE) and isinstance(loop, ScriptLoop):
                loop.checked(SCRIPT_ERROR, "the script catches its own cancellation: write `except Exception` there")
            return LoadRecord(
                phases=loop.phases,
                groups=loop.groups,
                intervals=loop.log.closed,
                client=loop.setup.gauge.client,
                gave_up=loop.gave_up,
                logins=loop.sum_of(plan.login_groups.values(), "log-in") if plan.login is not None else None,
            )


async def _carry_out(loop: Loop, index: int, board: SharedBoard) -> None:
    """Open the connections, wait for the common start, and run the loop to its end, or until the board says stop."""
    is_open = list[bool]()
    loop.open(lambda: is_open.append(True))
    await board.until(lambda: bool(is_open or board.stop))
    if not board.stop:
        board.tell(index, Progress(is_ready=1))
        await board.until(lambda: board.begin != 0)
        is_over = asyncio.Event()
        loop.start(board.begin, is_over.set)
        await is_over.wait()


async def _settle(loop: ScriptLoop) -> None:
    """Let the scripts make the checks of their last answers; one that waits for something else is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await loop.settle()


def _loop(plan: Plan, requests: OpenRequests, timers: Timers, tasks: TaskSet) -> Loop:
    """Return the loop that carries out the plan."""
    shape, rule = plan.shape, plan.exchange
    dialers = [Dialer(one, tasks, now=timers.now, timeout=rule.timeout) for one in plan.endpoints]
    setup = LoopSetup(
        timers=timers,
        exchange=rule,
        dial=lambda connection: dialers[connection.host](connection),
        connections=plan.connections,
        spans=plan.spans,
        grace=nanoseconds(shape.grace),
        groups=plan.groups,
        hosts=len(dialers),
        draw=None if plan.is_open or plan.has_users else requests.draw(),
        requests=plan.requests,
    )
    if plan.is_open:
        return OpenLoop(setup, [_schedule(plan, requests, host) for host in range(len(dialers))])
    if plan.users.script is not None:
        script = plan.users.function or load_script(plan.users.script)
        return ScriptLoop(setup, _behaviour(plan, requests), _users(plan), script, plan.asked, tasks)
    if plan.has_users:
        return UserLoop(setup, _behaviour(plan, requests), _users(plan))
    return ClosedLoop(setup)


def _schedule(plan: Plan, requests: OpenRequests, host: int) -> Schedule:
    """Return this process's share of the schedule of one host."""
    whole: Pacer = pacer(plan.shape)
    if plan.targets and plan.targets.is_replay:
        whole = Until(requests.replay(), plan.spans[-1].end or 0)
    share = Share(whole, plan.index, plan.shape.processes)
    is_only = len(plan.endpoints) == 1
    return Schedule(share, usual=requests.usual, draw=requests.draw(), host=None if is_only else host)


def _behaviour(plan: Plan, requests: OpenRequests) -> Behaviour:
    users, login = plan.users, plan.login
    low, high = users.think_time()
    return Behaviour(
        origins=plan.origins,
        next=requests.next_of_user(),
        logins=0 if login is None else login.count // login.rows,
        login=None if login is None else requests.login,
        think=(nanoseconds(low), nanoseconds(high)),
        wall=SystemClock.wall if users.keeps_cookies else None,
    )


def _users(plan: Plan) -> list[tuple[User, list[Stay]]]:
    """Return this process's users, each with the times at which it takes part."""
    count, index = plan.shape.processes, plan.index
    numbers = range(index, plan.connections * count + index, count)
    return [(User(number, plan.shape.seed), plan.stays(number)) for number in numbers]


def _look(watches: Sequence[Callable[[Loop], None]], loop: Loop) -> None:
    """Let each watch look at a loop."""
    for watch in watches:
        watch(loop)


def _tell_referee(tallies: TallyBoard, walk: TallyWalk, index: int, loop: Loop) -> None:
    """Tell the referee what this process has counted, whenever a walk over its records has ended."""
    words = walk.step(loop.records, loop.group_names, loop.current)
    if words is not None:
        tallies.tell(index, words)
