"""URLs that were come across, and how each was reached.

Rules
- Facts are frozen. Whoever needs another fact makes a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import msgspec

from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.core.ways import START, Way


class Guess(IntEnum):
    """Return whether a URL's scheme was written wherever it was found, or https was guessed (`core/guesses.py`)."""

    WRITTEN = 0
    GUESSED = 1
    BOTH = 2


class Find(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A URL that was come across: a line of a list, a link, the target of a redirect.

    A struct, as `Url` is and for the same reason.

    Attributes:
        named: the user named its host and port.
        line: its line in `seeds.txt`; None for anything but a seed.
        refusal: why it is not to be fetched; None = allowed. An allowed find beats a refused one.
        guess: whether its scheme was written, a value of `Guess`.
    """

    url: Url
    way: Way = START
    named: bool = False
    line: int | None = None
    refusal: Reason | None = None
    guess: int = Guess.WRITTEN


_PACKER, _UNPACKER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(tuple[Find, ...])


@dataclass(frozen=True, slots=True)
class Finds:
    """The finds of a page as one piece of bytes, a seventh of their size: so they travel and wait for their commit.

    Going over them makes them anew. `size` is in bytes.
    """

    packed: bytes = b""
    count: int = 0

    @classmethod
    def of(cls, finds: Iterable[Find]) -> Self:
        """These finds, in their order."""
        listed = tuple(finds)
        return cls(_PACKER.encode(listed), len(listed)) if listed else cls()

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.packed)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Find]:
        return iter(_UNPACKER.decode(self.packed) if self.packed else ())
