"""robots.txt and delays in whole runs."""

import asyncio
import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.core.messages import Request, Response
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import BASE, crawl, pages, records

pytestmark = pytest.mark.both_loops


async def test_robots_txt_is_obeyed_and_asked_for_once(tmp_path: Path) -> None:
    """One fetch of robots.txt per origin decides about all of its URLs; the refused are skipped, not lines."""
    robots = (200, b"User-agent: *\nDisallow: /private")
    fetcher = FakeFetcher({f"{BASE}/robots.txt": robots})

    ending = await crawl(tmp_path, [*pages(30), f"{BASE}/private/1", f"{BASE}/private/2"], fetcher, robots=True)

    assert fetcher.times()[f"{BASE}/robots.txt"] == 1
    assert ending.totals.skipped == {"robots_denied": 2}
    assert len(records(tmp_path)) == 30
    assert not [url for url in fetcher.asked if "private" in url]


@pytest.mark.parametrize(
    ("answer", "done", "failed"),
    [
        ((404, b""), 3, 0),  # there are no rules
        ((403, b""), 3, 0),  # RFC 9309, 2.3.1.3: unavailable means allowed
        ((500, b""), 0, 3),  # RFC 9309, 2.3.1.4: unreachable means disallowed, for now
        ((429, b""), 0, 3),
        (refused(), 0, 3),
        ((200, b"\xff\xfe\x00garbage<html>"), 3, 0),
    ],
)
async def test_a_robots_txt_that_cannot_be_had(tmp_path: Path, answer: Answer, done: int, failed: int) -> None:
    """4xx allows everything; 5xx and a dead host allow nothing, and the URLs are tried again."""
    fetcher = FakeFetcher({f"{BASE}/robots.txt": answer})

    ending = await crawl(tmp_path, pages(3), fetcher, robots=True, retries=1)

    assert (ending.totals.done, ending.totals.failed) == (done, failed)


async def test_a_redirect_of_robots_txt_to_another_origin_is_foreign(tmp_path: Path) -> None:
    """The user's credentials do not follow where a robots.txt redirects, not even to the same port in the clear."""
    asked: list[Request] = []

    def moved(request: Request) -> Response:
        asked.append(request)
        return Response(request=request, status=301, headers=((b"Location", b"https://127.0.0.1:8080/x"),))

    def there(request: Request) -> Response:
        asked.append(request)
        return Response(request=request, status=404)

    fetcher = FakeFetcher({f"{BASE}/robots.txt": moved, "https://127.0.0.1:8080/x": there})
    await crawl(tmp_path, pages(1), fetcher, robots=True)

    assert [(request.url.scheme, request.named, request.way.foreign) for request in asked] == [
        ("http", True, False),
        ("https", True, True),
    ]


def moments(fetcher: FakeFetcher, prefix: str = BASE) -> list[float]:
    """Return the seconds at which each URL that begins so was asked for."""
    return [moment for url, moment in zip(fetcher.asked, fetcher.moments, strict=True) if url.startswith(prefix)]


def gaps(moments: list[float]) -> list[float]:
    """Seconds between neighbours."""
    return [later - earlier for earlier, later in pairwise(moments)]


@pytest.mark.parametrize("per_host", [1, 4])
async def test_the_delay_counts_for_robots_txt_too(tmp_path: Path, per_host: int) -> None:
    """robots.txt is a request of its host: nothing leaves with it, and the first page keeps its distance."""
    fetcher = FakeFetcher()

    await crawl(tmp_path, pages(4), fetcher, robots=True, delay=0.1, per_host=per_host)

    assert fetcher.asked[0] == f"{BASE}/robots.txt"
    assert len(fetcher.asked) == 5
    assert min(gaps(moments(fetcher))) >= 0.099


async def test_what_robots_txt_refuses_costs_no_time(tmp_path: Path) -> None:
    """A thousand refused URLs are told without one request, so no delay is kept between them."""
    robots = (200, b"User-agent: *\nDisallow: /")

    async with asyncio.timeout(20):
        ending = await crawl(tmp_path, pages(1000), FakeFetcher({f"{BASE}/robots.txt": robots}), robots=True, delay=1)

    assert ending.totals.skipped == {"robots_denied": 1000}


async def test_all_who_wait_for_a_dead_robots_txt_fail_with_it(tmp_path: Path) -> None:
    """One failure is told to everybody who is waiting, instead of asking a dead host once per URL."""
    fetcher = FakeFetcher(default=refused())

    async with asyncio.timeout(20):
        ending = await crawl(tmp_path, pages(200), fetcher, robots=True, delay=0.2, retries=0)

    assert ending.totals.failed == 200
    assert len(fetcher.asked) < 20


async def test_the_rate_counts_robots_txt_too(tmp_path: Path) -> None:
    """`--rate` is about requests, whatever they ask for."""
    fetcher = FakeFetcher()
    lines = [f"http://127.0.0.1:{port}/" for port in range(20000, 20005)]

    await crawl(tmp_path, lines, fetcher, robots=True, rate=50)

    assert len(fetcher.asked) == 10
    assert fetcher.moments[-1] - fetcher.moments[0] >= 8 / 50


async def test_the_delay_outlives_a_resume(tmp_path: Path) -> None:
    """A host that was asked just before the end of one life is not asked early by the next."""
    first, second = FakeFetcher(), FakeFetcher()

    await crawl(tmp_path, pages(2), first, delay=0.6, max_pages=1)
    await crawl(tmp_path, (), second, delay=0.6)

    assert min(gaps([*moments(first), *moments(second)])) >= 0.59


async def test_more_hosts_than_slots_with_a_delay_all_get_their_turn(tmp_path: Path) -> None:
    """Hosts that rest until their next due time keep no place from those that nobody has asked yet."""
    lines = [f"http://127.0.0.1:{port}/" for port in range(20000, 20030)]

    async with asyncio.timeout(20):
        ending = await crawl(tmp_path, lines, FakeFetcher(), concurrency=3, delay=0.2)

    assert ending.totals.done == 30


@pytest.mark.parametrize("coding", [b"", b"gzip", b"unknown", b"utf-8"])
async def test_a_long_or_unreadable_robots_txt_still_forbids(tmp_path: Path, coding: bytes) -> None:
    """The first 512 KiB decide, and a coding that cannot be removed does not open the site."""
    rules = b"User-agent: *\nDisallow: /\n" + b"# padding\n" * 70_000
    body = gzip.compress(rules) if coding == b"gzip" else rules
    headers = ((b"Content-Encoding", coding),) if coding else ()

    def robots(request: Request) -> Response:
        return Response(request=request, status=200, headers=headers, body=body[: request.most])

    ending = await crawl(tmp_path, pages(1), FakeFetcher({f"{BASE}/robots.txt": robots}), robots=True)

    assert ending.totals.skipped == {"robots_denied": 1}
