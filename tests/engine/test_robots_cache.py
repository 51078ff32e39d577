"""engine.robots_cache: copies that are stored, stale, bounded and parsed again."""

import pytest
from msgspec.structs import replace

from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.throttle import LONGEST_REST
from crawler.core.urls import parse
from crawler.engine import robots_cache
from crawler.engine.robots_cache import RobotsCache
from crawler.robots.rules import LIFETIME, RobotsOutcome
from crawler.testing import Answer, FakeClock, FakeFetcher, refused
from support.robots_conditions import (
    HOUR,
)
from support.robots_copies import BODY, HERE, Kept, a_cache, a_copy, asked_again, learned


async def test_what_was_learned_is_kept_and_answered() -> None:
    """Verdicts, the crawl-delay and the sitemaps of an origin, and of no other; the copy goes to the keeper."""
    clock, kept = FakeClock(), Kept()
    cache = a_cache(FakeFetcher({f"{HERE}/robots.txt": (200, BODY)}), clock, kept)

    assert await learned(cache) == RobotsOutcome(None)

    url, other = parse(f"{HERE}/a"), parse("https://127.0.0.1:8080/a")
    assert (cache.knows(url), cache.allows(url)) == (True, False)
    assert (cache.crawl_delay(url), cache.take_sitemaps(url)) == (2.0, ("/s",))
    assert kept.copies == {HERE: a_copy(clock)}
    assert (cache.knows(other), cache.allows(other)) == (False, False)
    assert (cache.crawl_delay(other), cache.take_sitemaps(other)) == (None, ())


async def test_sitemaps_are_taken_once_for_each_copy() -> None:
    """So they enter the frontier once a day, not with each page."""
    clock = FakeClock()
    cache = a_cache(FakeFetcher({f"{HERE}/robots.txt": (200, BODY)}), clock)
    url = parse(f"{HERE}/a")

    await learned(cache)
    first = [cache.take_sitemaps(url), cache.take_sitemaps(url)]
    await learned(cache)
    second = [cache.take_sitemaps(url), cache.take_sitemaps(url)]

    assert first == second == [("/s",), ()]


async def test_after_a_failure_nothing_is_known() -> None:
    """The lesson says why, and the next try asks again."""
    fetcher = FakeFetcher(default=refused())
    cache = a_cache(fetcher)

    lessons = [await learned(cache), await learned(cache)]

    failed = RobotsOutcome(Reason.CONNECT_REFUSED, "robots.txt: connection refused", is_answered=False)
    assert lessons == [failed] * 2
    assert len(fetcher.asked) == 2
    assert not cache.knows(parse(HERE))
    assert not cache.allows(parse(HERE))


async def test_a_stale_copy_stays_in_force_for_two_hours_at_a_time() -> None:
    """A stale copy counts while the server cannot be reached, and is stored so; the first answer replaces it.

    After the longest rest of its host there is time for a page.
    """
    clock, kept = FakeClock(), Kept()
    fetcher = FakeFetcher({f"{HERE}/robots.txt": (503, b"")})
    cache = a_cache(fetcher, clock, kept)
    copy = a_copy(clock, age=30 * LIFETIME)
    cache.remember({HERE: copy})

    for _ in range(3):
        assert not cache.knows(parse(HERE))
        lesson = await learned(cache)
        assert lesson.reason is None
        assert lesson.message.startswith("robots.txt: the server answered 503; the copy of 2023-10-")
        assert (cache.knows(parse(HERE)), cache.allows(parse(f"{HERE}/a"))) == (True, False)
        assert kept.copies[HERE] == replace(copy, expires_at=clock.wall() + 2 * HOUR)
        clock.advance(LONGEST_REST + 60)
        assert cache.knows(parse(HERE))
        clock.advance(2 * HOUR - LONGEST_REST - 60)
    cache._fetcher = FakeFetcher({f"{HERE}/robots.txt": (404, b"")})
    await learned(cache)

    assert cache.allows(parse(f"{HERE}/a"))


async def test_a_copy_from_the_future_is_stale() -> None:
    """The clock was set back since: nobody knows its age. In force it stays as any other stale copy does."""
    clock = FakeClock()
    cache = a_cache(FakeFetcher(default=refused()), clock)
    cache.remember({HERE: a_copy(clock, age=-10)})

    assert not cache.knows(parse(HERE))
    await learned(cache)

    assert cache.knows(parse(HERE))


def test_a_copy_is_believed_for_a_day_at_the_most() -> None:
    """A stored expiry, of any length, ends after a day."""
    clock = FakeClock()
    cache = a_cache(clock=clock)
    cache.remember({HERE: replace(a_copy(clock), expires_at=clock.wall() + 9 * LIFETIME)})

    assert asked_again(cache, parse(HERE), clock) == LIFETIME


def test_an_older_copy_replaces_no_newer_one() -> None:
    """A copy that comes with a lease may have been stored before the one that was learned since."""
    clock = FakeClock()
    cache = a_cache(clock=clock)
    cache.remember({HERE: a_copy(clock, age=5, body=b"")})
    cache.remember({HERE: a_copy(clock, age=9)})
    assert cache.allows(parse(f"{HERE}/a"))

    cache.remember({HERE: a_copy(clock, age=1)})

    assert not cache.allows(parse(f"{HERE}/a"))


@pytest.mark.parametrize(("limit", "most"), [("_ORIGINS", 10), ("_BYTES", 10 * (1024 + len(BODY)))])
def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    """In origins and in bytes; who was asked about last is kept."""
    monkeypatch.setattr(robots_cache, limit, most)
    clock = FakeClock()
    cache = a_cache(clock=clock)

    for number in range(1000, 1100):
        cache.remember({f"http://h:{number}": a_copy(clock, age=1)})
        cache.remember({f"http://h:{number}": a_copy(clock)})
        assert cache.allows(parse(f"http://h:{number}"))
        assert cache.allows(parse("http://h:1000"))

    assert known(cache, range(1000, 1100)) == [1000, *range(1091, 1100)]
    assert cache._weight == 10 * (1024 + len(BODY))
    assert cache._read_weight == 10 * 16 * len(BODY)


@pytest.mark.parametrize(("limit", "most"), [("_ORIGINS", 10), ("_BYTES", 10 * (1024 + len(BODY)))])
def test_a_copy_that_decided_about_nothing_yet_stays_longest(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """A host that lost it before its first page would ask again: if all hosts did, no page would ever be asked for."""
    monkeypatch.setattr(robots_cache, limit, most)
    clock = FakeClock()
    cache = a_cache(clock=clock)
    for number in range(1000, 1010):
        cache.remember({f"http://h:{number}": a_copy(clock)})
    for number in range(1005, 1010):
        assert cache.allows(parse(f"http://h:{number}"))

    cache.remember({f"http://h:{number}": a_copy(clock) for number in range(1010, 1016)})

    assert known(cache, range(1000, 1020)) == [*range(1001, 1005), *range(1010, 1016)]


def test_rules_are_read_again_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules take a multiple of their body: those that were not asked for are dropped, and no copy with them."""
    monkeypatch.setattr(robots_cache, "_RULES_BYTES", 10 * 16 * len(BODY))
    clock, urls = FakeClock(), [parse(f"http://h:{number}/a") for number in range(1000, 1100)]
    cache = a_cache(clock=clock)
    cache.remember({url.origin: a_copy(clock) for url in urls})

    for _ in range(2):
        assert [(cache.allows(url), cache.crawl_delay(url)) for url in urls] == [(False, 2.0)] * 100

    assert cache._read_weight == 10 * 16 * len(BODY)
    assert cache._weight == 100 * (1024 + len(BODY))


def known(cache: RobotsCache, numbers: range) -> list[int]:
    """Those of these hosts whose rules are at hand."""
    return [number for number in numbers if cache.knows(parse(f"http://h:{number}"))]


async def test_where_a_redirect_leads_nobody_was_named() -> None:
    """Another host and port is not named by the user, another origin is foreign; both stay so on the way back."""
    asked: list[Request] = []

    def moved(to: str) -> Answer:
        def answer(request: Request) -> Response:
            asked.append(request)
            return Response(request=request, status=302, headers=((b"Location", to.encode()),))

        return answer

    steps = {f"{HERE}/robots.txt": "http://other/1", "http://other/1": f"{HERE}/2", f"{HERE}/2": "/3"}
    fetcher = FakeFetcher({url: moved(to) for url, to in {**steps, f"{HERE}/3": "http://["}.items()})
    await learned(a_cache(fetcher))

    assert [(request.named, request.way.foreign) for request in asked] == [(True, False), *[(False, True)] * 3]
    assert fetcher.asked[-1] == f"{HERE}/3"
