"""A crawl hears its hosts: rests, trouble, hosts that are dead or slow. A fake network, everything else real."""

import asyncio
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import background
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import crawl, records, urls

pytestmark = pytest.mark.both_loops

BASE, OTHER = "http://127.0.0.1:8080", "http://127.0.0.2:8080"


def pages(count: int, base: str = BASE) -> list[str]:
    """A list of URLs of one host."""
    return [f"{base}/{number}" for number in range(count)]


def resting(seconds: int, status: int = 429) -> Answer:
    """A first answer that asks for a rest; the next one is good."""

    def answer(request: Request) -> Response:
        head = ((b"Retry-After", str(seconds).encode()),)
        return Response(request=request, status=status if request.attempts == 0 else 200, headers=head)

    return answer


def host_row(folder: Path, column: str, name: str = "127.0.0.1:8080") -> object:
    """Return the frontier's row of a host."""
    with closing(sqlite3.connect(folder / "frontier.sqlite")) as db:
        return db.execute(f"SELECT {column} FROM host WHERE name = ?", (name,)).fetchone()[0]  # noqa: S608


async def test_retry_after_rests_the_whole_host(tmp_path: Path) -> None:
    """After a 429 nothing is asked of that host until the time is over; others go on."""
    fetcher = FakeFetcher({f"{BASE}/0": resting(1)})

    await crawl(tmp_path, [*pages(6), *pages(6, OTHER)], fetcher, per_host=1, concurrency=2)

    asked = list(zip(fetcher.asked, fetcher.moments, strict=True))
    mine = [moment for url, moment in asked if url.startswith(BASE)]
    assert mine[1] - mine[0] >= 1.0
    assert max(moment for url, moment in asked if url.startswith(OTHER)) - mine[0] < 0.9
    assert len(records(tmp_path)) == 12


async def test_crawl_delay_is_kept(tmp_path: Path) -> None:
    """The gap that robots.txt asks for holds from its own request on, on loopback too."""
    robots: Answer = (200, b"User-agent: *\nCrawl-delay: 0.2\n")
    fetcher = FakeFetcher({f"{BASE}/robots.txt": robots})

    await crawl(tmp_path, pages(4), fetcher, robots=True)

    gaps = [later - earlier for earlier, later in pairwise(fetcher.moments)]
    assert len(gaps) == 4
    assert min(gaps) >= 0.199


async def test_a_long_rest_hands_the_leases_back_and_outlives_the_process(tmp_path: Path) -> None:
    """A host that rests for minutes waits on disk: nothing is leased, and a resume does not ask it early."""
    all_asked = asyncio.Event()
    stop = Stop()

    def last(request: Request) -> Response:
        all_asked.set()
        return Response(request=request, status=200)

    fetcher = FakeFetcher({f"{BASE}/0": resting(120), f"{OTHER}/29": last})

    async def press() -> None:
        await all_asked.wait()
        stop.request_drain()

    async with background(press):
        first = await crawl(tmp_path, [*pages(30), *pages(30, OTHER)], fetcher, per_host=1, stop=stop)
    again = FakeFetcher()
    second = await crawl(tmp_path, (), again, max_time=0.3)

    assert first.totals.done == 30
    assert second.totals.pending == 30
    assert again.asked == []


async def test_trouble_outlives_the_process(tmp_path: Path) -> None:
    """The gentleness that a host needs is stored with it."""
    fetcher = FakeFetcher(dict.fromkeys(pages(8), (503, b"")))

    await crawl(tmp_path, pages(8), fetcher, per_host=4, retries=0, concurrency=4)

    assert host_row(tmp_path, "window") == 1.0
    assert host_row(tmp_path, "cause") in {"trouble", "loopback"}


async def test_a_host_whose_robots_cannot_be_had_is_given_up(tmp_path: Path) -> None:
    """After as many attempts as allowed its URLs fail with the cause and unasked, later finds too."""

    def late(request: Request) -> Response:
        return Response(request=request, status=302, headers=((b"Location", f"{BASE}/found".encode()),))

    fetcher = FakeFetcher({f"{BASE}/robots.txt": refused(), f"{OTHER}/robots.txt": (404, b""), f"{OTHER}/1": late})

    ending = await crawl(tmp_path, [*pages(3), *pages(2, OTHER)], fetcher, robots=True, retries=1, delay=1.5)

    assert fetcher.times()[f"{BASE}/robots.txt"] == 2
    assert not set(fetcher.asked) & {*pages(3), f"{BASE}/found"}
    failed = {(r["url"], r["reason"], r["attempts"]) for r in records(tmp_path) if r["outcome"] == "failed"}
    assert failed == {(url, "connect_refused", 0) for url in (*pages(3), f"{BASE}/found")}
    assert (ending.totals.done, ending.totals.failed) == (2, 4)
    assert host_row(tmp_path, "down") == Reason.CONNECT_REFUSED


async def test_a_host_that_was_given_up_gets_another_chance_from_a_resume(tmp_path: Path) -> None:
    """URLs that are listed later are asked for again; those that had failed stay so."""
    dead = FakeFetcher(default=refused())
    await crawl(tmp_path, pages(2), dead, robots=True, retries=0, max_pages=1)

    ending = await crawl(tmp_path, (), FakeFetcher(), robots=True)

    assert (ending.totals.done, ending.totals.failed, ending.totals.pending) == (1, 1, 0)
    assert host_row(tmp_path, "down") is None


async def test_a_host_of_which_nothing_is_left_stays_given_up(tmp_path: Path) -> None:
    """A resume that does not ask it again still tells why it was given up."""
    dead = FakeFetcher({f"{BASE}/robots.txt": refused(), f"{OTHER}/robots.txt": (404, b"")})
    await crawl(tmp_path, [*pages(1), *pages(2, OTHER)], dead, robots=True, retries=0, max_pages=2)

    ending = await crawl(tmp_path, (), FakeFetcher(), robots=True)

    assert (ending.totals.done, ending.totals.failed, ending.totals.pending) == (2, 1, 0)
    assert host_row(tmp_path, "down") == Reason.CONNECT_REFUSED


async def test_the_user_hears_why_nothing_happens(tmp_path: Path) -> None:
    """Once when a host cannot be reached, and when it is given up; and how long it is left alone."""
    said: list[str] = []

    await crawl(tmp_path, pages(3), FakeFetcher(default=refused()), robots=True, retries=1, say=said.append)

    assert said == [
        f"{BASE}: robots.txt: {refused()}; next request in 1.0 s",
        f"{BASE}: robots.txt: {refused()}; given up, and its URLs fail",
    ]


async def test_of_many_dead_hosts_the_first_are_named(tmp_path: Path) -> None:
    """And then it is said that there are more."""
    said: list[str] = []
    lines = [f"http://127.0.1.{n}:8080/" for n in range(9)]

    await crawl(tmp_path, lines, FakeFetcher(default=refused()), robots=True, retries=0, say=said.append)

    assert len(said) == 6
    assert said[-1] == "more hosts are given up; crawler hosts shows them all"


async def test_the_user_hears_of_a_server_that_goes_away(tmp_path: Path) -> None:
    """One line, however many requests were in flight."""
    said: list[str] = []
    fetcher = FakeFetcher(default=refused())

    await crawl(tmp_path, pages(4), fetcher, retries=0, concurrency=8, say=said.append)

    assert said == [f"127.0.0.1:8080: {refused()}; next request in 1.0 s"]


async def test_a_robots_txt_at_a_forbidden_address_is_asked_for_once(tmp_path: Path) -> None:
    """Nothing changes by asking again: its URLs fail with that reason."""
    blocked = FetchError(Reason.BLOCKED_ADDRESS, "it is not to be asked")
    fetcher = FakeFetcher({f"{BASE}/robots.txt": blocked})

    ending = await crawl(tmp_path, pages(2), fetcher, robots=True)

    assert (fetcher.asked, ending.totals.failed) == ([f"{BASE}/robots.txt"], 2)
    assert {record["reason"] for record in records(tmp_path)} == {"blocked_address"}


async def test_a_server_that_restarts_fails_nothing(tmp_path: Path) -> None:
    """A second of refused connections costs retries; every URL is done in the end."""
    loop = asyncio.get_running_loop()
    down_until = loop.time() + 1.0

    def answer(request: Request) -> Response:
        if loop.time() < down_until:
            raise refused()
        return Response(request=request, status=200)

    fetcher = FakeFetcher(default=answer)

    ending = await crawl(tmp_path, pages(200), fetcher, concurrency=64)

    assert (ending.totals.done, ending.totals.failed) == (200, 0)
    assert ending.totals.retries < 100


async def test_a_budget_counts_what_fails_unasked(tmp_path: Path) -> None:
    """The URLs of a host that was given up are lines like any other, so the budget stays exact."""
    fetcher = FakeFetcher(default=refused())

    ending = await crawl(tmp_path, pages(50), fetcher, robots=True, retries=0, max_pages=20)

    assert sum(urls(tmp_path).values()) == 20
    assert ending.stopped_by == "--max-pages 20"


async def test_a_budget_that_the_last_page_spends_stops_nothing(tmp_path: Path) -> None:
    """Nothing is left, so the run is complete."""
    ending = await crawl(tmp_path, pages(3), FakeFetcher(), max_pages=3)

    assert (ending.totals.done, ending.stopped_by) == (3, None)
