"""What a worker process does with documents. Nothing here knows asyncio: every worker pays for its imports once more.

Runs on: a worker process.
"""

from crawler.core.visits import Page
from crawler.parse.decoding import ParseJob
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.transfer import packed, without_body
from crawler.runtime import malloc

_readers: list[PageReader] = []  # one, from `prepare` on


def prepare(task: Task) -> None:
    """Be ready to do the task."""
    malloc.keep_warm()
    _readers.append(PageReader(task))


def read(job: ParseJob, body: bytes | None = None) -> Page:
    """The page, with all that it tells; a large body comes beside its job."""
    job = job if body is None else job._replace(body=body)
    return _lean(job, _readers[0].read(job))


def decode_only(job: ParseJob, body: bytes | None = None) -> Page:
    """The page, decoded and not read."""
    job = job if body is None else job._replace(body=body)
    return _lean(job, _readers[0].decode_only(job))


def _lean(job: ParseJob, page: Page) -> Page:
    return without_body(job, packed(job, page, _readers[0].task.max_decoded))
