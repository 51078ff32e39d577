"""What a worker process does with documents. Nothing here knows asyncio: every worker pays for its imports once more.

Runs on: a worker process.
"""

from crawler.core.models import Page
from crawler.parse import heap
from crawler.parse.reader import Reader, Task
from crawler.parse.sealing import Job

_readers: list[Reader] = []  # one, from `prepare` on


def prepare(task: Task) -> None:
    """Be ready to do the task."""
    heap.prepare()
    _readers.append(Reader(task))


def read(job: Job) -> Page:
    """The page, with all that it tells."""
    return _readers[0].read(job)


def seal(job: Job) -> Page:
    """The page, sealed and not read."""
    return _readers[0].bare(job)
