"""A lane's worker process: bounded in time and memory, and gone when its parent is.

Rules
- Only the standard library's light half is imported here: every worker pays for it once more.
- Each item has a CPU time and a wall time, kept by the kernel's timers with their default action: they end the process
  even inside C code. The worker tells its parent the beginning of each item through shared memory.
- Out of memory, a worker ends itself: more than the item may be broken.
- An item prints to standard error: standard output is the parent's. Standard input is empty.
- Processes that an item starts end with the worker, however that ends (Linux): a guard, forked before anything else,
  waits for the worker's end and kills its process group. A process that leaves the group survives.
Runs on: the worker process.
"""

import copy
import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from crawler.runtime.payloads import FarEnd, Inlet, Ticket

OUT_OF_MEMORY = 112  # exit code of a worker that ends itself; neither Python nor a shell uses it
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


WorkerCall = tuple[Callable[..., Any], Any, Ticket | None]
"""A function, its item, and the place of a payload, which becomes the second argument."""


class JobError(Exception):
    """An error that cannot travel between processes; this is its text."""


class CallOutcome(msgspec.Struct, frozen=True):
    """Outcome of one call: a value, or an error that can travel."""

    value: Any = None
    error: Exception | None = None


class Beat(Protocol):
    """Shared memory: the monotonic moment at which the current item began."""

    value: float


class WorkerPipes(NamedTuple):
    """Channels between parent and worker, beside the calls."""

    beat: Beat
    payloads: FarEnd


_beats: list[Beat] = []  # one, from `enter` on
_inlets: list[Inlet] = []  # one, as well


def enter(parent: int, memory_bytes: int, links: WorkerPipes, prepare: Callable[[], object] | None) -> None:
    """Set the worker up."""
    for ending in (signal.SIGPROF, signal.SIGALRM, signal.SIGTERM):
        signal.signal(ending, signal.SIG_DFL)
    die_with(parent)
    _guard_group()
    with suppress(OSError):  # the parent has no standard error
        os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _beats.append(links.beat)
    _inlets.append(Inlet(links.payloads))
    try:
        if prepare is not None:
            prepare()
    except BaseException:  # noqa: BLE001 - the exit code tells the parent
        traceback.print_exc()
        os._exit(1)
    if sys.platform == "linux":
        # The address space may grow by this much more; a process maps far more than it uses, so the start counts.
        mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, mapped + memory_bytes))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent, or the parent's thread that started it, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _guard_group() -> None:
    """Make this process the leader of its own group, which is killed when this process ends."""
    os.setsid()
    worker = os.getpid()
    if sys.platform == "linux" and os.fork() == 0:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # no pipe stays open because of the guard
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
            if os.getppid() == worker:
                signal.sigwait({signal.SIGUSR1})
            os.killpg(worker, signal.SIGKILL)  # this process, too
        finally:
            os._exit(1)


def greet() -> None:
    """Do nothing: when this first job of a worker is answered, the worker is ready."""


def work(cpu_seconds: float, wall_seconds: float, calls: Sequence[WorkerCall]) -> list[CallOutcome]:
    """Return the outcome of each call, in order."""
    outcomes = []
    for call in calls:
        _beats[0].value = time.monotonic()
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # default action: the kernel ends the process
        signal.setitimer(signal.ITIMER_REAL, wall_seconds)
        outcomes.append(_try(call))
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return outcomes


def _try(call: WorkerCall) -> CallOutcome:
    try:
        func, item, ticket = call
        return CallOutcome(func(item) if ticket is None else func(item, _inlets[0].receive(ticket)))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # more than this call may be broken
    except BaseException as error:  # noqa: BLE001 - it is the caller's
        return CallOutcome(error=_portable(error))


def _portable(error: BaseException) -> Exception:
    """Return the error if it survives pickling, else its text: an error that cannot be rebuilt would break the lane."""
    text = "".join(traceback.format_exception(error))
    try:
        ForkingPickler.dumps(error)
        copy.copy(error)  # rebuilds it as unpickling will
    except BaseException:  # noqa: BLE001 - any reason will do
        return JobError(text)
    if not isinstance(error, Exception) or isinstance(error, StopIteration):
        return JobError(text)  # these mean something to the loop
    error.add_note(f"In a worker process:\n{text}")
    return error
