"""Seals a document in this process, in bounded steps: content codings off, size and digest taken.

Rules
- A redirect's body is never decoded: nobody reads it, and a bomb in it would cost what a page costs.
- A body whose coding is damaged or unpacks beyond the limit keeps its raw bytes' digest, and says so in `problem`.
- Between two steps of at most 256 KiB the loop gets its turn.
Runs on: the loop.
"""

import asyncio
import hashlib
import time

from crawler.core.decode import DecodeProblem, codings, decode_steps
from crawler.core.models import Page, Response
from crawler.core.outcomes import REDIRECTS
from crawler.core.reasons import Reason
from crawler.core.records import media_type


class InlineParser:
    """Decodes at most `max_decoded` bytes per document."""

    def __init__(self, max_decoded: int) -> None:
        self._max_decoded = max_decoded

    async def parse(self, response: Response) -> Page:
        """What can be told without reading the document: size, digest, media type."""
        started = time.perf_counter()
        size, digest, problem = await self._seal(response)
        content_type, charset = media_type(response.header("content-type"))
        return Page(
            size=size,
            sha256=digest,
            content_type=content_type,
            charset=charset,
            problem=problem,
            seconds=time.perf_counter() - started,
        )

    async def _seal(self, response: Response) -> tuple[int, str, Reason | None]:
        body = response.body
        layers = () if response.status in REDIRECTS else codings(response.header_list("content-encoding"))
        if not layers:
            return len(body), hashlib.sha256(body).hexdigest(), None
        try:
            return *await self._digest(body, layers), None
        except DecodeProblem as problem:
            return len(body), hashlib.sha256(body).hexdigest(), problem.reason

    async def _digest(self, body: bytes, layers: tuple[str, ...]) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        for step in decode_steps(body, layers, self._max_decoded):
            if size:
                await asyncio.sleep(0)
            digest.update(step)
            size += len(step)
        return size, digest.hexdigest()
