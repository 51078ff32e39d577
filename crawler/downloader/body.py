"""The body of one answer, read within the limits of size, memory, byte rate and time.

Rules
- A body is cut at the size limit. One that ends too early is an error.
- Room is reserved before bytes are kept: a known length at once, an unknown one in steps of 256 KiB.
- Waiting for a slot, for memory or for the byte rate is not the server's time: the deadline moves by it. A server that
  gives up after we let it wait for half a second is not blamed.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from crawler.core.errors import FetchError
from crawler.core.protocols import Room
from crawler.core.rate_limits import RateGate
from crawler.core.reasons import Reason
from crawler.downloader.connection import HttpConnection
from crawler.downloader.failures import FOREIGN
from crawler.downloader.timing import Deadline
from crawler.http.body_buffer import BodyBuffer

_STEP = 256 * 1024
_LONG = 0.5  # seconds for which a server may have waited for us, and given up
PATIENCE = 0.5  # seconds for a body of no use: most come with the head, and leave the connection in order


class ByteRate:
    """A limit of bytes per second over all bodies that are being received."""

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._gate = RateGate(rate)
        self._now = now

    async def wait(self, size: int) -> float:
        """Wait until `size` bytes more may have come; return the seconds waited."""
        now = self._now()
        self._gate.pass_through(now, size)
        pause = max(0.0, self._gate.due(now) - now)
        await asyncio.sleep(pause)
        return pause


class BodyReader:
    """Reads the body of one fetch; `is_cut` tells afterwards whether it is incomplete.

    Args:
        limit: bytes that are kept.
        room: leave to go on and memory; None = there is enough of both.
        deadline: of the whole fetch.
        rate: None = as fast as the body comes.
    """

    def __init__(self, limit: int, room: Room | None, deadline: Deadline, rate: ByteRate | None) -> None:
        self.is_cut = False
        self.deadline = deadline
        self._limit = limit
        self._room = room
        self._rate = rate
        self._reserved = 0
        self._has_waited = False
        self._taken = BodyBuffer()

    async def answered(self, source: HttpConnection) -> None:
        """Wait until the room lets us go on."""
        if self._room is not None:
            await self._wait(self._room.answered(), source)

    async def whole(self, length: int | None, source: HttpConnection) -> bytes:
        """Return the whole body, or as much as the limit allows; `length` is the one that the head states.

        Raises:
            FetchError: the body ends too early; not counted when we made the server wait.
        """
        self._taken = BodyBuffer()  # without the bytes of an attempt before this one
        self.is_cut = False
        if source.is_empty:
            return b""
        if source.is_complete and self._rate is None:
            return await self._complete(source)
        try:
            await self._reserve(length or _STEP, source)
            size = 0
            while not self.is_cut and (piece := await source.piece()):
                size += len(piece)
                self._taken.add(piece if size <= self._limit else piece[: self._limit - size])
                if self._rate is not None:
                    await self._wait(self._rate.wait(len(piece)), source)
                self.is_cut = size > self._limit
                if size >= self._reserved and not self.is_cut and not source.is_empty:
                    await self._reserve(self._reserved + _STEP, source)
        except (FetchError, *FOREIGN) as error:
            if self._has_waited:
                raise FetchError(Reason.TRUNCATED, "it broke while it waited for memory", counted=False) from error
            raise
        return self._taken.whole()

    async def _complete(self, source: HttpConnection) -> bytes:
        """Return a body that has come already, as most do with their heads."""
        await self._reserve(source.held, source)
        content = source.rest()
        self.is_cut = len(content) > self._limit
        return content[: self._limit]

    async def brief(self, length: int | None, source: HttpConnection) -> bytes:
        """Return as much of a body of no use as comes within half a second; no error ends it."""
        if source.is_empty:
            return b""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.whole(length, source)
        except (TimeoutError, FetchError, *FOREIGN):
            self.is_cut = True
            return self._taken.whole()

    async def _reserve(self, wanted: int, source: HttpConnection) -> None:
        """Reserve room for `wanted` bytes in all; the socket is not read meanwhile."""
        more = min(wanted, self._limit) - self._reserved
        if self._room is None or more <= 0:
            return
        source.pause()
        there = self._taken.size + source.held - self._reserved
        await self._wait(self._room.grow(more, max(0, min(more, there))), source)
        self._reserved += more
        source.read_on()

    async def _wait(self, granted: Awaitable[float], source: HttpConnection) -> None:
        """Wait without a deadline, then move the deadline by the seconds waited."""
        self.deadline.is_suspended = True
        try:
            waited = await granted
        finally:
            self.deadline.is_suspended = False
        if waited:
            self.deadline.due += waited
            self._has_waited = self._has_waited or waited > _LONG
            source.watch()
