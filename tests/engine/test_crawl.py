"""engine.crawl: whole runs with a fake network and everything else real."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.errors import FetchError, InternalError, StorageDamaged
from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.core.reasons import Reason
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import background
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import BASE, crawl, pages, records, rejected, urls

pytestmark = pytest.mark.both_loops


def closing(gate: asyncio.Event) -> Callable[[Request], Response]:
    """An answer after which no other is given until the gate is open again."""

    def answer(request: Request) -> Response:
        gate.clear()
        return Response(request=request, status=200)

    return answer


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
