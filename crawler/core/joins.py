"""Joins that are remembered from page to page: the pages of a folder hold the same references.

Rules
- A reference is resolved against as much of its base as it can depend on: nothing if it is absolute, the origin if it
  begins with a slash, else the folder (URL standard, 4.4, "relative state"). One whose beginning does not show that at
  once, such as a query, white space and `http:x`, is resolved anew.
- Memory is bounded: MOST results, each of a reference and a base of at most MOST_CHARACTERS. No error is remembered.
Runs on: anywhere (pure).
"""

from functools import lru_cache

from crawler.core.urls import Url, parse

MOST = 16_384
MOST_CHARACTERS = 250

_UNCLEAR = frozenset("?#\\")


class Joiner:
    """A resolver of references against one base; None = only whole URLs lead anywhere."""

    __slots__ = ("_parts", "base")

    def __init__(self, base: Url | None) -> None:
        self.base = base
        self._parts = _parts(base.href) if base and len(base.href) <= MOST_CHARACTERS else None

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


def _parts(href: str) -> tuple[str, str]:
    """Return the first page of a base's origin, and its folder: both are as canonical as the base."""
    path = href.index("/", len("https://"))
    folder = href.rindex("/", path, None if (query := href.find("?", path)) < 0 else query)
    return href[: path + 1], href[: folder + 1]


@lru_cache(maxsize=MOST)
def _remembered(reference: str, base: str | None) -> Url:
    return parse(reference, None if base is None else _base(base))


_base = lru_cache(maxsize=64)(parse)  # as text, a base is found in a third of the time
