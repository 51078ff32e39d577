"""What feeds (RSS 0.9 to 2.0, Atom) and sitemaps point at.

Rules
- The root element decides what it is, not the media type.
- What came before an error in the XML is kept.
- No entity is ever declared: a document that declares one is read up to there. So nothing can unfold, and nothing
  outside is fetched. Entities of HTML that nobody declared (`&nbsp;`) are left out of the text.
- Of the entries, the first 50,000 are read: the sitemap protocol's limit. What else they name (translations, pictures)
  never takes the place of one: it is left out as soon as the entries that may still come need the room.
- A date belongs to its own entry alone.
- Elements are known by their local names, since feeds use prefixes that they do not declare; `loc` must have the
  root's own prefix, or images would be taken for pages.
Strategy: expat, event by event; what is kept is a path of names, one text and the references.
Runs on: a worker process.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn
from xml.parsers import expat

from crawler.core.dates import as_rfc_3339
from crawler.core.errors import UrlError
from crawler.core.links import LISTED, LinkKind
from crawler.core.urls import parse
from crawler.parse.references import MAX_LINKS, References, TooManyLinks

MAX_DEPTH: Final = 200
MAX_ENTRIES: Final = 50_000  # https://www.sitemaps.org/protocol.html

_SITEMAPS = frozenset({"urlset", "sitemapindex"})
_ENTRIES: Final[Mapping[str, str]] = {
    "urlset": "url",
    "sitemapindex": "sitemap",
    "rss": "item",
    "RDF": "item",
    "feed": "entry",
}
KNOWN = frozenset(_ENTRIES)
_RELATIONS: Final[Mapping[str, LinkKind]] = {  # of a link with an href: RFC 4287, 4.2.7.2, and RFC 5005
    "alternate": LinkKind.ITEM,
    "enclosure": LinkKind.ENCLOSURE,
    "next": LinkKind.FEED,
    "prev-archive": LinkKind.FEED,
    "next-archive": LinkKind.FEED,
}


class Listing(NamedTuple):
    """What a feed or a sitemap is: the local name of its root element, and its title."""

    root: str | None
    title: str | None


def read(xml: bytes, references: References) -> Listing:
    """Read a feed or a sitemap in UTF-8; what it points at is added to `references`. Of other XML, only the root."""
    reader = _Reader(references)
    with suppress(expat.ExpatError, TooManyLinks, _Enough):
        _parser(reader).Parse(xml, True)  # noqa: FBT003 - expat takes no names
    return Listing(reader.root, reader.title)


class _Enough(Exception):
    """Nothing further of this document is to be read."""


class _Reader:
    """The state between expat's events."""

    def __init__(self, references: References) -> None:
        self.root: str | None = None
        self.title: str | None = None
        self._references = references
        self._path: list[str] = []
        self._prefix = ""
        self.text: list[str] = []
        self._bases: list[tuple[int, str]] = []  # depth and xml:base, resolved
        self._entries = 0
        self._entry: dict[tuple[str, LinkKind], None] | None = None  # what this entry lists; None = outside of any
        self._entry_depth = 0
        self._date: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise _Enough
        prefix, _, local = name.rpartition(":")
        if not self._path:
            self._open(prefix, local)
        self.text.clear()
        if self._entry is None and local == _ENTRIES[self.root or ""]:
            self._begin_entry()
        self._path.append(local if local != "loc" or prefix == self._prefix else name)
        if base := attributes.get("xml:base"):
            self._bases.append((len(self._path), self._absolute(base)))
        self._take_attributes(local, attributes)

    def _open(self, prefix: str, root: str) -> None:
        self.root, self._prefix = root, prefix
        if root not in KNOWN:
            raise _Enough

    def _begin_entry(self) -> None:
        if self._entries == MAX_ENTRIES:
            self._references.are_cut = True
            raise TooManyLinks
        self._entries += 1
        self._entry, self._entry_depth, self._date = {}, len(self._path), None

    def _end_entry(self, listed: Iterable[tuple[str, LinkKind]]) -> None:
        self._entry = None
        if self._date and (lastmod := as_rfc_3339(self._date)):
            for reference, kind in listed:
                self._references.add(reference, kind, lastmod=lastmod)

    def _take_attributes(self, name: str, attributes: dict[str, str]) -> None:
        match name, attributes:
            case "link", {"href": href} if self.root in _SITEMAPS:
                self._add(href, LinkKind.ALTERNATE)
            case "link", {"href": href} if kind := _RELATIONS.get(attributes.get("rel", "alternate")):
                self._add(href, kind)
            case "enclosure" | "content", {"url": url}:  # media:content, that is
                self._add(url, LinkKind.ENCLOSURE)
            case "content", {"src": source}:  # Atom: the entry's text is elsewhere
                self._add(source, LinkKind.ITEM)

    def end(self, _name: str) -> None:
        self._take_text("".join(self.text))
        self.text.clear()
        if self._bases and self._bases[-1][0] == len(self._path):
            self._bases.pop()
        self._path.pop()
        if self._entry is not None and len(self._path) == self._entry_depth:
            self._end_entry(self._entry)

    def _take_text(self, text: str) -> None:
        match self._path:
            case [*_, "item", "link"] | ["rss" | "RDF", "channel", "link"]:
                self._add(text, LinkKind.ITEM)
            case [*_, "item", "guid"] if text.strip().startswith(("http://", "https://")):
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
        if reference.isspace() or not reference:
            return
        absolute = self._absolute(reference)
        if self._entry is None:
            kind = LinkKind.HOME if kind is LinkKind.ITEM else kind
        elif kind in LISTED:
            self._entry.setdefault((absolute, kind))
        if kind not in LISTED and self._references.taken >= MAX_LINKS - MAX_ENTRIES:
            self._references.are_cut = True
        else:
            self._references.add(absolute, kind)

    def _absolute(self, reference: str) -> str:
        """Resolved against the nearest xml:base (RFC 4287, 2), if there is one and it is a URL."""
        if not self._bases:
            return reference
        with suppress(UrlError):
            return parse(reference, parse(self._bases[-1][1], self._references.base)).href
        return reference


def _parser(reader: _Reader) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8")  # whatever its declaration says: it was decoded before
    parser.buffer_text = True
    parser.UseForeignDTD(True)  # noqa: FBT003 - with a DTD elsewhere, an unknown entity is no error
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    return parser


def _refuse(*_declaration: object) -> NoReturn:
    raise _Enough
