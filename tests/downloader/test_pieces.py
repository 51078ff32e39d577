"""downloader.pieces: whole bodies out of pieces."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from crawler.downloader.pieces import whole_body


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    """Yield the pieces."""
    for piece in given:
        yield piece


class SlowRoom:
    """Room that is given at once, and says that it took an hour; `grown` holds what was asked for."""

    def __init__(self) -> None:
        self.grown: list[tuple[int, int]] = []

    async def answered(self) -> float:
        """Give leave at once."""
        return 0.0

    async def grow(self, n: int, there: int = 0, /) -> float:
        """Give room."""
        self.grown.append((n, there))
        return 3600.0


@pytest.mark.parametrize(
    ("most", "body", "is_cut"), [(6, b"onetwo", False), (5, b"onetw", True), (3, b"one", True), (0, b"", True)]
)
async def test_a_body_is_cut_at_the_limit(most: int, body: bytes, is_cut: bool) -> None:
    """A body of exactly the limit is whole, and one byte more is cut."""
    async with asyncio.timeout(None) as limit:
        assert await whole_body(pieces(b"one", b"two"), most, None, limit) == (body, is_cut)


async def test_the_wait_for_room_moves_the_deadline() -> None:
    """Room is taken in steps before bytes are kept, and the time waited for it is given back."""
    room = SlowRoom()
    async with asyncio.timeout(60) as limit:
        due = limit.when()
        await whole_body(pieces(b"a" * 10, b"b" * 10, b"c" * 300_000), 1 << 30, room, limit)
        moved = limit.when()

    assert room.grown == [(256 * 1024, 10), (300_000, 300_000)]
    assert due is not None
    assert moved == pytest.approx(due + 2 * 3600)
