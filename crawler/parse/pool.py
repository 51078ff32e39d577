"""Documents are read in worker processes: the asynchronous face of the lanes.

Rules
- Only what may be a document travels; the trip costs more than the digest of a picture.
- A document that ends its worker, twice, goes once more to be sealed only: it is kept, and its reason says what it did.
  Should even that end the worker, the digest is of the raw bytes.
Runs on: the loop; `_read` and `_seal` in a worker.
"""

import hashlib
from dataclasses import replace
from functools import partial

from crawler.core.models import Page, Response
from crawler.core.reasons import Reason
from crawler.parse import heap
from crawler.parse.inline import InlineParser
from crawler.parse.reader import Job, Reader, Task, is_document, job_of
from crawler.runtime.lane import Death, Limits, WorkerDied
from crawler.runtime.processes import Lanes

_REASONS = {
    Death.TIMEOUT: Reason.PARSE_TIMEOUT,
    Death.MEMORY: Reason.PARSE_MEMORY,
    Death.CRASH: Reason.PARSE_CRASH,
}


def lanes(task: Task, count: int, limits: Limits) -> Lanes:
    """Lanes whose workers do the `task`."""
    return Lanes(count, limits=limits, prepare=partial(_prepare, task))


class LaneParser:
    """Does the `task` with each document in the `lanes`, which were made for it."""

    def __init__(self, lanes: Lanes, task: Task) -> None:
        self._lanes = lanes
        self._inline = InlineParser(task)

    async def parse(self, response: Response) -> Page:
        """The page of a response."""
        job = job_of(response)
        if not is_document(job):
            return await self._inline.parse(response)
        try:
            return await self._lanes.run(_read, job)
        except WorkerDied as death:
            return await self._sealed(job, _REASONS[death.kind])

    async def _sealed(self, job: Job, problem: Reason) -> Page:
        try:
            page = await self._lanes.run(_seal, job)
        except WorkerDied:
            page = Page(size=len(job.body), sha256=hashlib.sha256(job.body).hexdigest())
        return replace(page, problem=problem)


# --- in the worker -----------------------------------------------------------------------------------------------

_readers: list[Reader] = []  # one, from `_prepare` on


def _prepare(task: Task) -> None:
    heap.prepare()
    _readers.append(Reader(task))


def _read(job: Job) -> Page:
    return _readers[0].read(job)


def _seal(job: Job) -> Page:
    return _readers[0].bare(job)
