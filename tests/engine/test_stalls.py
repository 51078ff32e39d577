"""Crawls that could wait for ever, ask too early or spin; most on virtual time. A `Stall` is a wait for nothing."""

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.engine.scheduler import Scheduler
from crawler.frontier.host_reports import HostReports
from crawler.frontier.sqlite.tables import SqliteTables
from crawler.runtime.loop import Stop
from crawler.runtime.slots import Work
from crawler.testing import FakeFetcher
from support import crawls
from support.crawls import records, urls
from support.virtual import EPOCH, START, crawl

A, B, C = (f"http://127.0.0.{n}:8080" for n in (1, 2, 3))


HTML = ((b"Content-Type", b"text/html"),)


def failing(times: int, status: int = 503, *, rest: int | None = None) -> Callable[[Request], Response]:
    """So many bad answers, which may ask for a rest, then a good one."""
    head = () if rest is None else ((b"Retry-After", str(rest).encode()),)

    def answer(request: Request) -> Response:
        if request.attempts >= times:
            return Response(request=request, status=200)
        return Response(request=request, status=status, headers=head)

    return answer


def linking(*targets: str) -> Callable[[Request], Response]:
    """A page with these links."""
    body = "".join(f"<a href={target}>" for target in targets).encode()
    return lambda request: Response(request=request, status=200, headers=HTML, body=body)


class SlowAt(FakeFetcher):
    """One host takes three seconds."""

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Wait, then answer."""
        if request.url.href.startswith(C):
            await asyncio.sleep(3)
        return await super().fetch(request, room)


@pytest.mark.parametrize("hosts", [1, 20])
@pytest.mark.parametrize("concurrency", [4, 64])
def test_the_last_page_of_the_budget_may_need_another_try(tmp_path: Path, hosts: int, concurrency: int) -> None:
    """It is asked for again, though whatever else waits may not be."""
    names = [f"http://127.0.1.{n}:8080" for n in range(hosts)]
    fetcher = FakeFetcher({f"{names[-1]}/{page}": failing(1) for page in range(20)})
    lines = [f"{name}/{page}" for page in range(20) for name in names]

    ending = crawl(tmp_path, lines, fetcher, max_pages=hosts, concurrency=concurrency, delay=0.5, per_host=4)

    assert (ending.totals.done, ending.stopped_by) == (hosts, f"--max-pages {hosts}")


@pytest.mark.parametrize(("hosts", "most"), [((A, B), 10), ((A, B, C), 13)])
def test_what_waits_for_another_try_keeps_its_place_on_its_host(
    tmp_path: Path, hosts: tuple[str, ...], most: int
) -> None:
    """Both budgets are reached exactly: no other page of the host takes the place in between."""
    fetcher = SlowAt({f"{A}/0": failing(3, 500)})
    lines = [f"{host}/{page}" for page in range(8) for host in hosts]

    crawl(tmp_path, lines, fetcher, max_pages=most, max_pages_per_host=5, per_host=1, delay=0.2, concurrency=8)

    assert sum(urls(tmp_path).values()) == most
    assert max(sum(url.startswith(host) for url in urls(tmp_path)) for host in hosts) <= 5


HOSTS = st.lists(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=1, max_size=12), min_size=1, max_size=5)


OPTIONS = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([0.0, 0.5, 5.0, 70.0]),
        "per_host": st.sampled_from([1, 4]),
        "concurrency": st.sampled_from([1, 3, 64]),
    },
    optional={"max_pages": st.integers(1, 20), "max_pages_per_host": st.integers(1, 6)},
)


@given(hosts=HOSTS, options=OPTIONS, rest=st.sampled_from([None, 1, 30, 61, 300]))
def test_every_crawl_comes_to_its_end(hosts: list[list[int]], options: dict[str, Any], rest: int | None) -> None:
    """Pages that fail up to twice, hosts that ask for rests, and both budgets, which are never passed, and reached."""
    answers = {
        f"http://127.0.0.{host}:8080/{page}": failing(fails, rest=rest)
        for host, pages in enumerate(hosts, 1)
        for page, fails in enumerate(pages)
    }
    per_host = options.get("max_pages_per_host", 100)
    possible = sum(min(per_host, len(pages)) for pages in hosts)
    with TemporaryDirectory() as folder:
        crawl(Path(folder), answers, FakeFetcher(answers), **options)
        lines = urls(Path(folder))

    assert set(lines.values()) <= {1}
    assert sum(lines.values()) == min(possible, options.get("max_pages", possible))
    assert max(Counter(url.split("/")[2] for url in lines).values()) <= per_host


def test_waiting_for_the_last_pages_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While every page of the budget is in flight nobody looks for more."""
    looked: list[float] = []
    find = Scheduler.next_work

    def counting(scheduler: Scheduler, now: float) -> tuple[Work, bool] | None:
        looked.append(now)
        return find(scheduler, now)

    monkeypatch.setattr(Scheduler, "next_work", counting)

    crawl(
        tmp_path,
        [f"{C}/{page}" for page in range(10)],
        SlowAt(),
        max_pages=2,
        concurrency=4,
        per_host=4,
    )

    assert sum(0.5 < moment - START < 2.5 for moment in looked) <= 1


def test_hosts_that_have_nothing_more_hide_none_that_has(tmp_path: Path) -> None:
    """Thousands of hosts rest and run low; the one behind them in the line is asked for all of its pages."""
    others = [f"http://127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}:8080/" for n in range(2500)]
    rest = ((b"Retry-After", b"55"),)
    fetcher = FakeFetcher(
        dict.fromkeys(others, lambda request: Response(request=request, status=503, headers=rest)),
    )
    lines = [*(f"{A}/{n}" for n in range(12)), *others]

    crawl(tmp_path, lines, fetcher, retries=0, delay=1.0, per_host=1)

    assert sum(urls(tmp_path).values()) == len(lines)


def test_a_resume_reads_the_list_before_it_goes_deeper(tmp_path: Path) -> None:
    """A URL at the end of the list is a seed in the second life, too, and no link of depth 1."""
    pages = {f"{A}/seed": linking("/x"), f"{A}/x": linking("/y"), f"{A}/y": linking()}
    lines = [f"{A}/seed", *["# a comment"] * 200_000, f"{A}/x"]
    stop = Stop()

    def drain(request: Request) -> Response:
        stop.request_drain()
        return pages[f"{A}/seed"](request)

    crawl(tmp_path, lines, FakeFetcher({**pages, f"{A}/seed": drain}), stop=stop, command="crawl", max_depth=1)
    assert set(urls(tmp_path)) == {f"{A}/seed"}
    crawl(tmp_path, (), FakeFetcher(pages), command="crawl", max_depth=1)

    assert {record["url"]: record["depth"] for record in records(tmp_path)} == {
        f"{A}/seed": 0,
        f"{A}/x": 0,
        f"{A}/y": 1,
    }


def suspected(folder: Path, *suspects: str, **host: float) -> None:
    """Write the state that lives leave behind that were killed twice with these URLs in flight."""
    with closing(sqlite3.connect(folder / "frontier.sqlite")) as db, db:
        for url in suspects:
            db.execute("UPDATE url SET deaths = 2 WHERE url = ?", (url,))
        for name, due in host.items():
            db.execute("UPDATE host SET due = ? WHERE name = ?", (due, name))
        db.execute(
            "UPDATE host SET ready = (SELECT count(*) FROM url"
            " WHERE url.host = host.id AND state = 0 AND not_before IS NULL AND deaths < 2)"
        )


def test_a_suspect_waits_for_no_page_that_another_holds(tmp_path: Path) -> None:
    """The last page is of a URL that waits for another try, and is given to it."""
    crawl(tmp_path, [f"{A}/{n}" for n in range(3)], FakeFetcher(), max_pages=1)
    suspected(tmp_path, f"{A}/2")

    crawl(tmp_path, (), FakeFetcher({f"{A}/1": failing(1, 500)}), max_pages=2)

    assert set(urls(tmp_path)) == {f"{A}/0", f"{A}/1"}


def test_a_suspect_whose_host_rests_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It comes when its host may be asked; the others go on meanwhile."""
    crawl(tmp_path, [f"{A}/0", f"{A}/1", f"{B}/0", f"{B}/1"], FakeFetcher(), max_pages=1)
    suspected(tmp_path, f"{A}/1", **{"127.0.0.1:8080": EPOCH + START + 3000})
    fetcher = FakeFetcher({f"{B}/0": failing(1, 500)})

    crawl(tmp_path, (), fetcher)

    moments = dict(zip(fetcher.asked, fetcher.moments, strict=True))  # of each, the last
    assert moments[f"{B}/0"] < START + 10
    assert START + 2990 < moments[f"{A}/1"] < START + 3010


async def test_a_burst_that_lasts_longer_than_a_delay_asks_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that are started in one turn of the loop go out after it, so they count as started at one moment."""
    hosts = [f"http://127.1.{n // 250}.{n % 250 + 1}:8080" for n in range(60)]
    fetcher = FakeFetcher()

    find = Scheduler.next_work

    def dawdling(scheduler: Scheduler, now: float) -> tuple[Work, bool] | None:
        end = scheduler.clock.monotonic() + 0.004
        while scheduler.clock.monotonic() < end:
            pass
        return find(scheduler, now)

    monkeypatch.setattr(Scheduler, "next_work", dawdling)

    await crawls.crawl(
        tmp_path,
        [f"{host}/{n}" for n in range(3) for host in hosts],
        fetcher,
        delay=0.1,
        per_host=4,
        concurrency=500,
    )

    moments = defaultdict(list)
    for url, moment in zip(fetcher.asked, fetcher.moments, strict=True):
        moments[url.split("/")[2]].append(moment)
    assert min(later - earlier for of in moments.values() for earlier, later in pairwise(of)) >= 0.095


class Silent(FakeFetcher):
    """No host ever answers."""

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Wait for ever."""
        await asyncio.Event().wait()
        return await super().fetch(request, room)


@pytest.mark.parametrize("robots", [False, True])
def test_a_dial_that_is_broken_off_counts_as_waited_in_vain(tmp_path: Path, *, robots: bool) -> None:
    """The host is not blamed, and its URL is pending; what it cost is known, and that it has not answered yet."""
    ending = crawl(tmp_path, [f"{A}/", f"{B}/"], Silent(), max_time=1, robots=robots)

    assert (ending.totals.pending, ending.stopped_by) == (2, "--max-time 1")
    with closing(sqlite3.connect(tmp_path / "frontier.sqlite")) as db:
        chief = HostReports(SqliteTables(db), "crawler").chief(10)
    assert [(host.state.failures, host.state.cause) for host in chief.hosts] == [(0, "put off")] * 2
    assert chief.waiting == chief.in_vain.hosts == 2
    assert chief.in_vain.seconds == pytest.approx(6.0, abs=0.2)


def test_a_suspect_that_was_given_up_makes_room_for_its_host(tmp_path: Path) -> None:
    """It was alone at four deaths; the other page of its host is ready, and nothing else happens to it."""
    crawl(tmp_path, [f"{B}/0", f"{A}/0", f"{A}/1"], FakeFetcher(), max_pages=1)
    with closing(sqlite3.connect(tmp_path / "frontier.sqlite")) as db, db:
        assert db.execute("UPDATE url SET deaths = 4 WHERE url = ?", (f"{A}/1",)).rowcount == 1
        db.execute("UPDATE host SET ready = ready - 1 WHERE name LIKE '127.0.0.1:%'")

    ending = crawl(tmp_path, [], FakeFetcher())

    assert (ending.totals.pending, ending.totals.done, ending.totals.failed) == (0, 2, 1)


def test_suspects_that_were_given_up_keep_the_pages_of_their_host(tmp_path: Path) -> None:
    """Each has a line of output: no more of them than the host may have."""
    crawl(tmp_path, [f"{A}/{n}" for n in range(4)], FakeFetcher(), max_pages_per_host=2, max_pages=1)
    with closing(sqlite3.connect(tmp_path / "frontier.sqlite")) as db, db:
        db.execute("UPDATE url SET deaths = 4 WHERE state = 0")
        db.execute("UPDATE host SET ready = 0")

    crawl(tmp_path, [], FakeFetcher(), max_pages_per_host=2)

    assert sum(urls(tmp_path).values()) == 2


def test_a_host_that_is_found_need_not_wait_for_those_that_rest(tmp_path: Path) -> None:
    """The rate lets it be asked a second later, and all that is here is due after twenty."""
    fetcher = FakeFetcher({f"{A}/2": linking(f"{B}/1")})
    lines = [*(f"{A}/{n}" for n in range(40)), f"{B}/0"]

    crawl(tmp_path, lines, fetcher, command="crawl", concurrency=4, per_host=8, delay=20.0, rate=1.0)

    moments = dict(zip(fetcher.asked, fetcher.moments, strict=True))
    assert moments[f"{B}/1"] - moments[f"{A}/2"] < 5
