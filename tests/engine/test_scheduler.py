"""engine.scheduler: broad lists on virtual time, in which order hosts are asked and how many at once."""

import asyncio
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.runtime.loop import Stop
from support.crawls import urls
from support.virtual import START, crawl
from support.web import (
    ABSENT,
    BLACK_HOLE,
    CRAWLS,
    LIVE,
    REFUSES,
    RESTARTS,
    SILENT,
    SLOW,
    SLOWER,
    UNNAMED,
    Kind,
    Watch,
    Web,
    check_manners,
    hosts,
    pages,
    reasons,
)


def test_pages_come_from_the_start_under_a_rate() -> None:
    """The robots.txt of a thousand hosts do not come first, and the rate is kept."""
    web, stop = Web(), Stop()
    web.on_request = lambda: stop.request_drain() if len(web.asked) == 1000 else None

    with TemporaryDirectory() as folder:
        crawl(Path(folder), pages(hosts(2000)), web, stop=stop, rate=50.0, robots=True)

    assert sum(asked.is_page for asked in web.asked[:1000]) >= 400
    assert all(later.at - earlier.at >= 0.98 for earlier, later in zip(web.asked, web.asked[50:], strict=False))
    check_manners(web, robots=True)


def test_a_long_list_at_a_low_rate_begins_with_its_first_hosts(tmp_path: Path) -> None:
    """Few hosts are opened as long as these have enough; one request in eight opens another."""
    web = Web()

    crawl(tmp_path, pages(hosts(300), 20), web, rate=5.0, robots=True, max_time=30.0)

    opened = {asked.host for asked in web.asked}
    assert web.answered()[0].at - START < 2.0
    assert len(web.answered()) >= 0.8 * len(web.asked)
    assert opened == set(hosts(len(opened)))
    check_manners(web, robots=True)


def test_hosts_that_answer_come_first_then_new_ones_then_those_that_failed(tmp_path: Path) -> None:
    """While the first have enough for the rate, one request in eight opens a host, and one tries a failed one again."""
    proven, new, dead = hosts(5), hosts(100, "new"), hosts(10, "dead")
    web = Web(dict.fromkeys(dead, SILENT))

    crawl(tmp_path, pages(proven, 150) + pages(dead) + pages(new), web, rate=50.0, delay=0.0, max_time=12.0)

    steady = web.asked[200:600]
    first = {asked.host: asked.at for asked in reversed(web.asked)}
    of = Counter(
        "proven" if asked.host in proven else "new" if first[asked.host] == asked.at else "again" for asked in steady
    )
    assert 0.11 * len(steady) <= of["new"] <= 0.14 * len(steady)
    assert of["again"] <= 0.14 * len(steady)
    assert of["proven"] >= 0.72 * len(steady)


def test_no_more_is_in_flight_than_there_are_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that move have slots, and all others wait outside."""
    names = hosts(150)
    web = Web(dict(zip(names, [LIVE, BLACK_HOLE, SLOW] * 50, strict=True)), answer_takes=0.2)
    watch = Watch(monkeypatch, outside=40)

    crawl(tmp_path, pages(names, 2), web, look=watch.look, concurrency=10, delay=0.5)

    assert web.most_answering == 10
    assert watch.most_waiting == 40
    assert sum(urls(tmp_path).values()) == 300


def test_thousands_are_not_dialled_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four for each slot begin within a second."""
    dead = hosts(200, "dead")
    web, watch = Web(dict.fromkeys(dead, BLACK_HOLE)), Watch(monkeypatch)

    crawl(tmp_path, pages(dead), web, look=watch.look, concurrency=20, delay=0.5, retries=0)

    assert max(bisect_left(watch.dials, at + 0.99) - n for n, at in enumerate(watch.dials)) == 4 * 20
    assert len(watch.dials) == len(web.asked)


def test_a_turn_of_the_loop_starts_few_requests(tmp_path: Path) -> None:
    """Timers and sockets have their turn in between, though hundreds of slots are free."""
    web, turns = Web(), [0]

    def count() -> None:
        turns[-1] += 1
        if turns[-1] == 1:
            asyncio.get_running_loop().call_soon(turns.append, 0)

    web.on_request = count
    crawl(tmp_path, pages(hosts(1), 500), web, concurrency=400, per_host=400, delay=0.0)

    assert sum(turns) == 500
    assert max(turns) == 32


@pytest.mark.parametrize(("kind", "count"), [(SLOWER, 20), (SLOWER, 2000), (CRAWLS, 200), (CRAWLS, 2000)])
def test_slow_hosts_take_nothing_from_quick_ones(tmp_path: Path, kind: Kind, count: int) -> None:
    """Neither those whose answers begin late, nor those whose bodies trickle."""
    quick, slow = hosts(150), hosts(count, "slow")
    alone, beside = Web(), Web(dict.fromkeys(slow, kind))

    crawl(tmp_path / "alone", pages(quick, 8), alone, delay=0.5)
    crawl(tmp_path / "beside", pages(quick, 8) + pages(slow), beside, delay=0.5)

    assert alone.seconds() >= 0.85 * beside.seconds(quick)
    assert beside.ended <= 1.5 * (kind.seconds + kind.body)
    assert len(beside.answered(slow)) == count


def test_nothing_is_looked_for_while_all_places_outside_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dials that take long are left alone while no other host wants to dial, and cost no turn."""
    dead = hosts(16, "dead")
    web, watch = Web(dict.fromkeys(dead, BLACK_HOLE)), Watch(monkeypatch)

    crawl(tmp_path, pages(dead), web, look=watch.look, concurrency=1, delay=0.5, retries=0)

    assert watch.between(4.0, 9.0) <= 2
    assert watch.most_waiting == 16


@pytest.mark.parametrize("robots", [False, True])
def test_a_dial_that_takes_long_makes_room_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, robots: bool
) -> None:
    """Dead hosts come first in the list and fill all places: the live ones need not wait for their ends."""
    dead, live = hosts(8, "dead"), hosts(40)
    web, watch = Web(dict.fromkeys(dead, BLACK_HOLE)), Watch(monkeypatch, outside=4)

    crawl(tmp_path, pages(dead + live, 3), web, look=watch.look, delay=0.5, concurrency=1, robots=robots)

    broken_off = [asked for asked in web.asked if not asked.outcome]
    assert {asked.host for asked in broken_off} == set(dead)
    assert all(asked.ended - asked.at >= 3.0 for asked in broken_off)
    assert all(
        again.at >= asked.ended + 2.99 for asked in broken_off for again in web.of(asked.host) if again.at > asked.ended
    )
    assert web.seconds() < 25.0
    assert reasons(tmp_path) == {**dict.fromkeys(live, "ok"), **dict.fromkeys(dead, "connect_timeout")}
    assert set(urls(tmp_path).values()) == {1}
    assert Counter(asked.url for asked in web.answered()) == dict.fromkeys(pages(live, 3), 1)
    check_manners(web, delay=0.5, robots=robots)


def test_the_place_of_a_dial_that_was_answered_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its body takes long, and nothing else happens meanwhile."""
    names = hosts(3)
    web, watch = Web(dict.fromkeys(names, CRAWLS)), Watch(monkeypatch, outside=1)

    crawl(tmp_path, pages(names), web, look=watch.look, concurrency=8)

    assert len(web.asked) == 3
    assert max(asked.at for asked in web.asked) - START < 1.0


def test_slow_hosts_that_are_broken_off_come_to_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No host is broken off for ever while all are slow."""
    slow = hosts(12, "slow")
    web, watch = Web(dict.fromkeys(slow, SLOW)), Watch(monkeypatch, outside=4)

    crawl(tmp_path, pages(slow, 3), web, look=watch.look, delay=0.5, concurrency=1)

    assert "" in {asked.outcome for asked in web.asked}
    assert Counter(asked.url for asked in web.answered()) == dict.fromkeys(pages(slow, 3), 1)
    assert web.ended <= 3 * (36 * SLOW.seconds / 4)


@pytest.mark.parametrize("most", [7, 30])
def test_what_is_broken_off_gives_its_page_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The budget is reached exactly, by hosts that answer."""
    dead, live = hosts(8, "dead"), hosts(40)
    web, watch = Web(dict.fromkeys(dead, BLACK_HOLE)), Watch(monkeypatch, outside=4)

    ending = crawl(tmp_path, pages(dead + live), web, look=watch.look, delay=0.5, concurrency=1, max_pages=most)

    assert ending.stopped_by == f"--max-pages {most}"
    assert ending.totals.done + ending.totals.failed == len(urls(tmp_path)) == most
    assert ending.totals.done >= most - 2


@pytest.mark.parametrize("moment", [10, 45, 60])
def test_a_drain_leaves_what_it_breaks_off_to_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """No URL is lost or done twice, the end waits for no dead host, and the board is left."""
    dead, live, slow = hosts(8, "dead"), hosts(40), hosts(4, "slow")
    web, stop, watch = Web({**dict.fromkeys(dead, BLACK_HOLE), **dict.fromkeys(slow, SLOW)}), Stop(), Watch(monkeypatch)
    web.on_request = lambda: stop.request_drain() if len(web.asked) == moment else None
    lines = pages(dead + slow + live, 3)

    first = crawl(tmp_path, lines, web, stop=stop, look=watch.look, delay=0.5, concurrency=1)
    ended, drained = web.ended, web.asked[moment - 1].at - START
    second = crawl(tmp_path, (), web, delay=0.5)

    assert first.stopped_by == "interrupted"
    assert first.totals.pending == len(lines) - first.totals.done - first.totals.failed > 0
    assert "" in {asked.outcome for asked in web.asked}
    assert ended - drained <= 3.1
    assert watch.on_board() == 0
    assert second.totals.pending == 0
    assert urls(tmp_path) == dict.fromkeys(lines, 1)
    assert Counter(asked.url for asked in web.answered()) == dict.fromkeys(pages(slow + live, 3), 1)


KINDS = [LIVE, LIVE, BLACK_HOLE, SILENT, SLOW, SLOWER, REFUSES, ABSENT, UNNAMED, RESTARTS, CRAWLS]


MIXES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 6)), min_size=1, max_size=30)


OPTIONS = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([0.5, 0.5, 70.0]),  # who rests for more than a minute hands its URLs back
        "concurrency": st.integers(1, 8),
        "retries": st.sampled_from([0, 3]),
        "robots": st.booleans(),
        "per_host": st.sampled_from([1, 4]),
    },
    optional={"max_pages": st.integers(1, 30), "rate": st.sampled_from([5.0, 50.0])},
)


@given(mix=MIXES, options=OPTIONS, room=st.integers(1, 6))
def test_every_broad_crawl_comes_to_its_end(mix: list[tuple[Kind, int]], options: dict[str, Any], room: int) -> None:
    """Few places outside, hosts of all kinds: each URL has one line, and each host is asked as it wishes."""
    web = Web({f"h{n}.test": kind for n, (kind, _) in enumerate(mix)})
    lines = [f"http://h{n}.test/{page}" for n, (_, count) in enumerate(mix) for page in range(count)]

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch, room)
        crawl(Path(folder), lines, web, look=watch.look, **options)
        found = urls(Path(folder))

    assert set(found.values()) <= {1}
    assert sum(found.values()) == min(len(lines), options.get("max_pages", len(lines)))
    assert watch.most_waiting <= room + room // 2
    assert len(watch.moments) <= 20 * (len(web.asked) + len(lines)) + 100  # nothing spins
    check_manners(web, delay=options["delay"], robots=options["robots"])
