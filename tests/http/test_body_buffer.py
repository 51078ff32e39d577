"""Bodies that arrive in pieces."""

import tracemalloc

import pytest

from crawler.http.body_buffer import BodyBuffer

KIB = 1024


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [5], [1, 2, 3], [300 * KIB], [300 * KIB, 1], [100 * KIB] * 9, [1, 256 * KIB, 0, 255 * KIB, 7]],
    ids=str,
)
def test_the_whole_is_all_pieces_in_order(sizes: list[int]) -> None:
    """Pieces of any size, asked for any number of times."""
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    taken = BodyBuffer()

    for piece in pieces:
        taken.add(piece)
        assert taken.whole().endswith(piece)

    assert taken.whole() == b"".join(pieces)
    assert taken.size == sum(sizes)


def test_nothing_large_is_held_twice() -> None:
    """Not while pieces come, and not when the whole is taken."""
    tracemalloc.start()
    taken = BodyBuffer()
    for _ in range(160):
        taken.add(bytes(100 * KIB))
    whole = taken.whole()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(whole) == 16_000 * KIB
    assert peak < 1.2 * len(whole)
