"""Lanes: worker processes for CPU-heavy work, each of which may hang or die.

Why this model: the GIL lets one thread at a time run Python, so threads do not make computing faster; processes do,
each with a GIL of its own. The price is the trip: what goes and comes is pickled through a pipe, so small items share
one. Spawned, never forked: a fork copies locks that other threads hold and files that have one owner.
Rules
- A lane is an executor of one process. A pool of two breaks as a whole when one process dies; two pools of one do not.
- Two batches deep: while one is worked on, the next already waits in the pipe, so a worker never waits for the loop.
- A batch is what waits together; an item that waits alone travels alone, at once.
- A batch that is lost, for whatever cause, runs again item by item, each with a lane to itself. An item that is lost
  again is the culprit: `WorkerDied` for it, a new process for the lane, nothing for anyone else.
- Each item has a wall time, and the kernel's timer ends the process, even inside C code. What the timer cannot reach
  (a stopped process) is killed from here. A worker's memory is bounded. It dies with its parent.
- A worker does not import the main script, so functions must come from modules, and scripts need no `__main__` guard.
Runs on: the event loop, which should be the main thread's (the kernel ties a worker to the thread that started it).
The worker's own side is `worker.py`.
"""

import asyncio
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from crawler.runtime.tasks import Slots
from crawler.runtime.worker import OUT_OF_MEMORY, Call, Outcome, enter, greet, work

T = TypeVar("T")
R = TypeVar("R")

_DEPTH = 2
_STARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one item may cost, and how patient we are with a process that does not answer or start."""

    wall_seconds: float = 10.0
    memory_bytes: int = 1 << 30
    grace_seconds: float = 2.0
    start_seconds: float = 60.0


class Death(StrEnum):
    """How a worker died, as far as can be told."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASH = "crash"


class WorkerDied(Exception):
    """This item ended a worker process, the second time while it was alone in it."""

    def __init__(self, kind: Death) -> None:
        super().__init__(kind)
        self.kind = kind


class CannotStart(RuntimeError):
    """A worker ended, or did not answer, before it was ready for its first item."""


class _KilledAtStart(Exception):
    """Somebody killed a worker before it was ready: no item's fault, and worth another try."""


class Lanes:
    """`await lanes.run(func, item)` calls a module-level function with one item in one of `count` processes.

    Processes start when first needed, or all at once by `start`. `prepare`, a module-level function, is called once in
    each new process, outside all limits.
    """

    def __init__(
        self,
        count: int,
        *,
        limits: Limits = Limits(),
        batch: int = 16,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._lanes = [_Lane(limits, prepare) for _ in range(count)]
        self._batch = batch
        self._waiting: deque[_Job] = deque()
        self._suspects: deque[_Job] = deque()  # of batches that were lost; they go first, and alone
        self._trips: dict[asyncio.Task[None], list[_Job]] = {}
        self._is_open = False

    def __repr__(self) -> str:
        busy = sum(lane.load > 0 for lane in self._lanes)
        waiting = len(self._waiting) + len(self._suspects)
        deaths = ", ".join(f"{count} {kind}" for kind, count in self.deaths.items()) or "none"
        return f"<Lanes {busy} busy, {len(self._lanes) - busy} idle, {waiting} items wait, deaths: {deaths}>"

    @property
    def deaths(self) -> Counter[Death]:
        """Processes that died before their time, by kind; each was replaced."""
        return sum((lane.deaths for lane in self._lanes), Counter())

    @property
    def pids(self) -> list[int]:
        """The processes that live now."""
        return [lane.worker.pid for lane in self._lanes if lane.worker]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        _fail([*self._waiting, *self._suspects, *chain.from_iterable(self._trips.values())], _closed())
        for trip in self._trips:
            trip.cancel()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            async with asyncio.TaskGroup() as closing:
                for lane in self._lanes:
                    closing.create_task(lane.close(busy=lane.load > 0))

    async def start(self) -> None:
        """Start all processes now; returns when each is ready."""
        if not self._is_open:
            raise _closed()
        async with Slots(len(self._lanes)) as starting:
            for lane in self._lanes:
                await starting.acquire()
                starting.start(lane.work, [])

    async def run(self, func: Callable[[T], R], item: T) -> R:
        """Return what `func(item)` returns in a worker, or raise what it raises.

        Raises:
            WorkerDied: the item ended its process; the lanes go on.
            JobError: `func` raised something that cannot travel.
            CannotStart: no worker could be started.
            RuntimeError: the lanes are closed.
        """
        if not self._is_open:
            raise _closed()
        job = _Job(func, item, self._loop.create_future())
        self._waiting.append(job)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._dispatch)  # soon: what comes in the same turn of the loop travels together
        answer: R = await job.answer
        return answer

    def _dispatch(self) -> None:
        """Fill the lanes, emptiest first."""
        while self._is_open:
            lane = min(self._lanes, key=lambda lane: lane.load)
            if self._suspects:
                if lane.load > 0:
                    return
                self._send(lane, [self._suspects.popleft()], load=_DEPTH)
            elif self._waiting and lane.load < _DEPTH:
                self._send(lane, self._share(), load=1)
            else:
                return

    def _share(self) -> "list[_Job]":
        """A lane's share of what waits, at most a batch."""
        share = min(self._batch, math.ceil(len(self._waiting) / len(self._lanes)))
        return [self._waiting.popleft() for _ in range(share)]

    def _send(self, lane: "_Lane", jobs: "list[_Job]", *, load: int) -> None:
        wanted = [job for job in jobs if not job.answer.done()]
        if wanted:
            lane.load += load
            trip = self._group.create_task(self._trip(lane, wanted, load))
            self._trips[trip] = wanted
            trip.add_done_callback(self._trips.pop)

    async def _trip(self, lane: "_Lane", jobs: "list[_Job]", load: int) -> None:
        try:
            outcomes = await lane.work([(job.func, job.item) for job in jobs])
        except CannotStart as error:
            _fail(jobs, error)
        except _KilledAtStart:
            self._suspects.extend(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the culprit's
            if load == _DEPTH:
                _fail(jobs, WorkerDied(Death.MEMORY) if isinstance(error, MemoryError) else error)
            else:
                self._suspects.extend(jobs)
        else:
            for job, outcome in zip(jobs, outcomes, strict=True):
                job.settle(outcome)
        lane.load -= load
        self._dispatch()


@dataclass(frozen=True, slots=True)
class _Job:
    func: Callable[[Any], Any]
    item: Any
    answer: asyncio.Future[Any]

    def settle(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.fail(outcome.error)
        elif not self.answer.done():
            self.answer.set_result(outcome.value)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Lane:
    """One worker process after another, and up to two batches on their way through it; `load` counts them."""

    def __init__(self, limits: Limits, prepare: Callable[[], object] | None) -> None:
        self.load = 0
        self.deaths: Counter[Death] = Counter()
        self.worker: _Worker | None = None
        self._limits = limits
        self._prepare = prepare
        self._turn = asyncio.Lock()
        self._false_starts = 0

    async def work(self, calls: Sequence[Call]) -> list[Outcome]:
        """Do the calls in the worker; the batch before this one goes first, and only then does its time begin."""
        worker = self.worker = self.worker or _Worker(self._limits, self._prepare)
        answer = worker.send(calls)
        async with self._turn:
            try:
                return await worker.receive(answer, len(calls))
            except BrokenExecutor:
                raise await self._bury(worker) from None

    async def _bury(self, worker: "_Worker") -> Exception:
        is_first_to_tell = self.worker is worker
        if is_first_to_tell:
            self.worker = None
        cause = await worker.autopsy()
        if is_first_to_tell:
            self._count(cause)
        return _cannot_start("was killed, as those before it,") if self._false_starts >= _STARTS else cause

    def _count(self, cause: Exception) -> None:
        if isinstance(cause, WorkerDied):
            self.deaths[cause.kind] += 1
            self._false_starts = 0
        elif isinstance(cause, _KilledAtStart):
            self._false_starts += 1

    async def close(self, *, busy: bool) -> None:
        if self.worker is not None:
            await self.worker.close(at_once=busy)


class _Worker:
    """One process and its executor; when the process dies, this is over."""

    def __init__(self, limits: Limits, prepare: Callable[[], object] | None) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._answered = asyncio.Event()  # to the greeting, or died before
        self._is_ready = False
        self._is_overdue = False
        self._executor = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=enter,
            initargs=(os.getpid(), limits.memory_bytes, prepare),
        )
        # The worker inherits the blocked signal: Ctrl-C reaches all processes of a terminal, and we decide.
        with _sigint_blocked(), _main_hidden():
            greeting = self._loop.run_in_executor(self._executor, greet)
        # The executor's one process, and our copy of the end of the pipe into which it writes: with that copy open, an
        # answer of which a dying worker wrote only half would be waited for, for ever. No public way leads to either.
        self._process = next(iter(self._executor._processes.values()))  # noqa: SLF001
        self._executor._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001
        self._patience = self._loop.call_later(limits.start_seconds, self._kill_overdue)
        greeting.add_done_callback(self._meet)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def send(self, calls: Sequence[Call]) -> asyncio.Future[list[Outcome]]:
        try:
            answer = self._loop.run_in_executor(self._executor, work, self._limits.wall_seconds, calls)
        except BrokenExecutor as error:
            answer = self._loop.create_future()
            answer.set_exception(error)
        answer.add_done_callback(_is_lost)  # whoever stopped waiting for it does not miss it
        return answer

    async def receive(self, answer: asyncio.Future[list[Outcome]], items: int) -> list[Outcome]:
        await self._answered.wait()
        deadline = self._limits.wall_seconds * items + self._limits.grace_seconds
        timer = self._loop.call_later(deadline, self._kill_overdue)
        try:
            # Shielded: on 3.11 a call cancelled before it began kills the executor's own thread when its process dies.
            return await asyncio.shield(answer)
        finally:
            timer.cancel()

    async def autopsy(self) -> Exception:
        """Wait for the end of a process that is dying; returns what it means for what was in it."""
        await asyncio.to_thread(self._executor.shutdown)
        code = self._process.exitcode or 0
        if not self._is_ready:
            if code < 0 and not self._is_overdue:
                return _KilledAtStart()
            return _cannot_start("did not answer" if self._is_overdue else f"ended with exit code {code}")
        if self._is_overdue or code == -signal.SIGALRM:
            return WorkerDied(Death.TIMEOUT)
        return WorkerDied(Death.MEMORY if code == OUT_OF_MEMORY else Death.CRASH)

    async def close(self, *, at_once: bool) -> None:
        """End the process, in order if it is idle and willing, and wait until it is gone."""
        self._patience.cancel()
        timer = self._loop.call_later(0 if at_once else self._limits.grace_seconds, self._process.kill)
        try:
            await asyncio.to_thread(self._executor.shutdown)
        except asyncio.CancelledError:
            self._process.kill()
            raise
        finally:
            timer.cancel()

    def _meet(self, greeting: asyncio.Future[None]) -> None:
        self._is_ready = not _is_lost(greeting)
        self._patience.cancel()
        self._answered.set()

    def _kill_overdue(self) -> None:
        self._is_overdue = True
        self._process.kill()


def _is_lost(answer: asyncio.Future[Any]) -> bool:
    return answer.cancelled() or answer.exception() is not None


def _fail(jobs: Iterable[_Job], error: Exception) -> None:
    for job in jobs:
        job.fail(error)


def _closed() -> RuntimeError:
    return RuntimeError("these lanes are closed")


def _cannot_start(what: str) -> CannotStart:
    return CannotStart(f"a new worker process {what} before its first item")


_hiding = threading.Lock()


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Start a process that does not import the main script, as spawned ones else do.

    It needs nothing from there, a script would need its `__main__` guard, and text that came through a pipe or from a
    prompt could not be imported at all. Other threads miss the module meanwhile: for the milliseconds of a start.
    """
    with _hiding:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
