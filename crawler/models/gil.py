"""Measurements of the GIL: threads against processes, and a heartbeat beside work.

Rules
- Threads and processes share the same work; the clock starts when all of them are ready.
- A thread that wakes up requests the GIL. Its holder releases it after the switch interval if it runs bytecode, at once
  if it waits, and only at its end if it is a call into C that keeps the GIL.
Runs on: the main thread, and the threads and processes that it starts.
"""

import multiprocessing
import sys
import sysconfig
import threading
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from statistics import median

from crawler.core.errors import WorkersMissing
from crawler.core.messages import Response
from crawler.models.gil_figures import Lateness, Speed
from crawler.models.process_tree import cost_so_far
from crawler.runtime.worker_lane import sigint_blocked

Work = Callable[[], object]
INTERVALS = (0.0005, 0.005, 0.05)
_BEAT = 0.001


def has_gil() -> bool:
    """Return whether this interpreter has a GIL now; before 3.13 every one had."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def build() -> str:
    """Return the kind of build: `free-threaded` or `standard`."""
    return "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "standard"


def in_threads(work: Work, times: int, count: int) -> Speed:
    """Do the work `times` times in all, shared among `count` threads."""
    ready = threading.Barrier(count + 1)

    def share() -> None:
        ready.wait()
        for _ in range(times // count):
            work()

    threads = [threading.Thread(target=share, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    began, cost = time.monotonic(), cost_so_far()
    ready.wait()
    for thread in threads:
        thread.join()
    return _speed("threads", count, began, (cost_so_far() - cost).cpu)


def in_processes(work: Work, times: int, count: int, prepare: Work) -> Speed:
    """Do the same in processes, each of which calls `prepare` first; both functions must be picklable.

    Raises:
        WorkersMissing: a process died.
    """
    spawning = multiprocessing.get_context("spawn")
    pipes = [spawning.Pipe() for _ in range(count)]
    workers = [spawning.Process(target=_process, args=(end,), daemon=True) for _, end in pipes]
    with sigint_blocked():
        for process in workers:
            process.start()
    for _, end in pipes:
        end.close()  # so that the pipe closes with its process
    try:
        for pipe, _ in pipes:  # not as a start argument: the start of a process that died would block
            pipe.send((prepare, work, times // count))
        for pipe, _ in pipes:
            pipe.recv()
        began, cost = time.monotonic(), cost_so_far()
        for pipe, _ in pipes:
            pipe.send(None)
        for pipe, _ in pipes:
            pipe.recv()
    except (EOFError, OSError):
        raise WorkersMissing("a measured process has died: run the measurement again") from None
    speed = _speed("processes", count, began, (cost_so_far() - cost).cpu)
    for process in workers:
        process.join()
    return speed


def heartbeat(name: str, work: Work, interval: float, seconds: float, *, is_call: bool) -> Lateness:
    """Measure the lateness of a heartbeat while another thread repeats the work."""
    alone = min(timeit.repeat(work, number=1, repeat=3)) if is_call else None
    late = []
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            work()

    worker = threading.Thread(target=repeat, daemon=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        worker.start()
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            time.sleep(_BEAT)
            late.append(max(0.0, time.monotonic() - now - _BEAT))
    finally:
        over.set()
        worker.join()
        sys.setswitchinterval(before)
    return Lateness(work=name, interval=interval, median=median(late), worst=max(late), call=alone)


def read_all(parse: Callable[[Response], object], responses: Sequence[Response]) -> None:
    """Read these responses, as every model does."""
    for response in responses:
        parse(response)


def loop_of_python() -> None:
    """Run bytecode for a few milliseconds."""
    n = 0
    while n < 100_000:
        n += 1


def lateness(works: Mapping[str, tuple[Work, bool]], seconds: float) -> tuple[Lateness, ...]:
    """Measure the heartbeat beside each work (True = one call into C), at each switch interval."""
    return tuple(
        heartbeat(name, work, interval, seconds, is_call=is_call)
        for name, (work, is_call) in works.items()
        for interval in INTERVALS
    )


def _process(pipe: Connection) -> None:
    with suppress(EOFError, OSError):  # the parent is gone
        prepare, work, times = pipe.recv()
        prepare()
        pipe.send(None)
        pipe.recv()
        for _ in range(times):
            work()
        pipe.send(None)


def _speed(kind: str, count: int, began: float, cpu: float) -> Speed:
    seconds = time.monotonic() - began
    return Speed(kind=kind, count=count, seconds=seconds, cores=cpu / seconds)
