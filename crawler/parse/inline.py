"""Reads documents in this process: decoding in bounded steps, reading in one.

Rules
- Documents are decoded and read one after the other: of many that unpack to a lot, one at a time is in memory.
- Between two steps of at most 256 KiB the loop gets its turn; while a document is read, it does not.
- A document that cannot be read is kept, decoded only; its reason says why, as when a worker reads it.
Runs on: the loop.
"""

import asyncio
import time
from dataclasses import replace

from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.text import error_line
from crawler.core.visits import Page
from crawler.parse.decoding import DecodedBody, ParseJob, decode_body_steps, job_of
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.transfer import packed


class InlineParser:
    """Does the `task` with each document."""

    def __init__(self, task: Task) -> None:
        self._reader = PageReader(task)
        self._task = task
        self._turn = asyncio.Lock()

    async def parse(self, response: Response) -> Page:
        """The page of a response."""
        job = job_of(response)
        async with self._turn:
            started = time.monotonic()
            page = packed(job, self._told(job, await decode_in_steps(job, self._task)), self._task.max_decoded)
            return replace(page, seconds=time.monotonic() - started, read_at=started)

    def _told(self, job: ParseJob, decoded: DecodedBody) -> Page:
        try:
            return self._reader.read_decoded(job, decoded)
        except MemoryError as error:
            return replace(self._reader.unread(job, decoded), problem=Reason.PARSE_MEMORY, error=error_line(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's
            return replace(self._reader.unread(job, decoded), problem=Reason.PARSE_CRASH, error=error_line(error))


async def decode_in_steps(job: ParseJob, task: Task) -> DecodedBody:
    """Seal a document on the loop."""
    for decoded in decode_body_steps(job, task.max_decoded):
        if decoded is not None:
            return decoded
        if job.layers:
            await asyncio.sleep(0)
    raise AssertionError("the last step is the seal")
