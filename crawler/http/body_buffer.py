"""The buffer of a body that arrives in pieces and is needed whole.

Rules
- A large body is never held twice: it lies in a buffer that grows as pieces come, and becomes the whole itself.
- A small body is a list of its pieces, joined at the end: many small buffers that grow leave holes in the heap.
Strategy: a BytesIO gives its buffer away without a copy, and the C library moves a large block to a place with more
room without copying it either.
Runs on: anywhere (pure).
"""

from io import BytesIO

_LARGE = 256 * 1024


class BodyBuffer:
    """A body under construction: `add` each piece; `whole` is all of it. `size` is in bytes."""

    __slots__ = ("_buffer", "_latest", "_latest_size", "size")

    def __init__(self) -> None:
        self.size = 0
        self._buffer: BytesIO | None = None
        self._latest: list[bytes] = []  # pieces that are not in the buffer yet
        self._latest_size = 0

    def __repr__(self) -> str:
        return f"<BodyBuffer {self.size} bytes>"

    def add(self, piece: bytes) -> None:
        """Append a piece."""
        self._latest.append(piece)
        self.size += len(piece)
        self._latest_size += len(piece)
        if self._latest_size >= _LARGE:
            self._write()

    def whole(self) -> bytes:
        """Return all pieces in one."""
        if self._buffer is None:
            return b"".join(self._latest)
        self._write()
        return self._buffer.getvalue()

    def _write(self) -> None:
        if self._buffer is None:
            self._buffer = BytesIO(b"".join(self._latest))  # large from the start
            self._buffer.seek(0, 2)
        else:
            self._buffer.writelines(self._latest)
        self._latest.clear()
        self._latest_size = 0
