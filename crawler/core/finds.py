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


Judged = tuple[Url, Way, Reason | None]
"""The URL of a link, the way to it and its refusal: a find by a link has the defaults in all else."""


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A find, and those right behind it on its page that differ in nothing but their URLs, of the same origin.

    Most links of a page are one run: its facts are packed once, and judged once.

    Attributes:
        find: the first of them.
        others: the URLs of the rest, as `Url.href`.
    """

    find: Find
    others: tuple[str, ...] = ()

    @property
    def hrefs(self) -> tuple[str, ...]:
        """Return the URLs of all of them, in order."""
        return (self.find.url.href, *self.others)

    def of(self, href: str) -> Find:
        """Return the find with this URL of the run."""
        find = self.find
        if href == find.url.href:
            return find
        url = Url(href, find.url.scheme, find.url.host, find.url.port)
        return Find(url=url, way=find.way, named=find.named, line=find.line, refusal=find.refusal, guess=find.guess)


_PACKER, _UNPACKER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(tuple[Run, ...])


def runs_of(finds: Iterable[Find]) -> Iterable[Run]:
    """Return the finds of a page as runs, in their order."""
    if isinstance(finds, Finds):
        return finds.runs()
    return map(Run, finds)


class Finds(msgspec.Struct, frozen=True):
    """The finds of a page, packed into bytes of a tenth of their size until their commit.

    Each iteration unpacks them anew. `size` is in bytes.
    """

    packed: bytes = b""
    count: int = 0

    @classmethod
    def of(cls, links: Iterable[Judged]) -> Self:
        """Return the finds of these links packed, in their order."""
        runs: list[tuple[Find, list[str]]] = []
        others: list[str] = []
        last_way: Way | None = None
        last_refusal, start, count = None, "", 0
        for url, way, refusal in links:
            count += 1
            href = url.href
            if way == last_way and refusal is last_refusal and href.startswith(start):
                others.append(href)
                continue
            last_way, last_refusal, start, others = way, refusal, f"{url.origin}/", []
            runs.append((Find(url=url, way=way, refusal=refusal), others))
        return cls(_PACKER.encode(runs), count) if runs else cls()

    @property
    def size(self) -> int:
        """Return the number of bytes in memory."""
        return len(self.packed)

    def runs(self) -> tuple[Run, ...]:
        """Return the finds as runs, in their order."""
        return _UNPACKER.decode(self.packed) if self.packed else ()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Find]:
        return (run.of(href) for run in self.runs() for href in run.hrefs)
