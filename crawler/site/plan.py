"""The plan of a built-in site: the few numbers from which every byte of it follows.

Rules
- Two processes with equal plans have the same site; they store and exchange nothing.
- A share is the probability that a page is of that kind. A page with children is never of a kind without links of its
  own (redirect, missing, duplicate, binary): it is an ordinary page instead.
Runs on: anywhere (pure).
"""

from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Self


def draw(*what: object) -> int:
    """Return 64 bits that depend on `what` alone, the same in every process and version of Python."""
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest())


def fraction(*what: object) -> float:
    """Return a number in [0, 1) that depends on `what` alone."""
    return draw(*what) / 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The shares of special pages; the rest are ordinary pages."""

    redirects: float = 0.0
    missing: float = 0.0
    slow: float = 0.0
    duplicates: float = 0.0
    codings: float = 0.0
    charsets: float = 0.0
    retry_after: float = 0.0
    flaky: float = 0.0
    binary: float = 0.0

    def __post_init__(self) -> None:
        chances = [getattr(self, field.name) for field in fields(self)]
        if min(chances) < 0 or sum(chances) > 1:
            raise ValueError("each share must be at least 0, and their sum at most 1")


MIXED = Shares(
    redirects=0.04,
    missing=0.03,
    slow=0.01,
    duplicates=0.03,
    codings=0.08,
    charsets=0.08,
    retry_after=0.01,
    flaky=0.01,
    binary=0.02,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """A site in a few numbers.

    Attributes:
        pages: numbered pages of each host, `/` included; private pages, loops, robots.txt and sitemaps are extra.
        hosts: virtual hosts; each has its own pages, with links across.
        fanout: children of each page, at least 2; it makes the site deep or wide.
        odd_paths: share of ordinary pages with a query, upper case, escapes or non-ASCII letters in the path.
        private: pages below `/private/`, which robots.txt forbids.
        loops: add a redirect to itself and a pair of redirects to each other.
        latency: seconds before every answer; `latency_spread` adds a share of itself, fixed per page.
        slow_seconds: further seconds before the answer of a slow page.
        largest: bytes of a large page; most are smaller, from 1 KB on, and one in a hundred has four times as many.
        crawl_delays: `Crawl-delay` in seconds of the first hosts; 0 = not mentioned.
    """

    seed: int = 1
    pages: int = 1000
    hosts: int = 1
    fanout: int = 8
    shares: Shares = MIXED
    odd_paths: float = 0.2
    private: int = 4
    loops: bool = True
    latency: float = 0.0
    latency_spread: float = 0.0
    slow_seconds: float = 1.0
    largest: int = 60_000
    crawl_delays: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.pages < 1 or not 1 <= self.hosts <= 250 or self.fanout < 2:
            raise ValueError("a site needs at least 1 page, 1 to 250 hosts and a fanout of at least 2")

    @classmethod
    def plain(cls, *, pages: int = 1000, hosts: int = 1, seed: int = 1, latency: float = 0.0) -> Self:
        """Return a site where every page has a simple address and always answers 200, after `latency`."""
        return cls(
            seed=seed, pages=pages, hosts=hosts, latency=latency, shares=Shares(), odd_paths=0, private=0, loops=False
        )
