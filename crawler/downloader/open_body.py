"""The body of an open answer: its bytes, its content without codings, and the clock of its request.

Rules
- A read goes on where the one before it stopped, also one that was left or cancelled: what was taken and not given to
  the user stays here. One that would lose bytes, since the one before it read in another way, is an error.
- The `timeout` of the request counts while the answer is waited for, and not while its pieces are used.
- An error ends all further reads, too.
Runs on: the event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from msgspec.structs import replace

from crawler.core.errors import FetchError, UsageError
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.downloader.call_places import OpenSender
from crawler.downloader.download import save
from crawler.downloader.fetched import sent
from crawler.downloader.redirect_chain import Followed, RedirectChain
from crawler.downloader.request_options import Ask
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, FlowDecoder, codings
from crawler.http.event_stream import EventStreamReader
from crawler.http.lines import LineReader

_ALL = 1 << 62  # bytes: a reader of pieces sets its own limit
_CLOSED = "the answer is closed: read its body within `async with fetcher.open(...)`"

T = TypeVar("T")


class OpenBody:
    """The body of an open answer, read once; open between `async with` and its end.

    Args:
        ask: the request.
        chain: follows it.
        sender: has the answer.
        limit: bytes of content that `whole` returns, if it is not told (`max_decoded`).

    Attributes:
        taken: bytes of the body so far, as they were sent.
        unit_reader: reads its lines or events; None = none was asked for yet.
    """

    def __init__(self, ask: Ask, chain: RedirectChain, sender: OpenSender, limit: int) -> None:
        self.taken = 0
        self.unit_reader: LineReader | EventStreamReader | None = None
        self._limit = limit
        self._ask = ask
        self._chain = chain
        self._sender = sender
        self._left = ask.timeout
        self._kind = ""  # the way in which it is read
        self._is_read = False  # by a task, now
        self._error: Exception | None = None
        self._decoder: FlowDecoder | None = None
        self._decoded: Iterator[bytes] = iter(())
        self._ahead = bytearray()  # content that was taken, and not given to the user
        self._is_decoded = False  # all of it
        self._units: Iterator[Any] = iter(())

    def __repr__(self) -> str:
        return f"<OpenBody {self.taken} bytes taken>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sender.leave()

    async def ask(self) -> Followed:
        """Send the request, and return the head of its answer.

        Raises:
            FetchError: there is none.
        """
        followed = await self._in_time(self._chain.follow(self._ask, self._sender))
        self._final = followed.response
        if layers := codings(self._final.codings):
            self._decoder = FlowDecoder(layers, _ALL)
        return followed

    async def ask_again(self, headers: tuple[tuple[str, str], ...]) -> Response:
        """Ask with further headers for the URL that answered; the body of this answer comes now."""
        request = self._final.request
        asked = replace(self._ask, request=replace(request, headers=(*request.headers, *headers)))
        response = (await self._in_time(self._chain.follow(asked, self._sender))).response
        layers = codings(response.codings)
        self._decoder = FlowDecoder(layers, _ALL) if layers else None
        self._decoded, self._is_decoded = iter(()), False
        self.taken = 0
        return response

    async def tell_retry(self, pause: float, error: FetchError) -> None:
        """Tell the user that the body broke, and is asked for again after so many seconds."""
        await self._chain.tell_retry(sent(self._final.request), pause, error)

    async def _in_time(self, wait: Coroutine[Any, Any, T]) -> T:
        """Return the result of a wait that counts towards the timeout."""
        if self._left is None:
            return await wait
        now = asyncio.get_running_loop().time
        began, timeout = now(), asyncio.timeout(self._left)
        try:
            async with timeout:
                return await wait
        except TimeoutError:
            if timeout.expired():
                raise self._ask.late() from None
            raise  # the user's own, of a body that is sent
        finally:
            self._left -= now() - began

    @contextmanager
    def reading(self, kind: str) -> Iterator[None]:
        """Read the body within the block, and in this way from now on; an error of the block ends all further reads.

        Raises:
            UsageError: it is closed, or was read in another way, whose reader may hold bytes.
            Exception: the read before has ended with it.
        """
        if self._sender.flow is None:
            raise UsageError(_CLOSED)
        if self._kind not in {"", kind}:
            raise UsageError(f"the body is read by {self._kind} already: go on with that, or open the answer anew")
        if self._error is not None:
            raise self._error
        self._kind = kind
        try:
            yield
        except UsageError:  # of the reader, who may do better
            raise
        except Exception as error:
            self._error = error
            raise

    async def raw(self) -> bytes:
        """Return the next bytes as they were sent; empty = the body is complete.

        Raises:
            FetchError: it ends too early, is late, or is longer than it may be.
            UsageError: the answer was closed, or another task waits for the same bytes.
        """
        flow, most = self._sender.flow, self._ask.request.most
        if flow is None:
            raise UsageError(_CLOSED)
        if self._is_read:
            raise UsageError("another task reads this body now: read it in one task at a time")
        self._is_read = True
        try:
            piece = await self._in_time(flow.piece())
        finally:
            self._is_read = False
        self.taken += len(piece)
        if most is not None and self.taken > most:
            raise FetchError(Reason.BODY_LIMIT, f"its body is longer than {most} bytes (max_body)")
        return piece

    async def save(self, path: Path) -> None:
        """Write the content to a file; see `OpenAnswer.save`."""
        if self._kind:
            raise UsageError("a part of the body was read already: save it before anything else, or open it anew")
        if self._final.request.method == "HEAD":
            raise UsageError("save: the answer to HEAD has no body: ask with GET")
        with self.reading("save"):
            await save(self._final, self, path, self._ask.retry.tries)

    async def content(self) -> bytes:
        """Return the next bytes of the content; empty = it is complete. Raise as `raw`, or DECODE_ERROR."""
        if not self._ahead:
            return await self._next_piece()
        piece = bytes(self._ahead)
        self._ahead.clear()
        return piece

    async def chunk(self, size: int) -> bytes:
        """Return the next `size` bytes of the content; fewer at its end. Raise as `content`."""
        while len(self._ahead) < size and (piece := await self._next_piece()):
            self._ahead += piece
        chunk = bytes(self._ahead[:size])
        del self._ahead[:size]
        return chunk

    async def whole(self, limit: int | None) -> bytes:
        """Return the content that is left. Raise as `content`, or BODY_LIMIT: it is longer than `limit` bytes."""
        most, keyword = (self._limit, "max_decoded") if limit is None else (limit, "limit")
        taken = BodyBuffer()
        try:
            while piece := await self.content():
                taken.add(piece)
                if taken.size > most:
                    raise FetchError(Reason.BODY_LIMIT, f"its content is longer than {most} bytes ({keyword})")
        except (asyncio.CancelledError, UsageError):  # the next read has them
            self._ahead[:0] = taken.whole()
            raise
        return taken.whole()

    async def units(self, start: Callable[[bytes], LineReader | EventStreamReader]) -> AsyncGenerator[Any, None]:
        """Yield the lines or events of the content; `start` makes their reader, for content that begins so."""
        while True:
            for unit in self._units:  # which goes on where it was left
                yield unit
            piece = await self.content()
            if self.unit_reader is None:
                self.unit_reader = start(piece)
            if not piece:
                break
            self._units = iter(self.unit_reader.feed(piece))
        self._units = iter(self.unit_reader.finish() if isinstance(self.unit_reader, LineReader) else ())
        for unit in self._units:
            yield unit

    async def _next_piece(self) -> bytes:
        if self._decoder is None:
            return await self.raw()
        try:
            return await self._next_decoded(self._decoder)
        except DecodeProblem as problem:
            raise FetchError(problem.reason, str(problem)) from problem

    async def _next_decoded(self, decoder: FlowDecoder) -> bytes:
        await asyncio.sleep(0)  # a step: of little that came, there may be much to decompress
        while True:
            for content in self._decoded:  # which goes on where it was left
                if content:
                    return content
                await asyncio.sleep(0)
            if self._is_decoded:
                return b""
            piece = await self.raw()
            self._decoded = decoder.feed(piece) if piece else decoder.finish()
            self._is_decoded = not piece
