"""Reads documents in this process: decoding in bounded steps, reading in one.

Rules
- Between two steps of at most 256 KiB the loop gets its turn; while a document is read, it does not.
- A document that cannot be read is kept, sealed only; its reason says why, as when a worker reads it.
Runs on: the loop.
"""

import asyncio
import time
from dataclasses import replace

from crawler.core.models import Page, Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line
from crawler.parse.reader import Reader, Task
from crawler.parse.sealing import Job, Sealed, job_of, seal_steps


class InlineParser:
    """Does the `task` with each document."""

    def __init__(self, task: Task) -> None:
        self._reader = Reader(task)
        self._task = task

    async def parse(self, response: Response) -> Page:
        """The page of a response."""
        started = time.monotonic()
        job = job_of(response)
        sealed = await seal_in_steps(job, self._task)
        try:
            page = self._reader.tell(job, sealed)
        except MemoryError as error:
            page = replace(self._reader.unread(job, sealed), problem=Reason.PARSE_MEMORY, error=error_line(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's
            page = replace(self._reader.unread(job, sealed), problem=Reason.PARSE_CRASH, error=error_line(error))
        return replace(page, seconds=time.monotonic() - started, read_at=started)


async def seal_in_steps(job: Job, task: Task) -> Sealed:
    """Seal a document on the loop."""
    for sealed in seal_steps(job, task.max_decoded):
        if sealed is not None:
            return sealed
        if job.layers:
            await asyncio.sleep(0)
    raise AssertionError("the last step is the seal")
