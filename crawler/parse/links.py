"""The kinds of links between documents: those to pages, to listed URLs, and to parts of a page.

Rules
- Users write the value of a kind, and the files of a run show it.
- A kind is in at most one of the two sets; `--assets` follows the others too.
Runs on: anywhere (pure).
"""

from enum import StrEnum

import msgspec

from crawler.core.urls import Url


class LinkKind(StrEnum):
    """The kind of a link: its element, or its purpose where the element says one."""

    REDIRECT = "redirect"  # a Location header
    A = "a"  # in HTML and in SVG
    AREA = "area"
    FRAME = "frame"
    IFRAME = "iframe"
    REFRESH = "refresh"  # <meta http-equiv=refresh>
    FORM = "form"  # one that is sent with GET, without its fields; a button's `formaction` too

    # <link>, by its rel
    CANONICAL = "canonical"
    ALTERNATE = "alternate"
    NEXT = "next"
    PREV = "prev"
    FEED = "feed"  # the alternate that is RSS or Atom
    STYLESHEET = "stylesheet"  # `@import` too
    ICON = "icon"
    MANIFEST = "manifest"
    PRELOAD = "preload"  # modulepreload, prefetch and prerender too
    LINK = "link"  # any other

    IMG = "img"  # <input type=image>, a sitemap's image:loc, `background=` and what a drawing draws too
    STYLE = "style"  # `url()` in a style sheet, a `<style>` or a `style=`
    SRCSET = "srcset"
    SCRIPT = "script"
    OBJECT = "object"
    EMBED = "embed"
    AUDIO = "audio"
    VIDEO = "video"
    SOURCE = "source"
    TRACK = "track"
    POSTER = "poster"
    ENCLOSURE = "enclosure"  # a file that comes with a feed's entry

    HOME = "home"  # the site that a feed is about
    ITEM = "item"  # a feed's entry
    LOC = "loc"  # a page that a sitemap lists
    SITEMAP = "sitemap"  # a sitemap that a sitemap lists

    # Enum hashes by name, and every hash would be a Python call; str's own agrees with `==` on the values.
    __hash__ = str.__hash__


NAVIGATION = frozenset(
    {
        *(LinkKind.A, LinkKind.AREA, LinkKind.FRAME, LinkKind.IFRAME, LinkKind.REFRESH, LinkKind.REDIRECT),
        LinkKind.HOME,
    }
)
"""The links that a crawl follows: a browser goes there by itself or with one click."""

LISTED = frozenset({LinkKind.ITEM, LinkKind.LOC, LinkKind.SITEMAP})
"""The links that a feed or a sitemap lists."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link of a document. A struct, as `Url` is and for the same reason.

    Attributes:
        lastmod: when it was last changed, as a sitemap or a feed says, in RFC 3339.
    """

    url: Url
    kind: LinkKind
    nofollow: bool = False
    lastmod: str | None = None
