"""Joins that are remembered from page to page: the pages of a folder hold the same references.

Rules
- A reference is resolved against as much of its base as it can depend on: nothing if it is absolute, the origin if it
  begins with a slash, else the folder (URL standard, 4.4, "relative state"). One whose beginning does not show that at
  once, such as a query, white space and `http:x`, is resolved anew.
- Memory is bounded: MOST results, each of a reference and a base of at most MOST_CHARACTERS. No error is remembered.
Runs on: anywhere (pure).
"""

from functools import lru_cache

from msgspec.structs import replace

from crawler.core.urls import Url, parse

MOST = 16_384
MOST_CHARACTERS = 250

_UNCLEAR = frozenset("?#\\")


class Joiner:
    """A resolver of references against one base; None = only whole URLs lead anywhere."""

    __slots__ = ("_parts", "base")

    def __init__(self, base: Url | None) -> None:
        self.base = base
        self._parts = _parts(base) if base and len(base.href) <= MOST_CHARACTERS else None

    def join(self, reference: str) -> Url:
        """Return `parse(reference, base)`.

        Raises:
            UrlError: as `parse` does.
        """
        first = reference[:1]
        if self._parts is None or len(reference) > MOST_CHARACTERS or first <= " " or first in _UNCLEAR:
            return parse(reference, self.base)
        if ":" not in reference:
            return _remembered(reference, self._parts[first != "/"])
        if reference.startswith(("http://", "https://")):
            return _remembered(reference, None)
        return parse(reference, self.base)


def _parts(base: Url) -> tuple[Url, Url]:
    """Return the first page of the base's origin, and its folder: both are as canonical as the base."""
    href = base.href
    path = href.index("/", len("https://"))
    folder = href.rindex("/", path, None if (query := href.find("?", path)) < 0 else query)
    return replace(base, href=href[: path + 1]), replace(base, href=href[: folder + 1])


_remembered = lru_cache(maxsize=MOST)(parse)
