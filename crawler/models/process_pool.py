"""A pool of processes: `concurrent.futures.ProcessPoolExecutor`.

The same processes as in `processes.py`, as easy to use as threads. Its price shows when one is killed: the pool does
not know which work was lost, so it breaks as a whole, and `BrokenProcessPool` ends the job.
Runs on: `Job.processes` spawned processes; the main thread collects.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

from crawler.core.messages import Request
from crawler.models.job import Job, JobWatch, Result, Results, Work
from crawler.runtime.worker import die_with
from crawler.runtime.worker_lane import sigint_blocked

_work: list[Work] = []  # in a worker: one, set by `_enter`
_POLL_SECONDS = 0.05


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C, `map` cancels the pages that have not begun, and the pool waits for the others."""
    spawning = multiprocessing.get_context("spawn")
    entered, entrance = spawning.Pipe(duplex=False)
    with ProcessPoolExecutor(job.processes, spawning, _enter, (os.getpid(), entrance, job.work)) as pool:
        try:
            _start(pool, job.processes, entered)
            with watch:
                pages = pool.map(_page, job.requests)
                results = {request.url.href: page for request, page in zip(job.requests, pages, strict=True)}
        except BrokenProcessPool:
            _kill_all()  # the pool overlooks a process that has just begun
            raise
        _kill_all()  # a graceful end may hang: a process that died holds the lock of their queue
        return results


def _start(pool: ProcessPoolExecutor, count: int, entered: Connection) -> None:
    """Wait until `count` processes are ready; raise BrokenProcessPool if one has died."""
    try:
        with sigint_blocked():
            for _ in range(count):  # the pool starts a process when there is work for it
                pool.submit(os.getpid)
        while count:
            if entered.poll(_POLL_SECONDS):
                count -= entered.recv()
            else:
                pool.submit(os.getpid)  # the pool notices the death of its newest process when there is work
    except (OSError, RuntimeError) as error:  # it breaks while work is submitted: "handle is closed"
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
