"""The references of one document, resolved against its base URL: distinct links, and counts of the bad ones.

Rules
- A reference is joined once, however often it is written. Its fragment (`#...`) is dropped.
- The query of a reference is in the document's own encoding, as its server expects it (URL standard, "encoding-parse").
- Memory is bounded: at most MAX_LINKS different references are taken, bad ones included, and MAX_CHARACTERS of all
  their URLs. A page of short references to a long base makes long URLs.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from crawler.core.errors import UrlError
from crawler.core.joins import Joiner
from crawler.core.reasons import Reason
from crawler.core.urls import Url, parse
from crawler.core.visits import BadLink
from crawler.encoding.decode import UTF_8
from crawler.encoding.encode import percent_encoded
from crawler.parse.links import Link, LinkKind

MAX_LINKS = 100_000
MAX_CHARACTERS = 16_000_000
MAX_EXAMPLES = 100
MAX_EXAMPLE_LENGTH = 200

_SCHEME = re.compile(r"[\0- ]*+([a-z][a-z0-9+.-]*+):", re.IGNORECASE)
_NO_BASE = frozenset({"data", "javascript"})
_UNREADABLE = frozenset({Reason.NOT_A_URL, Reason.URL_TOO_LONG})


class TooManyLinks(Exception):
    """A document has more than MAX_LINKS references."""


class References:
    """A collector of one document's references.

    Attributes:
        bad, ignored: number of different references that are no valid URL, and that have a scheme that is not fetched.
        examples: the first bad ones.
        are_cut: there were more than are taken.
    """

    def __init__(self, document: Url | None, encoding: str = UTF_8) -> None:
        self._fallback = document
        self._joiner = Joiner(document)
        self._encoding = None if encoding == UTF_8 else encoding
        self._joined: dict[str, Url | None] = {}
        self._most = MAX_LINKS  # references that may still be joined to this base
        self._links: dict[tuple[str, LinkKind, bool], Link] = {}
        self.bad = 0
        self.examples: list[BadLink] = []
        self.ignored = 0
        self.are_cut = False
        self._room = MAX_CHARACTERS

    @property
    def base(self) -> Url | None:
        """The URL against which relative references are resolved; None = they lead nowhere."""
        return self._joiner.base

    @property
    def links(self) -> tuple[Link, ...]:
        """The distinct links, in the order in which they were added."""
        return tuple(self._links.values())

    @property
    def taken(self) -> int:
        """Number of different references that were taken, bad ones included."""
        return MAX_LINKS - self._most + len(self._joined)

    def begin_at(self, base: Url | None) -> None:
        """Begin another document: resolve against this base, and let `set_base` resolve its reference against it."""
        self._fallback = base
        self._resolve_against(base)

    def set_base(self, reference: str) -> None:
        """Resolve against this from now on (HTML, "set the frozen base URL").

        Under a base with a scheme that is not fetched, relative references lead nowhere. A base that is too long is
        ignored, as one that cannot be parsed.
        """
        try:
            self._resolve_against(parse(reference, self._fallback))
        except UrlError as error:
            is_no_base = error.reason in _UNREADABLE or _scheme(reference) in _NO_BASE
            self._resolve_against(self._fallback if is_no_base else None)

    def _resolve_against(self, base: Url | None) -> None:
        if base != self.base:
            self._joiner = Joiner(base)
            self._most -= len(self._joined)
            self._joined.clear()

    def add(self, reference: str, kind: LinkKind, *, nofollow: bool = False, lastmod: str | None = None) -> None:
        """Take one reference; of several dates that come with it, the first counts.

        Raises:
            TooManyLinks: the reference is one too many, and was not taken.
        """
        text = reference.partition("#")[0] if "#" in reference else reference
        if text is not reference and text and text[-1] <= " ":
            text = reference  # white space at the very end is no part of a URL, but before a fragment it is
        url = self._joined[text] if text in self._joined else self._join(text)
        if url is None:
            return
        key = (url.href, kind, nofollow)
        if (link := self._links.get(key)) is None:
            self._links[key] = Link(url=url, kind=kind, nofollow=nofollow, lastmod=lastmod)
        elif lastmod and link.lastmod is None:
            self._links[key] = replace(link, lastmod=lastmod)

    def add_anchors(self, references: Iterable[str]) -> None:
        """Take references of `<a>` that have no fragment: most of a page, so they take as few steps as possible.

        Raises:
            TooManyLinks: a reference is one too many, and was not taken.
        """
        joined, links, kind = self._joined, self._links, LinkKind.A
        for text in references:
            url = joined[text] if text in joined else self._join(text)
            if url is not None and (key := (url.href, kind, False)) not in links:
                links[key] = Link(url=url, kind=kind)

    def refuse(self, reference: str) -> None:
        """Count a reference as a bad one, since not all of it is known.

        Raises:
            TooManyLinks: the reference is one too many, and was not counted.
        """
        if reference not in self._joined:
            self._join(reference, is_known=False)

    def _join(self, text: str, *, is_known: bool = True) -> Url | None:
        if len(self._joined) >= self._most or len(self._links) >= MAX_LINKS or self._room < 0:
            self.are_cut = True
            raise TooManyLinks
        url = self._joined[text] = self._parse(text) if is_known else None
        if url is not None:
            self._room -= len(url.href)
        elif not is_known:
            self._count(text, Reason.NOT_A_URL)
        return url

    def _parse(self, text: str) -> Url | None:
        written = text
        if self._encoding is not None:
            path, mark, query = text.partition("?")
            if not query.isascii():
                written = path + mark + percent_encoded(query, self._encoding)
        try:
            return self._joiner.join(written)
        except UrlError as error:
            self._count(text, error.reason)
            return None

    def _count(self, text: str, reason: Reason) -> None:
        if reason is Reason.UNSUPPORTED_SCHEME or _scheme(text) not in {None, "http", "https"}:
            self.ignored += 1
            return
        self.bad += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(BadLink(text=text[:MAX_EXAMPLE_LENGTH], reason=reason))


class DamagedReferences(References):
    """The references of a document in which U+FFFD stands for unknown characters: a reference with one is bad."""

    def _parse(self, text: str) -> Url | None:
        if "\ufffd" in text:
            self._count(text, Reason.NOT_A_URL)
            return None
        return super()._parse(text)


def _scheme(reference: str) -> str | None:
    found = _SCHEME.match(reference)
    return found and found[1].lower()
