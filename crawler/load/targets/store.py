"""The requests of a test in one mapped file, which all processes share: their bytes, and what is known of each.

Strategy: the bytes come first, as they are made; arrays of numbers follow (place and length, group, origin...). A
process maps the file, so a million requests cost it no memory of its own, and no request is made while the test runs.
Rules
- A file is written once and never changed; `Layout` says where each array lies, and travels to the processes.
- No more than `MOST_REQUESTS` and `MOST_BYTES`: the file is temporary, and often in memory.
Runs on: the main thread before the test; the loop that loads.
"""

import mmap
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from crawler.core.errors import StorageError, UsageError
from crawler.core.text import size

MOST_REQUESTS = 10_000_000
MOST_BYTES = 8 << 30
_FLUSH = 1 << 20


@contextmanager
def room_gate(path: Path) -> Iterator[None]:
    """Raise a StorageError in place of an OSError; `path` is the temporary file that the block writes."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path.parent}: {error.strerror or error}: the requests of a test are kept there, set TMPDIR to a folder"
            " that has room for them"
        ) from None


class Section(msgspec.Struct, frozen=True):
    """The place of an array: its type (as in the module `array`), its first byte and its length in items."""

    kind: str
    begin: int
    count: int


Layout = dict[str, Section]


class StoreWriter:
    """A store in the making, as a context manager: `add` each request, then `finish`.

    The arrays `groups` (numbers of any names), `moments` and others are the caller's until then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._buffer = bytearray()
        self._end = 0
        self.starts, self.lengths = array("Q"), array("I")
        self.origins, self.heads = array("B"), array("B")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, message: bytes, origin: int, *, is_head: bool) -> None:
        """Add a request.

        Raises:
            UsageError: it is one more than a store holds.
        """
        self.starts.append(self._end)
        self.lengths.append(len(message))
        self.origins.append(origin)
        self.heads.append(is_head)
        self._buffer += message
        self._end += len(message)
        if len(self._buffer) >= _FLUSH:
            self._flush()

    def repeat(self, times: int) -> None:
        """Add the request that was added last so many times more; its bytes are shared."""
        if times > 0:
            self._check(len(self) + times)
            for numbers in (self.starts, self.lengths, self.origins, self.heads):
                numbers.extend([numbers[-1]] * times)

    def _check(self, count: int) -> None:
        if self._end > MOST_BYTES or count > MOST_REQUESTS:
            raise UsageError(
                f"more than {MOST_REQUESTS:,} requests or {size(MOST_BYTES)} of them, rows of a --feed"
                " included: take a part of them"
            )

    def _flush(self) -> None:
        self._check(len(self))
        with room_gate(self.path):
            self._file.write(self._buffer)
        self._buffer.clear()

    def finish(self, numbers: dict[str, "array[Any]"]) -> Layout:
        """Write the arrays behind the requests, with these ones, and return the layout."""
        self._flush()
        layout = {}
        own = {"starts": self.starts, "lengths": self.lengths, "origins": self.origins, "heads": self.heads}
        with room_gate(self.path):
            for name, items in (own | numbers).items():
                layout[name] = Section(items.typecode, self._file.tell(), len(items))
                items.tofile(self._file)
            self._file.flush()
        return layout


class Store:
    """A store that is mapped into this process."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._whole = memoryview(self._map)
        self._views: list[memoryview] = []

    def __contains__(self, name: str) -> bool:
        return name in self._layout

    def numbers(self, name: str) -> memoryview:
        """Return an array of the store."""
        section = self._layout[name]
        end = section.begin + section.count * array(section.kind).itemsize
        view: memoryview = self._whole[section.begin : end].cast(section.kind)  # type: ignore[call-overload]
        self._views.append(view)
        return view

    def reader(self) -> Callable[[int], bytes]:
        """Return the function that returns the bytes of a request: it is called for each that is sent."""
        starts, lengths, mapped = self.numbers("starts"), self.numbers("lengths"), self._map

        def message(number: int) -> bytes:
            start = starts[number]
            return mapped[start : start + lengths[number]]

        return message

    def close(self) -> None:
        """Unmap the file; no array of it can be read afterwards."""
        for view in (*self._views, self._whole):
            view.release()
        self._map.close()
