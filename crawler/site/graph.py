"""The link graph of a site's numbered pages: kind, path, depth and links of each.

Rules
- Pages 0, 1, 2... of a host form a tree with `fanout` children each, and page 0 is `/`. So the parent, children and
  depth of a page follow from its number alone.
- A link leads at most one level down, and a redirect never ends below itself. So the least number of links from `/` to
  a page is its level in the tree, even with links across.
- A path is written as it goes over the wire: other characters than ASCII are percent-encoded.
Runs on: anywhere (pure).
"""

import re
from bisect import bisect_right
from dataclasses import astuple
from enum import Enum
from functools import lru_cache
from itertools import accumulate

from crawler.site.plan import SitePlan, draw, fraction


class PageKind(Enum):
    """The behaviour that one address of a site demonstrates."""

    PAGE = "page"
    REDIRECT = "redirect"
    MISSING = "missing"
    SLOW = "slow"
    DUPLICATE = "duplicate"
    CODED = "coded"
    CHARSET = "charset"
    RETRY = "retry"
    FLAKY = "flaky"
    BINARY = "binary"
    ROBOTS = "robots"
    SITEMAP = "sitemap"


# In the order of the fields of Shares; the remainder are pages.
_ROLLED = (
    PageKind.REDIRECT,
    PageKind.MISSING,
    PageKind.SLOW,
    PageKind.DUPLICATE,
    PageKind.CODED,
    PageKind.CHARSET,
    PageKind.RETRY,
    PageKind.FLAKY,
    PageKind.BINARY,
    PageKind.PAGE,
)
_LEAVES = {PageKind.REDIRECT, PageKind.MISSING, PageKind.DUPLICATE, PageKind.BINARY}
NOT_LISTED = {PageKind.REDIRECT, PageKind.MISSING}

_PLAIN = "/p/{:06}.html"
_SPELLINGS = {
    PageKind.REDIRECT: "/redirect/{:06}",
    PageKind.MISSING: "/missing/{:06}.html",
    PageKind.SLOW: "/slow/{:06}.html",
    PageKind.DUPLICATE: "/copy/{:06}.html",
    PageKind.CODED: "/coded/{:06}.html",
    PageKind.CHARSET: "/charset/{:06}.html",
    PageKind.RETRY: "/busy/{:06}.html",
    PageKind.FLAKY: "/flaky/{:06}.html",
    PageKind.BINARY: "/files/{:06}.bin",
}
_ODD = (
    "/Docs/Page-{:06}.HTML",
    "/P/{:06}.html",
    "/list?page={:06}&sort=asc",
    "/search?q=%E2%9C%93+{:06}",
    "/folder/{:06}/",
    "/with%20space/{:06}.html",
    "/a%2Fb/{:06}.html",
    "/caf%C3%A9/{:06}.html",
    "/%E6%97%A5%E6%9C%AC/{:06}.html",
    "/p;v=1/{:06},~(en).html",
)
_NUMBER = re.compile(r"\d{6,}")
_REMEMBERED = 1 << 16


class Graph:
    """The graph of one plan at its base URLs; a page is (host, index), and each is computed on demand."""

    def __init__(self, plan: SitePlan, base_urls: tuple[str, ...]) -> None:
        self.plan = plan
        self.base_urls = base_urls
        self._thresholds = tuple(accumulate(astuple(plan.shares)))
        self.kind = lru_cache(_REMEMBERED)(self._kind)
        self.path = lru_cache(_REMEMBERED)(self._path)

    def find(self, host: int, path: str) -> int | None:
        """Return the index of the page that has exactly this path; None = there is no such page."""
        if path == "/":
            return 0
        number = _NUMBER.search(path)
        if number is None:
            return None
        index = int(number[0])
        return index if 0 < index < self.plan.pages and self.path(host, index) == path else None

    def depth(self, index: int) -> int:
        """Return the least number of links from `/`."""
        depth = 0
        while index:
            index = self.parent(index)
            depth += 1
        return depth

    def parent(self, index: int) -> int:
        """Return the parent of a page; it always has links."""
        return (index - 1) // self.plan.fanout

    def children(self, index: int) -> range:
        """Return the children of a page."""
        first = index * self.plan.fanout + 1
        return range(min(first, self.plan.pages), min(first + self.plan.fanout, self.plan.pages))

    def neighbours(self, host: int, index: int) -> tuple[tuple[int, int], ...]:
        """Return the pages that a page links to: up, down, then across, as (host, index), each once."""
        up = [(host, self.parent(index))] if index else []
        down = [(host, child) for child in self.children(index)]
        seed, hosts = self.plan.seed, self.plan.hosts
        across = [((host + 1) % hosts, 0)] if index == 0 and hosts > 1 else []
        levels = (self.plan.fanout**level for level in range(self.depth(index) + 2))
        reach = min(sum(levels), self.plan.pages)  # the end of the next level
        for turn in range(draw(seed, host, index, "links") % 6):
            dice = draw(seed, host, index, "link", turn)
            across.append((dice // 4 % hosts if dice % 4 == 0 else host, dice // 1024 % reach))
        return tuple(dict.fromkeys([*up, *down, *across]))

    def seen_from(self, host: int, other: int, index: int) -> str:
        """Return the target of a link to a page: a path on the same host, a URL on another."""
        path = self.path(other, index)
        return path if other == host else self.base_urls[other] + path

    def page_above(self, host: int, index: int) -> int:
        """Return a page with links above this one's level: the end of a redirect, the original of a duplicate."""
        return draw(self.plan.seed, host, index, "elder") % (self.parent(index) + 1)

    def delay(self, host: int, path: str) -> float:
        """Return the seconds before the answer of a path."""
        spread = self.plan.latency_spread
        return self.plan.latency + (spread * fraction(self.plan.seed, host, path, "latency") if spread else 0.0)

    def _kind(self, host: int, index: int) -> PageKind:
        roll = fraction(self.plan.seed, host, index, "kind")
        kind = _ROLLED[bisect_right(self._thresholds, roll)]
        return PageKind.PAGE if index == 0 or (kind in _LEAVES and self.children(index)) else kind

    def _path(self, host: int, index: int) -> str:
        if index == 0:
            return "/"
        spelling = _SPELLINGS.get(self.kind(host, index), _PLAIN)
        if spelling is _PLAIN and fraction(self.plan.seed, host, index, "odd") < self.plan.odd_paths:
            spelling = _ODD[draw(self.plan.seed, host, index, "spelling") % len(_ODD)]
        return spelling.format(index)
