"""An answer whose body is read as it comes: in pieces, in lines, as events, whole, or into a file.

Rules
- The body can be read once. A read goes on where the one before it stopped (`open_body.py`).
- Content codings are removed, but for `iter_raw`. Their limit is the reader's: a piece holds 256 KiB at most.
- Leaving early drops the connection.
Runs on: the event loop.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.fetched import Answer
from crawler.downloader.open_body import OpenBody
from crawler.downloader.redirect_chain import answer_head
from crawler.downloader.request_options import Ask
from crawler.encoding import decode, detect
from crawler.encoding.incremental import decoder_of
from crawler.http.body_buffer import BodyBuffer
from crawler.http.event_stream import EventStreamReader, ServerSentEvent
from crawler.http.lines import LineReader

_CONTENT = "iter_bytes or read"


async def open_answer(ask: Ask, body: OpenBody) -> "OpenAnswer":
    """Send the request, and return the answer; raise as `OpenBody.ask`."""
    followed = await body.ask()
    head = answer_head(ask, followed.response, followed.history)
    return OpenAnswer(**{part.name: getattr(head, part.name) for part in fields(head)}, body=body)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class OpenAnswer(Answer):
    """An answer whose body is still to come; `body` is read by the methods."""

    body: OpenBody

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body as it was sent, content codings included."""
        self.body.begin("iter_raw")
        while piece := await self.body.raw():
            yield piece

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content as it comes, or in chunks of `chunk_size` bytes, of which the last may be shorter."""
        if chunk_size is not None and chunk_size < 1:
            raise UsageError(f"chunk_size: expected 1 or more, got {chunk_size}")
        self.body.begin(_CONTENT)
        while piece := await (self.body.content() if chunk_size is None else self.body.chunk(chunk_size)):
            yield piece

    async def iter_lines(self) -> AsyncIterator[str]:
        """Yield the lines of the content as text, without their ends.

        Their encoding is that of a byte order mark, else of Content-Type, else UTF-8: nothing more is known when the
        first lines are there. Bytes that cannot be decoded become U+FFFD.

        Raises:
            FetchError: BODY_LIMIT, a line is longer than 16 Mi characters.
        """
        self.body.begin("iter_lines")
        async with aclosing(self.body.units(lambda head: LineReader(decoder_of(self._content_type, head)))) as lines:
            async for line in lines:
                yield line

    async def iter_events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield the server-sent events of the content (HTML standard, 9.2)."""
        self.body.begin("iter_events")
        async with aclosing(self.body.units(lambda _head: EventStreamReader())) as events:
            async for event in events:
                yield event

    async def read(self, limit: int | None = None) -> bytes:
        """Return the content, or what is left of it; a longer one than `limit` bytes is an error.

        None = the limit is the `max_decoded` of the Fetcher.

        Raises:
            FetchError: BODY_LIMIT, it is longer; or the body ends too early, or cannot be decoded.
        """
        self.body.begin(_CONTENT)
        most = self.body.limit if limit is None else limit
        taken = BodyBuffer()
        while piece := await self.body.content():
            taken.add(piece)
            if taken.size > most:
                raise FetchError(Reason.BODY_LIMIT, f"its content is longer than {most} bytes (limit)")
        return taken.whole()

    async def text(self, limit: int | None = None) -> str:
        """Return the content as text, as `Fetched.text` does; `limit` as for `read`."""
        content = await self.read(limit)
        return decode.text(content, detect.of_response(self._content_type, content))

    async def json(self, limit: int | None = None) -> Any:
        """Return the content, parsed as JSON; `limit` as for `read`.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(await self.read(limit))

    async def save(self, path: str | PathLike[str]) -> Path:
        """Write the content to a file, which appears under its name once it is complete; return the path.

        A broken download of a file that the server can send from the middle goes on there (RFC 9110, 14), also when it
        is started again by another call or another process: until then its beginning waits in the same folder, as
        `.NAME.….part`.

        Raises:
            StatusError: the status is 400 or more; nothing is written.
            FetchError: the body ends too early, and cannot be had.
            UsageError: a part of the body was read already.
            OSError: the file cannot be written.
        """
        self.raise_for_status()
        target = Path(path)
        await self.body.save(target)
        return target

    @property
    def _content_type(self) -> str:
        return ", ".join(self.headers.getall("Content-Type", ()))
