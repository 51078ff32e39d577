"""The reader of documents without worker processes: it decodes in bounded steps, and reads in one step.

Rules
- Documents are decoded and read one after the other, so one decoded document at a time is in memory.
- The loop runs between two decoding steps of at most 256 KiB; while a document is read, it does not.
- A document that cannot be read is kept, decoded only; its reason says why, as when a worker reads it.
Runs on: the loop.
"""

import asyncio
import time

from msgspec.structs import replace

from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line
from crawler.core.visits import Page
from crawler.parse.decoding import DecodedBody, ParseJob, decode_body_steps, job_of
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.transfer import compact


class InlineParser:
    """A parser that does the `task` with each document on the loop."""

    def __init__(self, task: Task) -> None:
        self._reader = PageReader(task)
        self._task = task
        self._lock = asyncio.Lock()

    async def parse(self, response: Response) -> Page:
        """Return the page of a response."""
        job = job_of(response)
        async with self._lock:
            started = time.monotonic()
            return self.read(job, await decode_in_steps(job, self._task), started)

    def read(self, job: ParseJob, decoded: DecodedBody, started: float) -> Page:
        """Return the page of a decoded document, on which work `started` at this monotonic moment."""
        try:
            page = self._reader.read_decoded(job, decoded)
        except Exception as error:  # noqa: BLE001 - any error is the document's, and costs its page alone
            problem = Reason.PARSE_MEMORY if isinstance(error, MemoryError) else Reason.PARSE_CRASH
            page = replace(self._reader.unread(job, decoded), problem=problem, error=error_line(error))
        page = compact(job, page, self._task.max_decoded)
        return replace(page, seconds=time.monotonic() - started, read_at=started)


async def decode_in_steps(job: ParseJob, task: Task) -> DecodedBody:
    """Decode a body on the loop, which runs between two steps."""
    for decoded in decode_body_steps(job, task.max_decoded):
        if decoded is not None:
            return decoded
        if job.layers:
            await asyncio.sleep(0)
    raise AssertionError("the last step is the decoded body")
