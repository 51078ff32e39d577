"""Processes at the ends of pipes: `multiprocessing.Process`.

Each has its own interpreter and GIL, so parsing uses every core; but each waits for one server at a time, and there are
few of them. Requests and results are pickled. A process that is killed closes its pipe: the parent knows which page is
lost, and starts another process.
Runs on: `Job.processes` spawned processes; the main thread hands out and collects.
"""

import multiprocessing
from collections import deque
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from typing import Self

from crawler.core.messages import Request
from crawler.models.job import WORKER_DIED, Job, JobWatch, Results, Work
from crawler.runtime.worker_lane import sigint_blocked

_spawning = multiprocessing.get_context("spawn")


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    todo, results = deque(job.requests), Results()
    with ExitStack() as stack:
        workers = [stack.enter_context(_PipeWorker(job.work)) for _ in range(job.processes)]
        with watch:
            busy = {worker.pipe: worker for worker in workers if worker.take(todo)}
            while busy:
                for pipe in wait(list(busy)):
                    worker = busy.pop(pipe)  # type: ignore[call-overload]
                    try:
                        results[worker.url] = worker.pipe.recv()
                    except (EOFError, OSError):
                        results[worker.url] = WORKER_DIED
                        worker = stack.enter_context(_PipeWorker(job.work))
                    if worker.take(todo):
                        busy[worker.pipe] = worker
    return results


class _PipeWorker:
    """A process, this end of its pipe, and the URL of its current page."""

    def __init__(self, work: Work) -> None:
        self.url = ""
        self.pipe, self._its_end = _spawning.Pipe()
        self._process = _spawning.Process(target=_process, args=(work, self._its_end), daemon=True)

    def __enter__(self) -> Self:
        with sigint_blocked():
            self._process.start()
        self._its_end.close()  # so that the pipe closes with its process
        with suppress(EOFError, OSError):
            self.pipe.recv()  # it is ready
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def take(self, todo: deque[Request]) -> bool:
        """Hand the process its next page; False = there is none."""
        if not todo:
            return False
        request = todo.popleft()
        self.url = request.url.href
        with suppress(OSError):  # it is dead: the next `recv` says so
            self.pipe.send(request)
        return True


def _process(work: Work, pipe: Connection) -> None:
    work.prepare()
    pipe.send(None)
    with suppress(EOFError):  # the parent is gone
        while True:
            pipe.send(work.page(pipe.recv()))
