"""Groups of targets in the report: a tag, or the method and the path with its variable parts taken out.

Rules
- Numbers, UUIDs, hexadecimal text from 8 characters, dates and long mixed text become `{id}`, a `${column}` becomes
  `{column}`; the query is dropped. A part of a name between dots counts alone: `app.3f2a9c1b.js` is `app.{id}.js`.
- A name comes from a file, so it is made safe to show.
- A report has at most 100 groups: the least common ones count together as `other`.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from crawler.core.text import safe

MOST = 100
OTHER = "other"
_LONGEST = 100  # characters of a name
_MARKS = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE = re.compile(
    r"""
    [+-]?\d+                                                       # a number
    | [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} # a UUID (RFC 9562)
    | [0-9a-f]{8,}                                                 # a digest, or a part of one
    | \d{4}[-_]\d{2}(?:[-_]\d{2})?(?:T[\d:]+Z?)?                   # a date
    | (?=(?:[^\d]*\d){3})(?=[^a-z]*[a-z])[\w=~-]{16,}              # a token: 16 characters with three digits
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


@lru_cache(maxsize=10_000)
def group_name(method: str, path: str) -> str:
    """Return the group of a request without a tag; `path` may hold a query, and columns of a feed."""
    parts = path.partition("?")[0].partition("#")[0].split("/")
    return f"{method} {'/'.join(_part(part) for part in parts)}"


@lru_cache(maxsize=10_000)
def _part(part: str) -> str:
    if len(part) < 8 and part.isalpha():
        return part
    if "${" in part:
        return _MARKS.sub(r"{\1}", part)
    if _VARIABLE.fullmatch(part):
        return "{id}"
    return ".".join("{id}" if _VARIABLE.fullmatch(piece) else piece for piece in part.split("."))


def merged(names: Sequence[str], counts: Sequence[int], most: int = MOST) -> tuple[tuple[str, ...], list[int]]:
    """Return the groups that are shown, the most common first, and the place of each name among them."""
    ranked = sorted(range(len(names)), key=lambda number: (-counts[number], names[number]))
    kept = ranked if len(ranked) <= most else ranked[: most - 1]
    place = {names[number]: at for at, number in enumerate(kept)}
    if len(kept) < len(ranked):
        place.setdefault(OTHER, len(kept))
    return tuple(safe(name, _LONGEST) for name in place), [place.get(name, place.get(OTHER, 0)) for name in names]
