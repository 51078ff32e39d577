"""The choice of the links that become finds, and of the refusals that they carry (nofollow, scope, traps).

Rules
- A URL is one find, however often the document links to it: an allowed find beats a refused one. Only a refresh is a
  find of its own, since a hop and a link lead on differently (`core/merging.py`).
- A link leads one step further from the seed. An entry of a sitemap is as near as the sitemap, and is judged as any
  link. A sitemap in a sitemap is one hop further, and need not match --include. A list of URLs follows nothing else.
- A refresh is a redirect that the document makes: it keeps its depth, costs a hop, and leads a seed to a seed.
- `nofollow` is obeyed as long as robots.txt is (`obey`).
Runs on: anywhere (pure); travels to worker processes.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from crawler.core.config import ScopeConfig
from crawler.core.discovery import Way
from crawler.core.finds import Finds, Judged
from crawler.core.merging import hop
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge
from crawler.parse.links import LISTED, NAVIGATION, Link, LinkKind

MAX_NESTING = 5
"""Hops from a listed sitemap to one that is read. The protocol's indexes list no indexes; on some sites they do, and
each of the three may be behind a redirect, which is a hop, too."""

_ANCHOR = LinkKind.A
_NOFOLLOW = frozenset({"nofollow", "none"})


class Follow(msgspec.Struct, frozen=True):
    """A rule that turns links into finds.

    Attributes:
        kinds: the kinds that are followed in any document; in a sitemap, entries are followed besides.
        judge: None = all followed links are wanted.
        obey: nofollow is obeyed.
    """

    kinds: frozenset[LinkKind]
    judge: LinkJudge | None
    obey: bool

    def heeds(self, request: Request) -> bool:
        """Return whether this document may have finds."""
        return request.way.sitemap or bool(self.kinds)

    def finds(self, links: Iterable[Link], request: Request, robots: frozenset[str]) -> Finds:
        """Return the finds of the document at `request`, in its order; `robots` are the directives of the document."""
        is_closed = self.obey and not robots.isdisjoint(_NOFOLLOW)
        kinds = self.kinds | LISTED if request.way.sitemap else self.kinds
        onward = Way(depth=request.way.depth + 1)  # one for all: a page has hundreds of links
        found: dict[tuple[str, bool], Judged] = {}
        for link in links:
            if (kind := link.kind) not in kinds:
                continue
            way, refusal = (onward, None) if kind is _ANCHOR and not link.lastmod else _way(link, request, onward)
            if is_closed or (self.obey and link.nofollow):
                refusal = Reason.NOFOLLOW
            elif self.judge is not None and not way.seed:
                refusal = self.judge.refusal(link.url, way.depth, is_sitemap=way.sitemap) or refusal
            key = link.url.href, way.chain > 0
            before = found.get(key)
            if before is None or (before[2] and not refusal):
                found[key] = link.url, way, refusal
        return Finds.of(found.values())


def _way(link: Link, request: Request, onward: Way) -> tuple[Way, Reason | None]:
    """Return the way to the target of a link, and its refusal by the number of hops; `onward` is that of most links."""
    if link.kind is LinkKind.REFRESH:
        find = hop(request.url, request.way, link.url)
        return find.way, find.refusal
    if request.way.sitemap and link.kind is LinkKind.SITEMAP:
        hops = request.way.hops + 1
        way = Way(depth=request.way.depth, hops=hops, sitemap=True, lastmod=link.lastmod)
        return way, Reason.SITEMAP_LIMIT if hops > MAX_NESTING else None
    if request.way.sitemap and link.kind in LISTED:
        return Way(depth=request.way.depth, lastmod=link.lastmod), None
    return (replace(onward, lastmod=link.lastmod) if link.lastmod else onward), None


def follow(config: ScopeConfig, *, obey: bool) -> Follow:
    """Return the rule of a crawl under this configuration; see `follow_lists` for a fetch."""
    kinds = frozenset(LinkKind) if config.assets else NAVIGATION | LISTED
    return Follow(kinds, LinkJudge(config), obey)


def follow_lists(*, obey: bool) -> Follow:
    """Return the rule of the fetch of a list: it follows the entries of the sitemaps in the list."""
    return Follow(frozenset(), None, obey)
