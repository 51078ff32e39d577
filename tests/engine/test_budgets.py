"""Budgets of whole runs: pages, pages of a host, bytes and time."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from crawler.core.messages import Request, Response
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import background
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import BASE, crawl, pages, records, urls

pytestmark = pytest.mark.both_loops


@pytest.mark.parametrize("concurrency", [1, 64, 1000])
async def test_max_pages_is_exact(tmp_path: Path, concurrency: int) -> None:
    """A budget of 100 pages gives exactly 100 lines, failures and retries included."""
    answers: dict[str, Answer] = dict.fromkeys(pages(400)[::50], refused())
    answers |= dict.fromkeys(pages(400)[::5], (404, b""))

    ending = await crawl(tmp_path, pages(400), FakeFetcher(answers), concurrency=concurrency, max_pages=100, retries=1)

    assert len(records(tmp_path)) == 100
    assert ending.stopped_by == "--max-pages 100"


async def test_a_spent_budget_can_be_resumed_with_a_larger_one(tmp_path: Path) -> None:
    """URLs that a budget left pending are fetched by the next life, and counted on."""
    await crawl(tmp_path, pages(50), FakeFetcher(), max_pages=20)
    ending = await crawl(tmp_path, (), FakeFetcher(), max_pages=35)

    assert len(records(tmp_path)) == 35
    assert ending.totals.pending == 15


async def test_the_pages_of_a_host_are_exact_in_every_life(tmp_path: Path) -> None:
    """Each host gets so many lines and no more; that some have URLs left is told, until a larger budget takes them."""

    def answer(request: Request) -> Response:
        number, size = int(request.url.target[1:]), 40 if request.url.port == 8080 else 3
        links = (f"<a href=/{link}>" for link in (2 * number + 1, 2 * number + 2) if link < size)
        headers = ((b"Content-Type", b"text/html"),)
        return Response(request=request, status=200, headers=headers, body="".join(links).encode())

    seeds = [f"http://127.0.0.1:{port}/{number}" for port in (8080, 8081) for number in range(3)]
    for most, left in ((2, True), (2, True), (9, True), (17, True), (100, False)):
        ending = await crawl(tmp_path, seeds, FakeFetcher(default=answer), command="crawl", max_pages_per_host=most)

        assert set(urls(tmp_path).values()) == {1}
        lines = Counter(url.rpartition("/")[0] for url in urls(tmp_path))
        assert lines == {"http://127.0.0.1:8080": min(most, 40), "http://127.0.0.1:8081": min(most, 3)}
        assert (ending.stopped_by, ending.totals.pending > 0) == (
            f"--max-pages-per-host {most}" if left else None,
            left,
        )


async def test_max_bytes_stops_dispatching(tmp_path: Path) -> None:
    """After the byte budget nothing is started; what was in flight is finished and counted."""
    ending = await crawl(tmp_path, pages(100), FakeFetcher(default=(200, b"x" * 1000)), max_bytes=5000, concurrency=1)

    assert 5 <= len(records(tmp_path)) < 100
    assert ending.stopped_by == "--max-bytes 5000"


async def test_the_account_counts_the_time_to_the_end(tmp_path: Path) -> None:
    """A run that waits for nothing but its time limit took that long, though the last commit was early."""
    ending = await crawl(tmp_path, pages(5), FakeFetcher(), delay=0.9, max_time=0.5)

    assert ending.stopped_by == "--max-time 0.5"
    assert 0.5 <= ending.totals.seconds < 5


async def test_max_time_stops_dispatching(tmp_path: Path) -> None:
    """With an answer that never comes, time alone ends the dispatch; the stop breaks off what is in flight."""
    fetcher = FakeFetcher(gate=asyncio.Event())
    stop = Stop()

    async def cut() -> None:
        await fetcher.in_flight(3)
        stop.request_cancel()

    async with background(cut):
        ending = await crawl(tmp_path, pages(10), fetcher, stop=stop, concurrency=3, max_time="50s")

    assert ending.totals.pending == 10


async def test_a_skipped_url_gives_its_page_of_the_budget_back(tmp_path: Path) -> None:
    """A budget of five pages gives five lines even when robots.txt refuses the URLs that reserved them first."""
    robots = (200, b"User-agent: *\nDisallow: /private")
    lines = [*(f"{BASE}/private/{number}" for number in range(10)), *pages(10)]

    await crawl(tmp_path, lines, FakeFetcher({f"{BASE}/robots.txt": robots}), robots=True, max_pages=5, concurrency=4)

    assert len(records(tmp_path)) == 5


async def test_a_full_budget_leases_no_more(tmp_path: Path) -> None:
    """While every page is kept for somebody, the rest of a long list stays on disk."""
    gate = asyncio.Event()
    fetcher = FakeFetcher(gate=gate)

    async def let_go() -> None:
        await fetcher.in_flight(2)
        for _ in range(500):
            await asyncio.sleep(0)
        gate.set()

    async with background(let_go):
        ending = await crawl(tmp_path, pages(3000), fetcher, concurrency=4, max_pages=2)

    assert len(fetcher.asked) == 2
    assert ending.totals.pending == 2998
