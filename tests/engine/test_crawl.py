"""A crawl conducted with a fake network and everything else real."""

import asyncio
import gzip
import sqlite3
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.core.errors import FetchError, InternalError, StorageDamaged
from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.core.reasons import Reason
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import background
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import crawl, records, rejected, urls

pytestmark = pytest.mark.both_loops

BASE = "http://127.0.0.1:8080"


def closing(gate: asyncio.Event) -> Callable[[Request], Response]:
    """An answer after which no other is given until the gate is open again."""

    def answer(request: Request) -> Response:
        gate.clear()
        return Response(request=request, status=200)

    return answer


def pages(count: int) -> list[str]:
    """A list of URLs of one host."""
    return [f"{BASE}/{number}" for number in range(count)]


async def test_every_url_of_a_list_is_one_line(tmp_path: Path) -> None:
    """A list of a thousand URLs becomes a thousand lines, each URL fetched once."""
    fetcher = FakeFetcher(default=(200, b"hello"))

    ending = await crawl(tmp_path, pages(1000), fetcher)

    assert ending.stopped_by is None
    assert (ending.totals.done, ending.totals.pending) == (1000, 0)
    assert urls(tmp_path) == dict.fromkeys(pages(1000), 1)
    assert set(fetcher.times().values()) == {1}


@pytest.mark.parametrize("concurrency", [1, 7, 64])
async def test_never_more_than_concurrency_in_flight(tmp_path: Path, concurrency: int) -> None:
    """The slots bound what is in flight of a host that answers, and are all used."""
    gate = asyncio.Event()
    gate.set()
    fetcher = FakeFetcher({f"{BASE}/0": closing(gate)}, gate=gate)

    async def open_when_full() -> None:
        await fetcher.in_flight(concurrency)
        gate.set()

    async with background(open_when_full):
        await crawl(tmp_path, pages(300), fetcher, concurrency=concurrency)

    assert fetcher.peak == concurrency


@pytest.mark.parametrize("concurrency", [1, 64, 1000])
async def test_max_pages_is_exact(tmp_path: Path, concurrency: int) -> None:
    """A budget of 100 pages gives exactly 100 lines, failures and retries included."""
    answers: dict[str, Answer] = dict.fromkeys(pages(400)[::50], refused())
    answers |= dict.fromkeys(pages(400)[::5], (404, b""))

    ending = await crawl(tmp_path, pages(400), FakeFetcher(answers), concurrency=concurrency, max_pages=100, retries=1)

    assert len(records(tmp_path)) == 100
    assert ending.stopped_by == "--max-pages 100"


async def test_a_spent_budget_can_be_resumed_with_a_larger_one(tmp_path: Path) -> None:
    """What a budget left pending is fetched by the next life, and counted on."""
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


async def test_a_failure_is_retried_and_then_said(tmp_path: Path) -> None:
    """A refused connection is tried again as often as allowed, then ends as failed with its reason."""
    fetcher = FakeFetcher({f"{BASE}/0": refused()})

    ending = await crawl(tmp_path, pages(3), fetcher, retries=1)

    assert fetcher.times()[f"{BASE}/0"] == 2
    failed = [record for record in records(tmp_path) if record["outcome"] == "failed"]
    assert [(record["url"], record["reason"], record["attempts"]) for record in failed] == [
        (f"{BASE}/0", "connect_refused", 2)
    ]
    assert ending.totals.failures == {"connect_refused": 1}


async def test_a_failure_that_heals_is_done(tmp_path: Path) -> None:
    """A server that is back in time costs a retry and nothing else."""

    def answer(request: Request) -> Response | FetchError:
        return refused() if request.attempts == 0 else Response(request=request, status=200)

    ending = await crawl(tmp_path, pages(1), FakeFetcher({f"{BASE}/0": answer}))

    assert (ending.totals.done, ending.totals.failed, ending.totals.retries) == (1, 0, 1)
    assert records(tmp_path)[0]["attempts"] == 2


async def test_a_redirect_is_a_result_and_its_target_a_url(tmp_path: Path) -> None:
    """Source and target each get a line; the target keeps the depth, and two sources share it."""

    def redirect(request: Request) -> Response:
        return Response(request=request, status=301, headers=((b"Location", b"/target"),))

    await crawl(tmp_path, pages(2), FakeFetcher({f"{BASE}/0": redirect, f"{BASE}/1": redirect}))

    assert urls(tmp_path) == {f"{BASE}/0": 1, f"{BASE}/1": 1, f"{BASE}/target": 1}
    target = next(record for record in records(tmp_path) if record["url"] == f"{BASE}/target")
    assert target["referrer"] in {f"{BASE}/0", f"{BASE}/1"}
    assert target["depth"] == 0


async def test_endless_redirects_end(tmp_path: Path) -> None:
    """A server that always redirects to another page is followed ten times and no further."""

    def redirect(request: Request) -> Response:
        number = int(request.url.target[1:]) + 1
        return Response(request=request, status=302, headers=((b"Location", b"/%d" % number),))

    ending = await crawl(tmp_path, pages(1), FakeFetcher(default=redirect))

    assert ending.totals.discovered == 12
    assert ending.totals.skipped == {"hop_limit": 1}


def endless(request: Request) -> Response:
    """Page n refreshes to page n + 1 and links to page n + 2."""
    number = int(request.url.target[1:])
    body = b'<meta http-equiv=refresh content="0;url=/%d"><a href=/%d>' % (number + 1, number + 2)
    return Response(request=request, status=200, headers=((b"Content-Type", b"text/html"),), body=body)


@pytest.mark.parametrize(("max_depth", "pages"), [(0, 11), (1, 23)])
async def test_a_depth_ends_however_pages_refresh_and_link(tmp_path: Path, max_depth: int, pages: int) -> None:
    """Ten refreshes keep a depth; what is linked, too, goes on after them as a link does."""
    ending = await crawl(
        tmp_path, [f"{BASE}/0"], FakeFetcher(default=endless), command="crawl", max_depth=max_depth, max_pages=50
    )

    assert (ending.totals.done, ending.totals.pending) == (pages, 0)
    assert ending.stopped_by is None


class Late(FakeFetcher):
    """Answers `late` only when `before` was asked for."""

    def __init__(self, answers: dict[str, Answer], late: str, before: str) -> None:
        super().__init__(answers)
        self.late, self.before, self.is_asked = late, before, asyncio.Event()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """The answer, in time or late."""
        if request.url.href == self.before:
            self.is_asked.set()
        if request.url.href == self.late:
            await self.is_asked.wait()
        return await super().fetch(request, room)


@pytest.mark.parametrize(("late", "before"), [("page", "r10"), ("r3", "end")])
async def test_a_chain_that_is_too_long_goes_on_where_a_link_leads_into_it(
    tmp_path: Path, late: str, before: str
) -> None:
    """It makes no difference whether the page with the link is answered after the chain's redirects or before them."""

    def move(request: Request) -> Response:
        number = int(request.url.target[2:])
        target = b"/r%d" % (number + 1) if number < 10 else b"/end"
        return Response(request=request, status=302, headers=((b"Location", target),))

    def page(request: Request) -> Response:
        return Response(request=request, status=200, headers=((b"Content-Type", b"text/html"),), body=b"<a href=/r10>")

    chain: dict[str, Answer] = {f"{BASE}/r{n}": move for n in range(11)}
    fetcher = Late({**chain, f"{BASE}/page": page}, f"{BASE}/{late}", f"{BASE}/{before}")

    ending = await crawl(tmp_path, [f"{BASE}/r0", f"{BASE}/page"], fetcher, command="crawl")

    assert urls(tmp_path) == dict.fromkeys((f"{BASE}/page", f"{BASE}/end", *chain), 1)
    assert (ending.totals.failed, ending.totals.skipped) == (0, {})


async def test_a_drain_finishes_what_is_in_flight_and_the_rest_can_be_resumed(tmp_path: Path) -> None:
    """After the first signal nothing starts; the next life fetches exactly what is left."""
    gate = asyncio.Event()
    first, stop = FakeFetcher(gate=gate), Stop()

    async def drain() -> None:
        await first.in_flight(4)
        stop.request_drain()
        gate.set()

    async with background(drain):
        ending = await crawl(tmp_path, pages(20), first, stop=stop, concurrency=4)
    second = FakeFetcher()
    after = await crawl(tmp_path, (), second)

    assert (len(first.asked), ending.totals.done, ending.stopped_by) == (4, 4, "interrupted")
    assert (len(second.asked), after.totals.done) == (16, 20)
    assert set(urls(tmp_path).values()) == {1}


async def test_a_cancel_breaks_off_what_is_in_flight_and_counts_no_death(tmp_path: Path) -> None:
    """After the second signal what was in flight is pending again, as if it had never been asked for."""
    for _ in range(5):
        fetcher, stop = FakeFetcher(gate=asyncio.Event()), Stop()

        async def cancel(fetcher: FakeFetcher = fetcher, stop: Stop = stop) -> None:
            await fetcher.in_flight(4)
            stop.request_cancel()

        async with background(cancel):
            await crawl(tmp_path, pages(20), fetcher, stop=stop, concurrency=4)
    last = FakeFetcher()
    ending = await crawl(tmp_path, (), last)

    assert ending.totals.done == 20
    assert set(last.times().values()) == {1}
    assert last.peak > 1  # nobody became a suspect that runs alone


async def test_an_error_of_our_own_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    """Something that nobody foresaw is raised as itself, and the run can be resumed."""

    def break_down(_: Request) -> Response:
        raise InternalError("a bug")

    with pytest.raises(InternalError, match="a bug"):
        await crawl(tmp_path, pages(20), FakeFetcher({f"{BASE}/10": break_down}), concurrency=2)
    ending = await crawl(tmp_path, (), FakeFetcher())

    assert ending.totals.done == 20
    assert set(urls(tmp_path).values()) == {1}


async def test_every_line_of_a_dirty_list_is_accounted_for(tmp_path: Path) -> None:
    """Lines that are no URL of their own are named with their number and reason; the sums add up."""
    lines = [f"{BASE}/a", "", "# comment", f"{BASE}/a#fragment", "ftp://h/", "nonsense", f"{BASE}/b"]

    ending = await crawl(tmp_path, lines, FakeFetcher())

    assert urls(tmp_path) == {f"{BASE}/a": 1, f"{BASE}/b": 1}
    assert [(line["line"], line["reason"]) for line in rejected(tmp_path)] == [
        (4, Reason.DUPLICATE),
        (5, Reason.UNSUPPORTED_SCHEME),
        (6, Reason.RELATIVE_URL),
    ]
    counts = dict(ending.totals.lines)
    assert counts.pop("read") == sum(counts.values()) == 7


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


async def test_a_skipped_url_gives_its_page_of_the_budget_back(tmp_path: Path) -> None:
    """A budget of five pages gives five lines even when robots.txt refuses the URLs that reserved them first."""
    robots = (200, b"User-agent: *\nDisallow: /private")
    lines = [*(f"{BASE}/private/{number}" for number in range(10)), *pages(10)]

    await crawl(tmp_path, lines, FakeFetcher({f"{BASE}/robots.txt": robots}), robots=True, max_pages=5, concurrency=4)

    assert len(records(tmp_path)) == 5


def moments(fetcher: FakeFetcher, prefix: str = BASE) -> list[float]:
    """When each URL that begins so was asked for, in seconds."""
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


async def test_a_list_that_was_cut_is_damage(tmp_path: Path) -> None:
    """A `seeds.txt` that is shorter than what was read of it is said, not silently taken for complete."""
    await crawl(tmp_path, pages(20), FakeFetcher(), max_pages=5)
    db = sqlite3.connect(tmp_path / "frontier.sqlite")
    db.execute("UPDATE meta SET value = 0 WHERE key = 'seeds_finished'")
    db.commit()
    db.close()
    (tmp_path / "seeds.txt").write_text("http://127.0.0.1/\n", "utf-8")

    with pytest.raises(StorageDamaged, match="shorter"):
        await crawl(tmp_path, (), FakeFetcher())
