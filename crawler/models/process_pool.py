"""A pool of processes: `concurrent.futures.ProcessPoolExecutor`.

The same processes as in `processes.py`, as easy to use as threads. Its price shows when one of them is killed: the pool
cannot tell whose work was lost, so it breaks as a whole, and `BrokenProcessPool` ends the job.
Runs on: as many processes as asked for, spawned; the main thread collects.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier

from crawler.core.models import Request
from crawler.models.job import Job, Result, Results, Watch, Work
from crawler.runtime.lane import sigint_blocked
from crawler.runtime.worker import die_with

_work: list[Work] = []  # in a worker: one, from `_enter` on
_ready: list[Barrier] = []  # likewise: nobody goes on before all are here


def run(job: Job, watch: Watch) -> Results:
    """Do the job; on Ctrl-C, `map` takes back what has not begun, and the pool waits for the rest."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Barrier(job.processes)
    with ProcessPoolExecutor(job.processes, spawning, _enter, (os.getpid(), ready, job.work)) as pool:
        with sigint_blocked():
            greetings = [
                pool.submit(_greet) for _ in range(job.processes)
            ]  # a process starts when there is work for it
        for greeting in greetings:
            greeting.result()  # an error, if one of them has died
        with watch:
            results = pool.map(_page, job.requests)
            return {request.url.href: result for request, result in zip(job.requests, results, strict=True)}


def _enter(parent: int, ready: Barrier, work: Work) -> None:
    die_with(parent)
    work.prepare()
    _work.append(work)
    _ready.append(ready)


def _greet() -> None:
    _ready[0].wait()


def _page(request: Request) -> Result:
    return _work[0].page(request)
