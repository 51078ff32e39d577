"""A robots.txt cache for tests, and where it keeps its copies."""

from dataclasses import dataclass, field

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.protocols import Fetcher
from crawler.core.urls import Url
from crawler.engine.entries import RobotsNote
from crawler.engine.robots_cache import RobotsCache
from crawler.robots.rules import LIFETIME, RobotsOutcome
from crawler.testing import FakeClock, FakeFetcher
from support.fetching import ask_url
from support.robots_conditions import HOUR

HERE = "http://127.0.0.1:8080"


BODY = b"User-agent: *\nDisallow: /a\nCrawl-delay: 2\nSitemap: /s"


@dataclass(slots=True)
class Kept:
    """A keeper of copies: a dictionary."""

    copies: dict[str, RobotsCopy] = field(default_factory=dict)

    async def put(self, entry: RobotsNote) -> None:
        """Keep a copy."""
        self.copies[entry.origin] = entry.copy


def a_copy(clock: FakeClock, *, age: float = 0.0, body: bytes = BODY, status: int = 200) -> RobotsCopy:
    """A copy of that age, in seconds."""
    fetched_at = clock.wall() - age
    return RobotsCopy(fetched_at=fetched_at, expires_at=fetched_at + LIFETIME, status=status, body=body)


def a_cache(fetcher: Fetcher | None = None, clock: FakeClock | None = None, kept: Kept | None = None) -> RobotsCache:
    """A cache that knows nothing."""
    return RobotsCache(fetcher or FakeFetcher(), kept or Kept(), clock or FakeClock(), agent="crawler")


async def learned(cache: RobotsCache, url: str = f"{HERE}/") -> RobotsOutcome:
    """Return the outcome of a request for the robots.txt of this URL's origin."""
    return await cache.fetch(ask_url(url), None)


def asked_again(cache: RobotsCache, url: Url, clock: FakeClock) -> int | None:
    """In how many seconds the rules of an origin have to be asked for; None = at once."""
    if not cache.knows(url):
        return None
    for hours in range(1, 26):
        clock.advance(HOUR - 1)
        assert cache.knows(url)
        clock.advance(1)
        if not cache.knows(url):
            return hours * HOUR
    raise AssertionError("it is believed for ever")
