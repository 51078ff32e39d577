"""The functions that a worker process runs: read a document, or only decode it.

Rules
- Nothing here imports asyncio: every worker pays for its imports once more.
Runs on: a worker process. `pool.py` calls these functions from the loop.
"""

from crawler.core.visits import Page
from crawler.parse.decoding import ParseJob
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.transfer import compact, pack_page, unpack_job
from crawler.runtime import malloc

_readers: list[PageReader] = []  # one, from `prepare` on


def prepare(task: Task) -> None:
    """Prepare this process for the task."""
    malloc.keep_warm()
    _readers.append(PageReader(task))


def read(packed: bytes, body: bytes) -> bytes:
    """Return the page of a job, packed as its job was; the body travels beside it."""
    job = unpack_job(packed, body)
    return _for_travel(job, _readers[0].read(job))


def decode_only(packed: bytes, body: bytes) -> bytes:
    """Return the page of a job, decoded and not read."""
    job = unpack_job(packed, body)
    return _for_travel(job, _readers[0].decode_only(job))


def _for_travel(job: ParseJob, page: Page) -> bytes:
    return pack_page(job, compact(job, page, _readers[0].task.max_decoded))
