"""The elements of feeds and sitemaps: links, entries, titles and dates.

Rules
- A reference is bad if the document does not tell all of it (a character that XML forbids, an unknown entity, an
  element inside) or if white space parts it: no URL is made that the author did not write.
- An entry of a sitemap is a whole URL ("This URL must begin with the protocol"), so a relative one is bad too.
- The first 50,000 entries are read: the sitemap protocol's limit. Their translations and pictures are left out as soon
  as the remaining entries may need the room.
- A date belongs to its own entry alone.
- Elements are known by their local names, since feeds use prefixes that they do not declare. `loc` must have the root's
  own prefix or another one of its namespace, or images would be taken for pages.
- A listing is broken if it has entries and no reference, or if an entry of a sitemap has no `loc`.
Strategy: a path of names, one text and the references are all that is kept between two events.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from crawler.core.errors import UrlError
from crawler.core.sitemaps import is_no_entry, is_parted
from crawler.core.urls import parse
from crawler.parse.attributes import SPACE
from crawler.parse.dates import as_rfc_3339
from crawler.parse.links import LISTED, LinkKind
from crawler.parse.loose_xml import UNKNOWN
from crawler.parse.references import MAX_LINKS, References, TooManyLinks

MAX_DEPTH: Final = 200
MAX_ENTRIES: Final = 50_000  # https://www.sitemaps.org/protocol.html

_SITEMAPS = frozenset({"urlset", "sitemapindex"})
ENTRIES: Final[Mapping[str, str]] = {
    "urlset": "url",
    "sitemapindex": "sitemap",
    "rss": "item",
    "RDF": "item",
    "feed": "entry",
}
# Elements that are entries under another root: those of feeds, those of sitemaps.
_ENTRY_LIKE = (frozenset({"item", "entry"}), frozenset({"url", "sitemap"}))
ROOTS = frozenset(ENTRIES)
_WHOLE_URL = re.compile(r"[\0- ]*+https?://", re.IGNORECASE)
_REGISTRY = "http://www.iana.org/assignments/relation/"
_RELATIONS: Final[Mapping[str, LinkKind]] = {  # of a link with an href: RFC 4287, 4.2.7.2, and RFC 5005
    "alternate": LinkKind.ITEM,
    "enclosure": LinkKind.ENCLOSURE,
    "next": LinkKind.FEED,
    "prev-archive": LinkKind.FEED,
    "next-archive": LinkKind.FEED,
}


class Listing(NamedTuple):
    """A feed or a sitemap: the local name of its root element (None = it has none), its title and its references.

    `is_broken`: it is not well-formed, declares entities, or has elements of another root. All that could be read was.
    """

    root: str | None
    title: str | None
    references: References
    is_broken: bool = False


class Enough(Exception):
    """The rest of this document is not to be read."""


class FeedReader:
    """A receiver of a document's events; `is_damaged`: UNKNOWN in the document stands for what it does not tell."""

    def __init__(self, references: References, *, is_damaged: bool) -> None:
        self.root: str | None = None
        self.title: str | None = None
        self.text: list[str] = []
        self.is_guessed = False
        self._references = references
        self._is_damaged = is_damaged
        self._has_guessed_links = False
        self._is_leaf = True  # nothing has ended inside the innermost element
        self._is_permalink = True
        self._path: list[str] = []
        self._prefixes: set[str] = set()  # of the root's namespace
        self._inside = ""  # the text of the element that ended last
        self._bases: list[tuple[int, str]] = []  # depth and xml:base, resolved
        self._entries = 0
        self._entry: dict[tuple[str, LinkKind], None] | None = None  # its references; None = outside of an entry
        self._entry_depth = 0
        self._has_loc = True  # this entry of a sitemap
        self._is_lacking = False  # an entry has no `loc`, or is an entry of another root
        self._date: str | None = None

    def listing(self, *, is_broken: bool) -> Listing:
        """Return the listing of all events so far."""
        is_broken = is_broken or self._has_guessed_links or self._is_lacking
        return Listing(self.root, self.title, self._references, is_broken)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element's start."""
        if len(self._path) >= MAX_DEPTH:
            self._references.are_cut = True
            raise Enough
        prefix, _, local = name.rpartition(":")
        if not self._path:
            if self.root is None or local in ROOTS:
                self.root, self._prefixes = local, {prefix, *_synonyms(prefix, attributes)}
            if local not in ROOTS:
                raise Enough
            if local in _SITEMAPS:
                self._references.begin_at(None)  # only whole URLs are listed
        self.text.clear()
        if self._entry is None and local == ENTRIES[self.root or ""]:
            if self._entries == MAX_ENTRIES:
                self._references.are_cut = True
                raise TooManyLinks
            self._entries += 1
            self._entry, self._entry_depth, self._date = {}, len(self._path), None
            self._has_loc = self.root not in _SITEMAPS
        elif self._entry is None and local.lower() in _ENTRY_LIKE[self.root in _SITEMAPS]:
            self._is_lacking = True
        self._path.append(local if local != "loc" or prefix in self._prefixes else name)
        if (base := attributes.get("xml:base")) and self._references.base:
            self._bases.append((len(self._path), self._absolute(base)))
            self._has_guessed_links |= self.is_guessed
        self._is_leaf = True
        self._take_attributes(local, attributes)
        self.is_guessed = False

    def _take_attributes(self, name: str, attributes: dict[str, str]) -> None:
        match name, attributes:
            case "link", {"href": href} if self.root in _SITEMAPS:
                self._add(href, LinkKind.ALTERNATE)
            case "link", {"href": href}:  # its relation is a name, or a URL of the registry (RFC 4287, 4.2.7.2)
                relation = attributes.get("rel", "alternate").strip(SPACE).removeprefix(_REGISTRY)
                if kind := _RELATIONS.get(relation):
                    self._add(href, LinkKind.HOME if kind is LinkKind.ITEM and "source" in self._path else kind)
            case "guid", _:
                self._is_permalink = _is_permalink(attributes)
            case "enclosure" | "content", {"url": url}:  # `content` is media:content here
                self._add(url, LinkKind.ENCLOSURE)
            case "content", {"src": source}:  # Atom: the entry's text is at this URL
                self._add(source, LinkKind.ITEM)

    def end(self, _name: str) -> None:
        """Take an element's end."""
        text = "".join(self.text)
        self._take_text(text)
        self._inside = text
        self.text.clear()
        if self._bases and self._bases[-1][0] == len(self._path):
            self._bases.pop()
        self._path.pop()
        if not self._path and not self._references.taken:
            self._is_lacking |= bool(self._entries) or (self.root in _SITEMAPS and not self._is_leaf)
        self.is_guessed, self._is_leaf = False, False
        if self._entry is not None and len(self._path) == self._entry_depth:
            listed, self._entry = self._entry, None
            self._is_lacking |= not self._has_loc
            if self._date and (lastmod := as_rfc_3339(self._date)):
                for reference, kind in listed:
                    self._references.add(reference, kind, lastmod=lastmod)

    def _take_text(self, text: str) -> None:
        match self._path:
            case [*_, "item", "link"] | ["rss" | "RDF", "channel", "link"]:
                self._add(text, LinkKind.ITEM)
            case [*_, "item", "guid"] if self._is_permalink and _WHOLE_URL.match(text):
                self._add(text, LinkKind.ITEM)
            case ["urlset", "url", "loc"]:
                self._add(text, LinkKind.LOC)
            case ["sitemapindex", "sitemap", "loc"]:
                self._add(text, LinkKind.SITEMAP)
            case ["urlset", "url", "image", "image:loc"]:
                self._add(text, LinkKind.IMG)
            case [*_, "url" | "sitemap", "lastmod"] | [*_, "entry", "updated"]:
                self._date = text
            case [*_, "item", "pubDate" | "date"] | [*_, "entry", "published"]:
                self._date = self._date or text
            case ["rss" | "RDF", "channel", "title"] | ["feed", "title"]:
                self.title = self.title or text

    def _add(self, reference: str, kind: LinkKind) -> None:
        if not (written := reference.strip(SPACE)) and self._is_leaf:
            return
        self._has_loc |= kind in LISTED
        absolute = self._absolute(reference)
        if not self._is_leaf or (self._is_damaged and UNKNOWN in absolute):
            self._references.refuse(absolute if written else UNKNOWN + self._inside)
            return
        if (is_no_entry if self.root in _SITEMAPS else is_parted)(written):
            self._references.refuse(reference)
            return
        self._has_guessed_links |= self.is_guessed
        if self._entry is None:
            kind = LinkKind.HOME if kind is LinkKind.ITEM else kind
        elif kind in LISTED:
            self._entry.setdefault((absolute, kind))
        if kind not in LISTED and self._references.taken >= MAX_LINKS - MAX_ENTRIES:
            self._references.are_cut = True
        else:
            self._references.add(absolute, kind)

    def _absolute(self, reference: str) -> str:
        """Return a reference resolved against the nearest xml:base (RFC 4287, 2), if there is one and it is a URL.

        A relative reference with an incomplete base is incomplete too.
        """
        if not self._bases:
            return reference
        base = self._bases[-1][1]
        if self._is_damaged and UNKNOWN in base and not _WHOLE_URL.match(reference):
            return UNKNOWN + reference
        with suppress(UrlError):
            return parse(reference, parse(base, self._references.base)).href
        return reference


def _synonyms(prefix: str, attributes: Mapping[str, str]) -> Iterable[str]:
    """Return the prefixes, "" for none, that an element binds to the namespace of this one (Namespaces in XML, 3)."""
    namespace = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
    bound = (name for name, value in attributes.items() if value == namespace and name.startswith("xmlns"))
    return (name.removeprefix("xmlns").removeprefix(":") for name in bound)


def _is_permalink(attributes: Mapping[str, str]) -> bool:
    """Return whether a guid is a URL: it is unless it says that it is not (RSS 2.0, "<guid> sub-element of <item>")."""
    said = (value for name, value in attributes.items() if name.lower() == "ispermalink")
    return next(said, "true").strip(SPACE).lower() != "false"
