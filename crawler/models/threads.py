"""Threads that share a queue: `threading.Thread`.

A thread that waits for a socket releases the GIL, so waits overlap; parsing does not, since one thread at a time runs
Python. All shared state is in queues, so no lock is needed.
Runs on: `Job.threads` threads; the main thread collects.
"""

from contextlib import suppress
from queue import Empty, Queue
from threading import Thread

from crawler.core.messages import Request
from crawler.models.job import Job, JobWatch, Result, Results

Todo = Queue[Request | None]  # None = end
Done = Queue[tuple[str, Result]]


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    todo, done = Todo(), Done()

    def work() -> None:
        while (request := todo.get()) is not None:
            done.put((request.url.href, job.work.page(request)))

    threads = [Thread(target=work) for _ in range(job.threads)]
    for request in job.requests:
        todo.put(request)
    try:
        with watch:
            for thread in threads:
                thread.start()
            return dict(done.get() for _ in job.requests)
    finally:  # also after a Ctrl-C, every thread ends after its current page
        with suppress(Empty):
            while True:
                todo.get_nowait()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()
