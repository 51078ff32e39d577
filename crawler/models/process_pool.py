"""A pool of processes: `concurrent.futures.ProcessPoolExecutor`.

The same processes as in `processes.py`, as easy to use as threads. Its price shows when one of them is killed: the pool
cannot tell whose work was lost, so it breaks as a whole, and `BrokenProcessPool` ends the job.
Runs on: as many processes as asked for, spawned; the main thread collects.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

from crawler.core.messages import Request
from crawler.models.job import Job, JobWatch, Result, Results, Work
from crawler.runtime.lane import sigint_blocked
from crawler.runtime.worker import die_with

_work: list[Work] = []  # in a worker: one, from `_enter` on
_LOOK_AGAIN = 0.05  # seconds


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C, `map` takes back what has not begun, and the pool waits for the rest."""
    spawning = multiprocessing.get_context("spawn")
    entered, entrance = spawning.Pipe(duplex=False)
    with ProcessPoolExecutor(job.processes, spawning, _enter, (os.getpid(), entrance, job.work)) as pool:
        try:
            _start(pool, job.processes, entered)
            with watch:
                pages = pool.map(_page, job.requests)
                results = {request.url.href: page for request, page in zip(job.requests, pages, strict=True)}
        except BrokenProcessPool:
            _kill_all()  # one that has just begun is overlooked by the pool
            raise
        _kill_all()  # asked to end, they may wait for ever: one that died took the lock of their queue with it
        return results


def _start(pool: ProcessPoolExecutor, count: int, entered: Connection) -> None:
    """Have so many processes ready, or an error if one has died."""
    try:
        with sigint_blocked():
            for _ in range(count):  # a process starts when there is work for it
                pool.submit(os.getpid)
        while count:
            if entered.poll(_LOOK_AGAIN):
                count -= entered.recv()
            else:
                pool.submit(os.getpid)  # of the newest one's death the pool learns when there is work
    except (OSError, RuntimeError) as error:  # it breaks while it is given work: "handle is closed"
        raise BrokenProcessPool("a process died at its start") from error


def _kill_all() -> None:
    for process in multiprocessing.active_children():
        process.kill()


def _enter(parent: int, entrance: Connection, work: Work) -> None:
    die_with(parent)
    work.prepare()
    _work.append(work)
    entrance.send(1)


def _page(request: Request) -> Result:
    return _work[0].page(request)
