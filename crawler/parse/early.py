"""The reader of a run's first documents: small ones are read in this process until a worker process is ready.

Rules
- The workers start once reading here has cost as much as the start of one: a small run never pays for them, and a
  large one loses that much once. A document that may not be read here starts one at once.
- Workers bound the time and memory of a document, and outlive its crash; this process cannot. So a document is read
  here only if it is small, packed and unpacked, and if its task takes time in proportion to its size: no function of
  the user, no selectors, no gzip file. The worst such document takes half a second, and that starts the workers.
- No document overtakes one that waits for a worker: else links would be found on longer ways first, and merged later.
- Once a worker is ready, or could not be started, every document goes to the workers.
Runs on: the loop.
"""

import time

from msgspec.structs import replace

from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.visits import Page
from crawler.parse.decoding import ParseJob, job_of
from crawler.parse.inline import InlineParser, decode_in_steps
from crawler.parse.page_reader import Task
from crawler.parse.pool import LaneParser
from crawler.parse.sniffing import GZIP_MAGIC
from crawler.runtime.processes import Lanes

SMALL = 64 * 1024
"""The most bytes of a document that is read here."""

_PRICE = 0.1  # seconds; a worker starts in 0.1 to 0.3, its imports included


class EarlyParser:
    """A parser that does the `task` with the first documents here, and with the others in the `lanes`."""

    def __init__(self, lanes: Lanes, task: Task) -> None:
        self._lanes = lanes
        self._workers = LaneParser(lanes, task)
        self._task = replace(task, max_decoded=min(task.max_decoded, SMALL))
        self._here = InlineParser(self._task)
        self._is_linear = not (task.extract or task.wants.selectors)
        self._spent = 0.0

    async def start(self) -> None:
        """Start all workers now; return when each is ready."""
        await self._lanes.start()

    async def parse(self, response: Response) -> Page:
        """Return the page of a response.

        Raises:
            WorkersMissing: no worker can be started.
        """
        is_early = not (self._lanes.is_up or self._lanes.is_busy)
        if is_early and self._is_linear and len(response.body) <= SMALL:
            page = await self._read_here(job_of(response))
            if self._spent >= _PRICE:
                self._lanes.begin()
            if page is not None:
                return page
        return await self._workers.parse(response)

    async def _read_here(self, job: ParseJob) -> Page | None:
        """Return the page of a job, or None if its document is not small after all."""
        started = time.monotonic()
        decoded = await decode_in_steps(job, self._task)
        if decoded.problem is Reason.DECODED_LIMIT or decoded.content.startswith(GZIP_MAGIC):
            return None
        page = self._here.read(job, decoded, started)
        self._spent += page.seconds
        return page
