"""The facts that go into reading a document, and those that come out: they can travel between processes.

Runs on: anywhere (pure).
"""

from collections.abc import Mapping

import msgspec

from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.core.visits import BadLink
from crawler.parse.links import Link


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document to be read.

    Attributes:
        url: its address, against which relative links are resolved.
        body: without content codings.
        content_type: the value of the Content-Type header as received; None = the header is absent.
        sitemap: it was listed as a sitemap.
    """

    url: Url
    body: bytes
    content_type: str | None = None
    sitemap: bool = False


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that a caller wants besides title and links.

    Attributes:
        text: the visible text.
        selectors: names and CSS selectors that `check_selector` accepted.
        assets: also what style sheets, styles and drawings load.
    """

    text: bool = False
    selectors: tuple[tuple[str, str], ...] = ()
    assets: bool = False


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a document besides its links; see `Reading`."""

    title: str | None = None
    robots: frozenset[str] = frozenset()
    text: str | None = None
    data: Mapping[str, object] | None = None
    data_cut: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading a document.

    Attributes:
        charset: the encoding that was used, by its name in the Encoding standard, lower case; None = it is no text.
        title: with white space collapsed, at most 1,000 characters; None = it has none.
        links: distinct by URL, kind and nofollow, in document order; None = a document of this kind has no links.
        links_cut: it holds more different references, or more entries, than are taken; the first ones are kept.
        problem: why it was not read, or not in full: its gzip file is damaged or too large, its XML is broken, or it is
            no sitemap although it was listed as one; None = nothing is missing.
        is_listing: it is a feed or a sitemap.
        bad_links: number of different references that are no valid URL that may be fetched.
        bad_examples: the first of them.
        ignored_links: number of different references with another scheme, such as mailto, javascript and data.
        robots: directives for robots inside the document, lower case.
        text: the visible text; None = not wanted, or it has none.
        data: the results of the selectors, by name; None = none were wanted, or they do not apply.
        data_cut: the selectors give more than is taken; the first results are kept.
    """

    charset: str | None = None
    title: str | None = None
    links: tuple[Link, ...] | None = None
    links_cut: bool = False
    problem: Reason | None = None
    is_listing: bool = False
    bad_links: int = 0
    bad_examples: tuple[BadLink, ...] = ()
    ignored_links: int = 0
    robots: frozenset[str] = frozenset()
    text: str | None = None
    data: Mapping[str, object] | None = None
    data_cut: bool = False
