"""The shape of a row: the part that finds are compared with, as a short text that stands in the index of keys.

Rules
- A find that brings the shape nothing new brings its row nothing new (`core/merging.py`). So most links are settled by
  the index alone, and their rows, which lie all over a large file, are not read.
- A shape may tell less than its row: `line` and `lastmod` are left out. A find that has one is compared with the row.
Runs on: anywhere (pure).
"""

from functools import lru_cache

from crawler.core.discovery import Way
from crawler.core.merging import UrlRow
from crawler.core.reasons import Reason

_REMEMBERED = 10_000  # a site has dozens


@lru_cache(maxsize=_REMEMBERED)
def shape_of(way: Way, guess: int, refusal: Reason | None) -> str:
    """Return the shape of a row with these facts: its depth alone, where the rest is as of most rows."""
    marks = (way.hops, way.chain, int(way.seed), int(way.foreign), int(way.sitemap), int(guess), refusal or "")
    return " ".join(map(str, (way.depth, *marks))) if any(marks) else str(way.depth)


@lru_cache(maxsize=_REMEMBERED)
def row_of(shape: str) -> UrlRow:
    """Return what a shape tells of its row; equal shapes give one object."""
    depth, *marks = shape.split(" ")
    if not marks:
        return UrlRow(Way(depth=int(depth)), None, 0, None)
    hops, chain, seed, foreign, sitemap, guess = map(int, marks[:-1])
    way = Way(seed=bool(seed), depth=int(depth), hops=hops, chain=chain, foreign=bool(foreign), sitemap=bool(sitemap))
    return UrlRow(way, None, guess, Reason(marks[-1]) if marks[-1] else None)
