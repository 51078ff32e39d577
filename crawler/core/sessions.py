"""Session ids in URLs: which part of one is an id, and when its document shows that it is content after all.

Rules
- The names that frameworks give (PHP, Java, ASP, ColdFusion, osCommerce, Zen Cart, xt:Commerce) say enough.
- The names that people give need a value that looks drawn: `sid` may be a story or a station, and `session` one of a
  conference. Words, slugs, dates, versions and plain numbers do not look so. `s` is a search almost everywhere, so it
  needs the 32 hexadecimal digits that forums write.
- A session differs from answer to answer, and not from link to link. So two values for the same rest of a URL, in one
  document, are two pages. In a document that is such a page itself it takes three: old links of users stand there too.
Runs on: anywhere (pure).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from crawler.core.models import Find
from crawler.core.urls import Host, Url

_FRAMEWORKS = r"(?:phpsessid|jsessionid|aspsessionid[a-z]*|cfid|cftoken|oscsid|zenid|xtcsid)="
_PEOPLE = r"(s|sid|sess|sessid|session|session[_-]?id)="
_GIVEN = re.compile(rf"(?<=[?&;/])(?:{_FRAMEWORKS}[^&;/?]*|\(s\(\w+\)\))", re.IGNORECASE | re.ASCII)
_CHOSEN = re.compile(rf"(?<=[?&;/]){_PEOPLE}([^&;/?]*)", re.IGNORECASE | re.ASCII)
_EITHER = re.compile(rf"[?&;/](?:{_FRAMEWORKS}|{_PEOPLE}|\(s\()", re.IGNORECASE | re.ASCII)


class InSession(NamedTuple):
    """A URL's path and query without its session ids; `values` are those under names that people give."""

    page: str
    values: tuple[str, ...]


def in_session(target: str) -> InSession | None:
    """Take the session ids out of a path and query; None = it has none."""
    if not _EITHER.search(target):  # as in most URLs
        return None
    page, count = _GIVEN.subn("", target)
    if count:
        return InSession(_CHOSEN.sub(_unless_drawn, page), ())
    values = tuple(found[2] for found in _CHOSEN.finditer(target) if _is_id(found))
    return InSession(_CHOSEN.sub(_unless_drawn, target), values) if values else None


class Document:
    """The links of a document, which can tell whether the ids in them tell pages apart.

    Strategy: the links are looked at when the first id asks, which in most documents none does.
    """

    def __init__(self, url: Url, finds: Iterable[Find]) -> None:
        self._url = url
        self._finds = finds
        self._apart: frozenset[tuple[Host, str]] | None = None

    def tells_apart(self, host: Host, page: str) -> bool:
        """Return whether the document shows a page of this host under several values."""
        if self._apart is None:
            self._apart = self._pages()
        return (host, page) in self._apart

    def _pages(self) -> frozenset[tuple[Host, str]]:
        seen = defaultdict[tuple[Host, str], set[tuple[str, ...]]](set)
        for find in self._finds:
            if "=" in find.url.href and (found := in_session(find.url.target)) and found.values:
                seen[find.url.host_port, found.page].add(found.values)
        own = in_session(self._url.target)
        itself = (self._url.host_port, own.page) if own else None
        return frozenset(page for page, values in seen.items() if len(values) >= (3 if page == itself else 2))


def _unless_drawn(found: re.Match[str]) -> str:
    return "" if _is_id(found) else found[0]


# --- does a value look drawn? ----------------------------------------------------------------------------------------

_HEX = re.compile(r"[0-9a-f]{8,}", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TEXT = re.compile(r"[\w-]{16,}", re.ASCII)
_DATED = re.compile(r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d", re.ASCII)
# Where a letter follows a digit or a digit a letter; in a name of two words a capital follows a small one, too.
_TURN = re.compile(r"(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[a-zA-Z])|(?<=[a-z])(?=[A-Z])", re.ASCII)


def _is_id(found: re.Match[str]) -> bool:
    name, value = found.groups()
    if name in {"s", "S"}:
        return len(value) == 32 and _HEX.fullmatch(value) is not None
    if _HEX.fullmatch(value):
        is_long = len(value) >= 16 and not value.isalpha() and not _DATED.match(value)
        return is_long or _is_jumble(value)
    if _TEXT.fullmatch(value):
        return _UUID.fullmatch(value) is not None or any(map(_is_jumble, re.split("[-_]", value)))
    return False


def _is_jumble(run: str) -> bool:
    """Return whether letters and digits take turns in it, as in `k3v1q9zz` and unlike in `covid19` or `h264`."""
    return len(run) >= 8 and len(_TURN.findall(run)) >= 2 and not _DATED.match(run)
