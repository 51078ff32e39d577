"""Whole bodies out of pieces, within the limits of size, memory and time.

Rules
- A body is cut at the size limit.
- Room is taken before a piece is kept, in steps of 256 KiB. The wait for it moves the deadline: the server is not to
  blame for it.
Runs on: the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable

from crawler.core.protocols import Room
from crawler.http.body_buffer import BodyBuffer

_STEP = 256 * 1024  # bytes of a body for which room is taken at once


async def whole_body(
    pieces: AsyncIterator[bytes], most: int, room: Room | None, limit: asyncio.Timeout
) -> tuple[bytes, bool]:
    """Return at most `most` bytes of the pieces, and whether there are more."""
    taken, reserved = BodyBuffer(), 0
    async for piece in pieces:
        if room is not None and taken.size + len(piece) > reserved:
            step = max(_STEP, len(piece))
            await unhurried(room.grow(step, len(piece)), limit)
            reserved += step
        left = most - taken.size
        taken.add(piece[:left])
        if len(piece) > left:
            return taken.whole(), True
    return taken.whole(), False


async def unhurried(granted: Awaitable[float], limit: asyncio.Timeout) -> None:
    """Wait for room without a deadline, then move the deadline by the seconds waited."""
    due = limit.when()
    limit.reschedule(None)
    waited = await granted
    limit.reschedule(due + waited if due is not None else None)
