"""URLs that were found, each with the way to it.

Rules
- Facts are frozen: a changed fact is a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Self

import msgspec

from crawler.core.discovery import START, Way
from crawler.core.reasons import Reason
from crawler.core.urls import Url


class Guess(IntEnum):
    """The source of a URL's scheme: written in every find, guessed as https, or both (`core/scheme_guesses.py`)."""

    WRITTEN = 0
    GUESSED = 1
    BOTH = 2


class Find(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A URL that was found: a line of a list, a link, the target of a redirect.

    A struct, as `Url` is and for the same reason.

    Attributes:
        way: how the URL was reached.
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


class Finds(msgspec.Struct, frozen=True):
    """The finds of a page, packed into bytes of a seventh of their size until their commit.

    Each iteration unpacks them anew. `size` is in bytes.
    """

    packed: bytes = b""
    count: int = 0

    @classmethod
    def of(cls, finds: Iterable[Find]) -> Self:
        """Return these finds packed, in their order."""
        listed = tuple(finds)
        return cls(_PACKER.encode(listed), len(listed)) if listed else cls()

    @property
    def size(self) -> int:
        """Return the number of bytes in memory."""
        return len(self.packed)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Find]:
        return iter(_UNPACKER.decode(self.packed) if self.packed else ())
