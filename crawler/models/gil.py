"""Who holds the GIL, measured: threads against processes, and a heartbeat beside work.

Rules
- Threads and processes share the same reading; time runs from when all of them stand ready.
- A thread that sleeps wants the GIL back when it wakes. Whoever holds it lets go of it after the switch interval if it
  runs bytecode, at once if it waits, and not before its end if it is a call into C that never lets go.
Runs on: the main thread, and the threads and processes that it starts.
"""

import multiprocessing
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from statistics import median

from crawler.core.errors import WorkersMissing
from crawler.core.messages import Response
from crawler.models.gil_figures import Lateness, Speed
from crawler.models.process_tree import cost_so_far
from crawler.runtime.lane import sigint_blocked

Work = Callable[[], object]
INTERVALS = (0.0005, 0.005, 0.05)
_BEAT = 0.001


def has_gil() -> bool:
    """Whether this interpreter has a GIL now; all had before 3.13."""
    asked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return asked()


def build() -> str:
    """What it was built as."""
    return "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "standard"


def in_threads(work: Work, times: int, count: int) -> Speed:
    """Do the work so many times in all, in so many threads."""
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
    """The same in processes, each of which calls `prepare` first; both must be such that they can be pickled.

    Raises:
        WorkersMissing: one of them died.
    """
    spawning = multiprocessing.get_context("spawn")
    pipes = [spawning.Pipe() for _ in range(count)]
    crew = [spawning.Process(target=_process, args=(end,), daemon=True) for _, end in pipes]
    with sigint_blocked():
        for process in crew:
            process.start()
    for _, end in pipes:
        end.close()  # a pipe ends with its process, if nobody else holds that end
    try:
        for pipe, _ in pipes:  # not with its start: what a process that died would have read is waited for without end
            pipe.send((prepare, work, times // count))
        for pipe, _ in pipes:
            pipe.recv()
        began, cost = time.monotonic(), cost_so_far()
        for pipe, _ in pipes:
            pipe.send(None)
        for pipe, _ in pipes:
            pipe.recv()
    except (EOFError, OSError):
        raise WorkersMissing("one of the processes that were measured has died: measure again") from None
    speed = _speed("processes", count, began, (cost_so_far() - cost).cpu)
    for process in crew:
        process.join()
    return speed


def heartbeat(name: str, work: Work, interval: float, seconds: float, *, is_call: bool) -> Lateness:
    """How late a heartbeat is while another thread does the work again and again."""
    alone = min(_duration(work) for _ in range(3)) if is_call else None
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            work()

    worker = threading.Thread(target=repeat, daemon=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        worker.start()
        late = _beats(seconds)
    finally:
        over.set()
        worker.join()
        sys.setswitchinterval(before)
    return Lateness(work=name, interval=interval, median=median(late), worst=max(late), call=alone)


def read_all(parse: Callable[[Response], object], responses: Sequence[Response]) -> None:
    """Read these, as every model does."""
    for response in responses:
        parse(response)


def loop_of_python() -> None:
    """Bytecode for a few milliseconds."""
    n = 0
    while n < 100_000:
        n += 1


def lateness(works: Mapping[str, tuple[Work, bool]], seconds: float) -> tuple[Lateness, ...]:
    """The heartbeat beside each work (True = it is one call into C), at each switch interval."""
    return tuple(
        heartbeat(name, work, interval, seconds, is_call=is_call)
        for name, (work, is_call) in works.items()
        for interval in INTERVALS
    )


def _beats(seconds: float) -> list[float]:
    late = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        time.sleep(_BEAT)
        late.append(max(0.0, time.monotonic() - now - _BEAT))
    return late


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


def _duration(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
