"""Joins that are remembered from page to page: the pages of a folder hold the same references.

Rules
- A reference is resolved against as much of its base as it can depend on: nothing if it is absolute, the origin if it
  begins with a slash, else the folder (URL standard, 4.4, "relative state"). One whose beginning does not show that at
  once, such as a query, white space and `http:x`, is resolved anew.
- Memory is bounded: MOST results, each of a reference and a base of at most MOST_CHARACTERS. The memory is emptied when
  it is full. No error is remembered.
Runs on: anywhere (pure).
"""

from crawler.core.urls import Url, parse

MOST = 16_384
MOST_CHARACTERS = 250

_UNCLEAR = frozenset("?#\\")


class _Memory:
    """URLs by reference, for each part of a base that they depend on; `room` is for how many more."""

    def __init__(self) -> None:
        self._by_base: dict[str, dict[str, Url]] = {}
        self.room = MOST

    def of(self, base: str) -> dict[str, Url]:
        """Return the URLs that are remembered for a base."""
        if self.room <= 0:
            self._by_base.clear()
            self.room = MOST
        if base not in self._by_base:
            self._by_base[base] = {}
            self.room -= 1
        return self._by_base[base]


_memory = _Memory()


class Joiner:
    """A resolver of references against one base; None = only whole URLs lead anywhere."""

    __slots__ = ("_beside", "_rooted", "_whole", "base")

    def __init__(self, base: Url | None) -> None:
        self.base = base
        self._beside: dict[str, Url] = {}  # stays empty where nothing is remembered
        self._whole: dict[str, Url] | None = None
        if base and len(base.href) <= MOST_CHARACTERS:
            origin, folder = _parts(base.href)
            self._beside, self._rooted, self._whole = _memory.of(folder), _memory.of(origin), _memory.of("")

    def join(self, reference: str) -> Url:
        """Return `parse(reference, base)`.

        Raises:
            UrlError: as `parse` does.
        """
        known = self._beside.get(reference)
        return self._join(reference) if known is None else known

    def _join(self, reference: str) -> Url:
        first = reference[:1]
        if self._whole is None or len(reference) > MOST_CHARACTERS or first <= " " or first in _UNCLEAR:
            return parse(reference, self.base)
        known = self._rooted if first == "/" else self._beside
        if ":" in reference:
            if not reference.startswith(("http://", "https://")):
                return parse(reference, self.base)
            known = self._whole
        if (url := known.get(reference)) is None:
            url = parse(reference, self.base)
            if _memory.room > 0:
                known[reference] = url
                _memory.room -= 1
        return url


def _parts(href: str) -> tuple[str, str]:
    """Return the origin and the folder of a base, each with a slash at its end."""
    path = href.index("/", len("https://"))
    folder = href.rindex("/", path, None if (query := href.find("?", path)) < 0 else query)
    return href[: path + 1], href[: folder + 1]
