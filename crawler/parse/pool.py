"""The reader of documents in worker processes: it sends each document to a lane and awaits its page.

Rules
- Only bodies that may be documents travel: the trip costs more than the digest of a picture.
- An error with a document costs its page alone; the crawl ends only if no worker can be started.
- A document that kills two workers is sent a third time to be decoded only: its content is kept, and its reason names
  the deaths. If that kills a worker too, the digest is of the raw bytes.
Runs on: the loop. The functions that workers run are in `worker.py`.
"""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from msgspec.structs import replace

from crawler.core.errors import WorkersMissing
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line
from crawler.core.visits import Page
from crawler.parse import worker
from crawler.parse.decoding import ParseJob, job_of
from crawler.parse.inline import decode_in_steps
from crawler.parse.page_reader import Task, bare_page, is_document
from crawler.parse.transfer import pack_job, unpack_page
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import CannotStart, Death, Limits, WorkerDied

_REASONS = {
    Death.TIMEOUT: Reason.PARSE_TIMEOUT,
    Death.MEMORY: Reason.PARSE_MEMORY,
    Death.CRASH: Reason.PARSE_CRASH,
}
_BATCH = 32  # documents; a trip costs nearly as much for one, and all of a batch that is lost run again, one by one


def lanes(task: Task, count: int, limits: Limits) -> Lanes:
    """Return lanes whose workers do the `task`."""
    return Lanes(count, limits=limits, batch=_BATCH, prepare=partial(worker.prepare, task))


class LaneParser:
    """A parser that does the `task` with each document in the `lanes`, which were made for it."""

    def __init__(self, lanes: Lanes, task: Task) -> None:
        self._lanes = lanes
        self._task = task

    async def parse(self, response: Response) -> Page:
        """Return the page of a response.

        Raises:
            WorkersMissing: no worker can be started.
        """
        job = job_of(response)
        if not is_document(job):
            started = time.monotonic()
            page = bare_page(job, await decode_in_steps(job, self._task), self._task)
            return replace(page, seconds=time.monotonic() - started, read_at=started)
        try:
            return await self._run(worker.read, job)
        except CannotStart as error:
            _give_up(error)
        except WorkerDied as death:
            return await self._unread(job, _REASONS[death.kind])
        except Exception as error:  # noqa: BLE001 - any error is the document's, and costs its page alone
            return replace(await self._unread(job, Reason.PARSE_CRASH), error=error_line(error))

    async def _run(self, func: Callable[[bytes, bytes], bytes], job: ParseJob) -> Page:
        return unpack_page(job, await self._lanes.run(func, pack_job(job), job.body))

    async def _unread(self, job: ParseJob, problem: Reason) -> Page:
        try:
            page = await self._run(worker.decode_only, job)
        except CannotStart as error:
            _give_up(error)
        except Exception:  # noqa: BLE001 - as above
            page = Page(size=len(job.body), sha256=hashlib.sha256(job.body).hexdigest())
        return replace(page, problem=problem)


def _give_up(error: CannotStart) -> NoReturn:
    raise WorkersMissing(
        f"{error} See the worker's output above, if there is any. `crawler resume` goes on where this run stopped;"
        " with --workers 0 it reads documents without worker processes."
    ) from error
