"""Reads documents in this process: decoding in bounded steps, reading in one.

Between two steps of at most 256 KiB the loop gets its turn; while a document is read, it does not.
Runs on: the loop.
"""

import asyncio
import time
from dataclasses import replace

from crawler.core.models import Page, Response
from crawler.parse.reader import Job, Reader, Sealed, Task, job_of, seal_steps


class InlineParser:
    """Does the `task` with each document."""

    def __init__(self, task: Task) -> None:
        self._reader = Reader(task)
        self._max_decoded = task.max_decoded

    async def parse(self, response: Response) -> Page:
        """The page of a response."""
        started = time.perf_counter()
        job = job_of(response)
        page = self._reader.tell(job, await self._seal(job))
        return replace(page, seconds=time.perf_counter() - started)

    async def _seal(self, job: Job) -> Sealed:
        for sealed in seal_steps(job, self._max_decoded):
            if sealed is not None:
                return sealed
            if job.layers:
                await asyncio.sleep(0)
        raise AssertionError("the last step is the seal")
