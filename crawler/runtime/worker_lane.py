"""One lane: a worker process after another, and what the end of each of them means.

Rules
- A worker is an executor of one process: a pool of two breaks as a whole when one process dies, two pools do not.
- It starts, is ready, and ends. Before it is ready no item is to blame: a worker that was killed or got stuck is
  replaced, a few times in a row. A worker that ended by itself would do so again, and is not replaced.
- A worker does not import the main script, so functions must come from modules, and scripts need no `__main__` guard.
- Each item has a limit of CPU time, and a longer one of wall time for an item that waits. The kernel's timers end the
  process, even inside C code. A process that no timer reaches (a stopped one) is killed from here once it is overdue.
Runs on: the event loop, which should be the main thread's (the kernel ties a worker to the thread that started it).
The worker's own side is `worker.py`.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from crawler.runtime.payloads import Payloads
from crawler.runtime.worker import OUT_OF_MEMORY, CallOutcome, WorkerCall, WorkerPipes, enter, greet, work

_DEPTH = 2
_STARTS = 3
_PATIENCE = 4


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one item, and of a process that does not answer or start.

    Attributes:
        cpu_seconds: on a busy machine this is much less than the time that passes.
        grace_seconds: how long a process may be silent past the wall time of its item, or after it was asked to end.
    """

    cpu_seconds: float = 10.0
    memory_bytes: int = 1 << 30
    grace_seconds: float = 2.0
    start_seconds: float = 60.0

    @property
    def wall_seconds(self) -> float:
        """Limit for an item that waits instead of working."""
        return _PATIENCE * self.cpu_seconds


USUAL = Limits()


class Death(StrEnum):
    """Cause of a worker's death, as far as can be told."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASH = "crash"
    START = "start"  # killed or stuck before it was ready: no item's fault, and worth another try


class LaneJob(NamedTuple):
    """A function and its item; `payload` is its second argument, if there is one, and travels beside them."""

    func: Callable[..., Any]
    item: Any
    payload: bytes | None = None


class WorkerDied(Exception):
    """The worker ended while these items were in it; an item that was alone ended it."""

    def __init__(self, kind: Death) -> None:
        super().__init__(kind)
        self.kind = kind


class CannotStart(RuntimeError):
    """No worker gets ready for its first item."""


class Lane:
    """One worker process after another, and up to two batches on their way through it; `load` counts them."""

    def __init__(self, limits: Limits, prepare: Callable[[], object] | None) -> None:
        self.load = 0
        self.deaths: Counter[Death] = Counter()
        self.worker: Worker | None = None
        self._limits = limits
        self._prepare = prepare
        self._receiving = asyncio.Lock()
        self._false_starts = 0

    @property
    def has_room(self) -> bool:
        """Another batch may be sent."""
        return self.load < _DEPTH

    def book(self, *, alone: bool) -> None:
        """Take room for a batch; one that must be alone takes all of it."""
        self.load += _DEPTH if alone else 1

    def leave(self, *, alone: bool) -> None:
        """Give back the room of a batch."""
        self.load -= _DEPTH if alone else 1

    async def work(self, jobs: Sequence[LaneJob]) -> list[CallOutcome]:
        """Do the jobs in the worker; the batch before this one goes first, and only then does its time begin.

        Raises:
            WorkerDied: it ended; the next call has a new one.
            CannotStart: none gets ready.
        """
        worker = self.worker = self.worker or Worker(self._limits, self._prepare)
        answer = worker.send(jobs)
        async with self._receiving:
            try:
                return await worker.receive(answer)
            except BrokenExecutor:
                raise await self._replace(worker) from None

    async def _replace(self, worker: "Worker") -> WorkerDied | CannotStart:
        """Let the next call have a new worker; returns the error of this one."""
        is_first = self.worker is worker  # of two batches that were in it
        if is_first:
            self.worker = None
        kind = await worker.exit_cause()
        if is_first and kind is Death.START:
            self._false_starts += 1
        elif is_first:
            self.deaths[kind] += 1
            self._false_starts = 0
        return CannotStart(_STUCK) if self._false_starts >= _STARTS else WorkerDied(kind)

    async def close(self, *, at_once: bool) -> None:
        """End the worker, if there is one."""
        if self.worker is not None:
            await self.worker.close(at_once=at_once)


class Worker:
    """One process and its executor; when the process dies, this is over."""

    def __init__(self, limits: Limits, prepare: Callable[[], object] | None) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._answered = asyncio.Event()  # to the greeting, or died before
        self._is_ready = False
        self._is_overdue = False
        context = multiprocessing.get_context("spawn")
        self._beat = context.RawValue("d", 0.0)
        self._payloads = Payloads(context)
        self._executor = ProcessPoolExecutor(
            1,
            mp_context=context,
            initializer=enter,
            initargs=(os.getpid(), limits.memory_bytes, WorkerPipes(self._beat, self._payloads.far_end), prepare),
        )
        try:
            # The worker inherits the blocked signal: the parent decides about a Ctrl-C that reaches all processes.
            with sigint_blocked(), _main_hidden():
                greeting = self._loop.run_in_executor(self._executor, greet)
        except (OSError, RuntimeError) as error:  # no memory, no process left
            self._payloads.close()
            raise CannotStart(f"No worker process could be started: {error}") from error
        finally:
            self._payloads.far_end.close()
        # The executor's one process, and our copy of the end of the pipe into which it writes: with that copy open, an
        # answer of which a dying worker wrote only half would be waited for, for ever. No public way leads to either.
        self._process = next(iter(self._executor._processes.values()))  # noqa: SLF001
        self._executor._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001
        self._patience = self._loop.call_later(limits.start_seconds, self._kill_overdue)
        greeting.add_done_callback(self._greeted)

    @property
    def pid(self) -> int:
        """The process, while it lives."""
        return self._process.pid or 0

    def send(self, jobs: Sequence[LaneJob]) -> asyncio.Future[list[CallOutcome]]:
        """Put the calls into the pipe; returns their answer."""
        limits, send = self._limits, self._payloads.send
        if any(job.payload is not None for job in jobs):
            self._payloads.begin_batch()
        calls: list[WorkerCall] = [(func, item, None if load is None else send(load)) for func, item, load in jobs]
        try:
            answer = self._loop.run_in_executor(self._executor, work, limits.cpu_seconds, limits.wall_seconds, calls)
        except BrokenExecutor as error:
            answer = self._loop.create_future()
            answer.set_exception(error)
        answer.add_done_callback(_is_lost)  # no warning for an answer without a waiter
        return answer

    async def receive(self, answer: asyncio.Future[list[CallOutcome]]) -> list[CallOutcome]:
        """Wait for the outcomes; the worker's time for them begins now."""
        await self._answered.wait()
        self._watch_beat(time.monotonic())
        try:
            # Shielded: on 3.11 a call cancelled before it began kills the executor's own thread when its process dies.
            return await asyncio.shield(answer)
        finally:
            self._patience.cancel()

    def _watch_beat(self, since: float) -> None:
        """Kill the process if its item is overdue; otherwise look again when it would be."""
        began = max(since, self._beat.value)
        left = began + self._limits.wall_seconds + self._limits.grace_seconds - time.monotonic()
        if left > 0:
            self._patience = self._loop.call_later(left, self._watch_beat, since)
        else:
            self._kill_overdue()

    async def exit_cause(self) -> Death:
        """Wait for the end of a process that is dying, and return its cause.

        Raises:
            CannotStart: it ended by itself before it was ready.
        """
        await asyncio.to_thread(self._executor.shutdown)
        self._payloads.close()
        code = self._process.exitcode or 0
        if self._is_ready:
            if self._is_overdue or code in (-signal.SIGPROF, -signal.SIGALRM):
                return Death.TIMEOUT
            return Death.MEMORY if code == OUT_OF_MEMORY else Death.CRASH
        if code < 0 or self._is_overdue:
            return Death.START
        raise CannotStart(f"A new worker process ended with exit code {code} before its first item.")

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
            self._payloads.close()
            timer.cancel()

    def _greeted(self, greeting: asyncio.Future[None]) -> None:
        self._is_ready = not _is_lost(greeting)
        self._patience.cancel()
        self._answered.set()

    def _kill_overdue(self) -> None:
        self._is_overdue = True
        self._process.kill()


def _is_lost(answer: asyncio.Future[Any]) -> bool:
    return answer.cancelled() or answer.exception() is not None


_STUCK = f"{_STARTS} worker processes in a row were killed or did not answer before their first item."
_hiding = threading.Lock()


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Start a process that does not import the main script, as spawned ones else do.

    A worker needs nothing from the main script. Scripts would need a `__main__` guard, and text that came through a
    pipe or from a prompt could not be imported at all. Other threads miss the module for the milliseconds of a start.
    """
    with _hiding:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Start processes in this block that ignore Ctrl-C: their parent decides what it means."""
    resource_tracker.ensure_running()  # else the first start would see to it, and unblock the signal then
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
