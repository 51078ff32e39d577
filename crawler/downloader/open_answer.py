"""An answer whose body is read as it comes: in pieces, in lines, as events, whole, or into a file.

Rules
- The body can be read once. A read goes on where the one before it stopped (`open_body.py`).
- Content codings are removed, but for `iter_raw`. Their limit is the reader's: a piece holds 256 KiB at most.
- Leaving early drops the connection.
- A copy, or a pickle, is the head alone: an `Answer`.
Runs on: the event loop.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from crawler.core.errors import UsageError
from crawler.downloader.fetched import Answer, as_pickled
from crawler.downloader.open_body import OpenBody
from crawler.downloader.redirect_chain import answer_head
from crawler.downloader.request_options import Ask
from crawler.encoding import decode, detect
from crawler.encoding.incremental import decoder_of
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

    def __reduce__(self) -> tuple[object, ...]:
        return as_pickled(self, Answer)

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body as it was sent, content codings included."""
        with self.body.reading("iter_raw"):
            while piece := await self.body.raw():
                yield piece

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content as it comes, or in chunks of `chunk_size` bytes, of which the last may be shorter."""
        _check("chunk_size", chunk_size, 1)
        with self.body.reading(_CONTENT):
            while piece := await (self.body.content() if chunk_size is None else self.body.chunk(chunk_size)):
                yield piece

    async def iter_lines(self) -> AsyncIterator[str]:
        """Yield the lines of the content as text, without their ends.

        Their encoding is that of a byte order mark, else of Content-Type, else UTF-8: nothing more is known when the
        first lines are there. Bytes that cannot be decoded become U+FFFD.

        Raises:
            FetchError: BODY_LIMIT, a line is longer than 16 Mi characters.
        """
        units = self.body.units(lambda head: LineReader(decoder_of(self._content_type, head)))
        with self.body.reading("iter_lines"):
            async with aclosing(units) as lines:
                async for line in lines:
                    yield line

    async def iter_events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield the server-sent events of the content (HTML standard, 9.2).

        Raises:
            FetchError: BODY_LIMIT, an event is longer than 1 MiB.
        """
        units = self.body.units(lambda _head: EventStreamReader(self._sent_id))
        with self.body.reading("iter_events"):
            async with aclosing(units) as events:
                async for event in events:
                    yield event

    @property
    def last_event_id(self) -> str:
        """The id to send as Last-Event-ID when connecting again, as far as `iter_events` was read; empty = none.

        It begins with the Last-Event-ID that this request sent.
        """
        reader = self.body.unit_reader
        return reader.last_id if isinstance(reader, EventStreamReader) else self._sent_id

    @property
    def event_retry(self) -> float | None:
        """The seconds to wait before connecting again, as far as `iter_events` was read; None = it was not said."""
        reader = self.body.unit_reader
        return reader.retry if isinstance(reader, EventStreamReader) else None

    async def read(self, limit: int | None = None) -> bytes:
        """Return the content, or what is left of it; a longer one than `limit` bytes is an error.

        None = the limit is the `max_decoded` of the Fetcher.

        Raises:
            FetchError: BODY_LIMIT, it is longer; or the body ends too early, or cannot be decoded.
        """
        _check("limit", limit, 0)
        with self.body.reading(_CONTENT):
            return await self.body.whole(limit)

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
            UsageError: a part of the body was read already, or the request was HEAD.
            OSError: the file cannot be written.
        """
        self.raise_for_status()
        target = Path(path)
        await self.body.save(target)
        return target

    @property
    def _content_type(self) -> str:
        return ", ".join(self.headers.getall("Content-Type", ()))

    @property
    def _sent_id(self) -> str:
        return self.request.headers.get("Last-Event-ID", "")


def _check(keyword: str, value: object, least: int) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not (value is None or is_whole):
        raise UsageError(f"{keyword}: expected a whole number, {least} or more, got {repr(value)[:100]}")
