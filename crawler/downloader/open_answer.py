"""An answer whose body is read as it comes: in pieces, in lines, as events, whole, or into a file.

Rules
- The body can be read once. A read goes on where the one before it stopped.
- Content codings are removed, but for `iter_raw`. Their limit is the reader's: a piece holds 256 KiB at most.
- The `timeout` of the request counts while the answer is waited for, and not while its pieces are used.
- Leaving early drops the connection.
Runs on: the event loop.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from crawler.core.errors import FetchError, UsageError
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.downloader.call_places import OpenSender
from crawler.downloader.download import save
from crawler.downloader.fetched import Answer
from crawler.downloader.redirect_chain import Followed, RedirectChain, answer_head
from crawler.downloader.request_options import Ask
from crawler.encoding import decode, detect
from crawler.encoding.incremental import decoder_of
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, FlowDecoder, codings
from crawler.http.event_stream import EventStreamReader, ServerSentEvent
from crawler.http.lines import LineReader

_ALL = 1 << 62  # bytes: a reader of pieces sets its own limit


class OpenBody:
    """The body of an open answer, read once; open between `async with` and its end.

    Args:
        ask: the request.
        chain: follows it.
        sender: has the answer.

    Attributes:
        limit: bytes of content that a whole read takes, if it is not told.
    """

    def __init__(self, ask: Ask, chain: RedirectChain, sender: OpenSender, limit: int) -> None:
        self.limit = limit
        self._ask = ask
        self._chain = chain
        self._sender = sender
        self._due = None if ask.timeout is None else asyncio.get_running_loop().time() + ask.timeout
        self._taken = 0
        self._content: AsyncGenerator[bytes, None] | None = None

    def __repr__(self) -> str:
        return f"<OpenBody {self._taken} bytes taken>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._content is not None:
                await self._content.aclose()
        finally:
            await self._sender.leave()

    async def answer(self) -> "OpenAnswer":
        """Send the request, and return the answer.

        Raises:
            FetchError: there is none.
        """
        followed = await self._follow(self._ask)
        self._final = followed.response
        head = answer_head(self._ask, followed.response, followed.history)
        return OpenAnswer(**{part.name: getattr(head, part.name) for part in fields(head)}, body=self)

    async def ask_again(self, headers: tuple[tuple[str, str], ...]) -> Response:
        """Ask with further headers for the URL that answered; the body of this answer comes now."""
        request = self._final.request
        asked = replace(self._ask, request=replace(request, headers=(*request.headers, *headers)))
        return (await self._follow(asked)).response

    async def _follow(self, ask: Ask) -> Followed:
        try:
            async with asyncio.timeout_at(self._due):
                return await self._chain.follow(ask, self._sender)
        except TimeoutError:
            raise self._ask.late() from None

    async def raw(self) -> bytes:
        """Return the next bytes as they were sent; empty = the body is complete.

        Raises:
            FetchError: it ends too early, is late, or is longer than it may be.
            UsageError: the answer was closed.
        """
        flow, most = self._sender.flow, self._ask.request.most
        if flow is None:
            raise UsageError("the answer is closed: read its body within `async with fetcher.open(...)`")
        try:
            async with asyncio.timeout_at(self._due):
                piece = await flow.piece()
        except TimeoutError:
            raise self._ask.late() from None
        self._taken += len(piece)
        if most is not None and self._taken > most:
            raise FetchError(Reason.BODY_LIMIT, f"its body is longer than {most} bytes (max_body)")
        return piece

    async def save(self, path: Path) -> None:
        """Write the content to a file; see `OpenAnswer.save`."""
        await save(self._final, self, path, self._ask.retry.tries)

    async def content(self) -> AsyncIterator[bytes]:
        """Yield what is left of the content, in pieces; raise as `raw`, or DECODE_ERROR."""
        if self._content is None:
            self._content = self._decoded(codings(self._final.codings))
        async for piece in self._content:  # which stays where it is when this loop is left
            yield piece

    async def _decoded(self, layers: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        if not layers:
            while piece := await self.raw():
                yield piece
            return
        decoder = FlowDecoder(layers, _ALL)
        try:
            while piece := await self.raw():
                for content in decoder.feed(piece):
                    if content:
                        yield content
            for content in decoder.finish():
                if content:
                    yield content
        except DecodeProblem as problem:
            raise FetchError(problem.reason, str(problem)) from problem


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class OpenAnswer(Answer):
    """An answer whose body is still to come; `body` is read by the methods."""

    body: OpenBody

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body as it was sent, content codings included."""
        while piece := await self.body.raw():
            yield piece

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content as it comes, or in chunks of `chunk_size` bytes, of which the last may be shorter."""
        if chunk_size is None:
            async for piece in self.body.content():
                yield piece
            return
        if chunk_size < 1:
            raise UsageError(f"chunk_size: expected 1 or more, got {chunk_size}")
        held = bytearray()
        async for piece in self.body.content():
            held += piece
            while len(held) >= chunk_size:
                yield bytes(held[:chunk_size])
                del held[:chunk_size]
        if held:
            yield bytes(held)

    async def iter_lines(self) -> AsyncIterator[str]:
        """Yield the lines of the content as text, without their ends.

        Their encoding is that of a byte order mark, else of Content-Type, else UTF-8: nothing more is known when the
        first lines are there. Bytes that cannot be decoded become U+FFFD.

        Raises:
            FetchError: BODY_LIMIT, a line is longer than 16 Mi characters.
        """
        reader: LineReader | None = None
        async for piece in self.body.content():
            if reader is None:
                reader = LineReader(decoder_of(self._content_type, piece))
            for line in reader.feed(piece):
                yield line
        for line in reader.finish() if reader else ():
            yield line

    async def iter_events(self) -> AsyncIterator[ServerSentEvent]:
        """Yield the server-sent events of the content (HTML standard, 9.2)."""
        reader = EventStreamReader()
        async for piece in self.body.content():
            for event in reader.feed(piece):
                yield event

    async def read(self, limit: int | None = None) -> bytes:
        """Return the content, or what is left of it; a longer one than `limit` bytes is an error.

        None = the limit is the `max_decoded` of the Fetcher.

        Raises:
            FetchError: BODY_LIMIT, it is longer; or the body ends too early, or cannot be decoded.
        """
        most = self.body.limit if limit is None else limit
        taken = BodyBuffer()
        async for piece in self.body.content():
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
            OSError: the file cannot be written.
        """
        self.raise_for_status()
        target = Path(path)
        await self.body.save(target)
        return target

    @property
    def _content_type(self) -> str:
        return ", ".join(self.headers.getall("Content-Type", ()))
