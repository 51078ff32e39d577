"""Session ids in URLs: which part of one is an id, and when its document shows that it is content after all.

Rules
- The names that frameworks give (PHP, CodeIgniter, Java, ASP, ColdFusion, osCommerce, Zen Cart, xt:Commerce) say
  enough, unless the value is a small number: `cfid=12` alone is a content file. ASP.NET writes 24 letters or more.
- The names that people give need a value that looks drawn: `sid` may be a story or a station, and `session` one of a
  conference. Words, slugs, dates, versions and plain numbers do not look so. `s` is a search almost everywhere, so it
  needs the 32 hexadecimal digits that forums write.
- They need a document that is written in a session, too. There, at least half of the links to a host carry an id, and
  the same one stands on several pages, or the document's own URL has one as well and its links lead elsewhere. An id of
  content stands on one link, and the menu around it has none.
- A session differs from answer to answer, and not from link to link. So two values for the same rest of a URL, in one
  document, are two pages. In a document that is such a page itself it takes three: old links of users stand there too.
Runs on: anywhere (pure).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from crawler.core.finds import Find
from crawler.core.urls import Host, Url

_FRAMEWORKS = r"(?:phpsessid|jsessionid|ci_session|aspsessionid[a-z]*|cfid|cftoken|oscsid|zenid|xtcsid)="
_PEOPLE = r"(s|sid|sess|sessid|session|session[_-]?id)="
_NUMBER = r"[0-9]{1,8}(?![^&;/?])"
_ASP_NET = r"\(s\(\w{24,}\)\)"
_GIVEN = re.compile(rf"(?<=[?&;/])(?:{_FRAMEWORKS}(?!{_NUMBER})[^&;/?]*|{_ASP_NET})", re.IGNORECASE | re.ASCII)
# ColdFusion's two are numbers, and stand together.
_COLD_FUSION = re.compile(r"[?&;/]cfid=[^&;/?]*[&;]cftoken=|[?&;/]cftoken=[^&;/?]*[&;]cfid=", re.IGNORECASE)
_ANY_GIVEN = re.compile(rf"(?<=[?&;/])(?:{_FRAMEWORKS}[^&;/?]*|{_ASP_NET})", re.IGNORECASE | re.ASCII)
_CHOSEN = re.compile(rf"(?<=[?&;/]){_PEOPLE}([^&;/?]*)", re.IGNORECASE | re.ASCII)
_EITHER = re.compile(rf"[?&;/](?:{_FRAMEWORKS}|{_PEOPLE}|\(s\()", re.IGNORECASE | re.ASCII)


class InSession(NamedTuple):
    """A URL's path and query without its session ids; `values` are those under names that people give."""

    page: str
    values: tuple[str, ...]


def in_session(target: str) -> InSession | None:
    """Return a path and query without its session ids; None = it has none."""
    if not _EITHER.search(target):  # as in most URLs
        return None
    page, count = (_ANY_GIVEN if _COLD_FUSION.search(target) else _GIVEN).subn("", target)
    if count:
        return InSession(_CHOSEN.sub(_unless_drawn, page), ())
    values = tuple(found[2] for found in _CHOSEN.finditer(target) if _is_id(found))
    return InSession(_CHOSEN.sub(_unless_drawn, target), values) if values else None


class Document(Protocol):
    """A document that tells whether the ids in its links are a session's."""

    def is_in(self, found: InSession, host: Host) -> bool:
        """Return whether the ids of a URL of this host, under names that people give, are those of a session."""
        ...


class LinkingDocument:
    """The links of a document, which tell whether the ids in them are a session's.

    Strategy: the links are looked at when the first id asks, which in most documents none does.
    """

    def __init__(self, url: Url, finds: Iterable[Find]) -> None:
        self._url = url
        self._finds = finds
        self._hosts: dict[Host, _IdLinks] | None = None

    def is_in(self, found: InSession, host: Host) -> bool:
        """Return whether the ids of a URL of this host, under names that people give, are those of a session."""
        if self._hosts is None:
            self._hosts = {}
            own = in_session(self._url.target)
            for find in self._finds:
                linked = find.url.host_port
                if linked not in self._hosts:
                    self._hosts[linked] = _IdLinks(own.page if own and linked == self._url.host_port else None)
                self._hosts[linked].add(find.url.target)
        return host in self._hosts and self._hosts[host].are_in(found)


class _IdLinks:
    """The links of a document to one host; `own` is the page of the document itself, if it has an id and lies there."""

    def __init__(self, own: str | None) -> None:
        self._own = own
        self._all = self._with_id = 0
        self._values = defaultdict[str, set[tuple[str, ...]]](set)  # by page
        self._pages = defaultdict[tuple[str, ...], set[str]](set)  # by value

    def add(self, target: str) -> None:
        self._all += 1
        if "=" in target and (found := in_session(target)):
            self._with_id += 1
            if found.values:
                self._values[found.page].add(found.values)
                self._pages[found.values].add(found.page)

    def are_in(self, found: InSession) -> bool:
        if 2 * self._with_id < self._all:
            return False
        if len(self._values.get(found.page, ())) >= (3 if found.page == self._own else 2):
            return False
        leads_elsewhere = self._own is not None and self._values.keys() - {self._own}
        return len(self._pages.get(found.values, ())) > 1 or bool(leads_elsewhere)


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
