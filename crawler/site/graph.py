"""Where every numbered page of a site stands: its kind, its path, its depth and whom it links to.

Rules
- Pages 0, 1, 2... of a host form a tree with `fanout` children each, and page 0 is `/`: arithmetic finds parent,
  children and depth of any page without looking at the others.
- A link never leads more than one level down, and a redirect never ends below itself. So the least number of links
  from `/` to a page is its level in the tree, whatever links are added.
- A path is written as it goes over the wire: what is not ASCII is percent-encoded.
Runs on: anywhere (pure).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import astuple
from enum import Enum
from functools import lru_cache
from itertools import accumulate

from crawler.site.plan import SitePlan, draw, fraction


class PageKind(Enum):
    """What one address of a site is there to show."""

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


# In the order of the fields of Shares; what no share covers is a page.
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
    """The arithmetic of one plan at its base URLs; pages are (host, index) and nothing is generated ahead."""

    def __init__(self, plan: SitePlan, base_urls: tuple[str, ...]) -> None:
        self.plan = plan
        self.base_urls = base_urls
        self._thresholds = tuple(accumulate(astuple(plan.shares)))
        self.kind = lru_cache(_REMEMBERED)(self._kind)
        self.path = lru_cache(_REMEMBERED)(self._path)

    def find(self, host: int, path: str) -> int | None:
        """The index of the page that has exactly this path; None = there is no such page."""
        if path == "/":
            return 0
        number = _NUMBER.search(path)
        if number is None:
            return None
        index = int(number[0])
        return index if 0 < index < self.plan.pages and self.path(host, index) == path else None

    def depth(self, index: int) -> int:
        """The least number of links from `/`."""
        depth = 0
        while index:
            index = self.parent(index)
            depth += 1
        return depth

    def parent(self, index: int) -> int:
        """The page that this one hangs from; it always carries links."""
        return (index - 1) // self.plan.fanout

    def children(self, index: int) -> range:
        """The pages that hang from this one."""
        first = index * self.plan.fanout + 1
        return range(min(first, self.plan.pages), min(first + self.plan.fanout, self.plan.pages))

    def neighbours(self, host: int, index: int) -> tuple[tuple[int, int], ...]:
        """Whom a page links to: up, down, then across, as (host, index), each once."""
        up = [(host, self.parent(index))] if index else []
        down = [(host, child) for child in self.children(index)]
        return tuple(dict.fromkeys([*up, *down, *self._across(host, index)]))

    def seen_from(self, host: int, other: int, index: int) -> str:
        """How a page is written as a target: a path on the same host, a URL on another."""
        path = self.path(other, index)
        return path if other == host else self.base_urls[other] + path

    def elder(self, host: int, index: int) -> int:
        """Some page above this one's level that carries links: where a redirect ends, what a duplicate repeats."""
        return draw(self.plan.seed, host, index, "elder") % (self.parent(index) + 1)

    def delay(self, host: int, path: str) -> float:
        """Seconds that any answer waits."""
        spread = self.plan.latency_spread
        return self.plan.latency + (spread * fraction(self.plan.seed, host, path, "latency") if spread else 0.0)

    def _across(self, host: int, index: int) -> Iterator[tuple[int, int]]:
        seed, hosts = self.plan.seed, self.plan.hosts
        if index == 0 and hosts > 1:
            yield (host + 1) % hosts, 0
        reach = self._end_of_level(self.depth(index) + 1)
        for turn in range(draw(seed, host, index, "links") % 6):
            dice = draw(seed, host, index, "link", turn)
            other_host = dice % 4 == 0
            yield (dice // 4 % hosts if other_host else host), dice // 1024 % reach

    def _end_of_level(self, depth: int) -> int:
        end = level = 1
        for _ in range(depth):
            level *= self.plan.fanout
            end += level
        return min(end, self.plan.pages)

    def _kind(self, host: int, index: int) -> PageKind:
        roll = fraction(self.plan.seed, host, index, "kind")
        kind = _ROLLED[bisect_right(self._thresholds, roll)]
        return PageKind.PAGE if index == 0 or (kind in _LEAVES and self.children(index)) else kind

    def _path(self, host: int, index: int) -> str:
        if index == 0:
            return "/"
        kind = self.kind(host, index)
        return (_SPELLINGS.get(kind) or self._page_spelling(host, index)).format(index)

    def _page_spelling(self, host: int, index: int) -> str:
        if fraction(self.plan.seed, host, index, "odd") >= self.plan.odd_paths:
            return _PLAIN
        return _ODD[draw(self.plan.seed, host, index, "spelling") % len(_ODD)]
