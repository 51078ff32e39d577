"""The functions that a worker process runs: read a document, or only decode it.

Rules
- Nothing here imports asyncio: every worker pays for its imports once more.
Runs on: a worker process. `pool.py` calls these functions from the loop.
"""

from crawler.core.visits import Page
from crawler.parse.decoding import ParseJob
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.transfer import compact, without_body
from crawler.runtime import malloc

_readers: list[PageReader] = []  # one, from `prepare` on


def prepare(task: Task) -> None:
    """Prepare this process for the task."""
    malloc.keep_warm()
    _readers.append(PageReader(task))


def read(job: ParseJob, body: bytes | None = None) -> Page:
    """Return the page of a job; a large body travels beside its job."""
    job = job if body is None else job._replace(body=body)
    return _for_travel(job, _readers[0].read(job))


def decode_only(job: ParseJob, body: bytes | None = None) -> Page:
    """Return the page of a job, decoded and not read."""
    job = job if body is None else job._replace(body=body)
    return _for_travel(job, _readers[0].decode_only(job))


def _for_travel(job: ParseJob, page: Page) -> Page:
    return without_body(job, compact(job, page, _readers[0].task.max_decoded))
