"""Whole crawls of broad lists on virtual time: hosts that answer, hosts that are slow, and hosts that are dead."""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.messages import Request, Response, Timing
from crawler.core.protocols import Room
from crawler.core.reasons import Reason
from crawler.engine.crawl import Crawl
from crawler.frontier.in_flight import MappedBoard
from crawler.runtime.loop import Stop
from crawler.runtime.places import Work
from support.crawls import records, urls
from support.virtual import START, crawl


@dataclass(frozen=True, slots=True)
class Kind:
    """How a host behaves: it fails with `failure` after `seconds`, or its answer begins then and takes `body` more.

    A host that restarts refuses until `back` seconds after the beginning of the crawl.
    """

    seconds: float = 0.1
    failure: Reason | None = None
    body: float = 0.0
    back: float = 0.0


LIVE = Kind()
BLACK_HOLE = Kind(10.0, Reason.CONNECT_TIMEOUT)
SILENT = Kind(20.0, Reason.FIRST_BYTE_TIMEOUT)
REFUSES = Kind(0.0, Reason.CONNECT_REFUSED)
ABSENT = Kind(0.0, Reason.DNS_NOT_FOUND)
UNNAMED = Kind(5.0, Reason.DNS_TIMEOUT)
RESTARTS = Kind(back=5.0)
SLOW = Kind(8.0)
SLOWER = Kind(30.0)
CRAWLS = Kind(0.1, body=50.0)


@dataclass(slots=True)
class Asked:
    """One request: when it was sent and when it ended, on the loop's clock, and how; "" = it was broken off."""

    host: str
    url: str
    at: float
    ended: float = 0.0
    outcome: str = ""

    @property
    def is_page(self) -> bool:
        """It is not for a robots.txt."""
        return not self.url.endswith("/robots.txt")


@dataclass(slots=True)
class Web:
    """A fetcher for hosts of many kinds; what it does not know lives.

    Attributes:
        pages: the kinds of single URLs, which come before those of hosts.
        asked: every request, in order.
        most_answering: the most answers that were on their way at once from hosts whose answers take no time.
        outage: between these moments no name server answers.
        answer_takes: seconds for the bodies that take no time of their own.
        on_request: called after each request.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    pages: dict[str, Kind] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    most_answering: int = 0
    outage: tuple[float, float] = (0.0, 0.0)
    answer_takes: float = 0.0
    on_request: Callable[[], object] = lambda: None
    _answering: int = 0

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """The answer that the host's kind says."""
        url = request.url.href
        asked = Asked(url.split("/")[2], url, asyncio.get_running_loop().time())
        self.asked.append(asked)
        self.on_request()
        kind = self.pages.get(url) or self.kinds.get(asked.host, LIVE)
        try:
            await self._begin(asked, kind)
            first_byte = asyncio.get_running_loop().time() - asked.at
            if room is not None:
                await room.answered()
            await self._take_body(kind, room)
        except FetchError as error:
            asked.outcome = error.reason
            raise
        finally:
            asked.ended = asyncio.get_running_loop().time()
        asked.outcome = "ok"
        timing = Timing(first_byte=first_byte, body=kind.body, total=first_byte + kind.body)
        return Response(request=request, status=200 if asked.is_page else 404, timing=timing)

    async def _begin(self, asked: Asked, kind: Kind) -> None:
        """Wait for the head of the answer, or for what comes instead."""
        began, over = self.outage
        if began <= asked.at < over:
            await asyncio.sleep(1.0)
            raise NoNameServer("no name server answers", since=began)
        if asked.at < START + kind.back:
            raise FetchError(Reason.CONNECT_REFUSED, "connection refused")
        await asyncio.sleep(kind.seconds)
        if kind.failure is not None:
            raise FetchError(kind.failure, kind.failure)

    async def _take_body(self, kind: Kind, room: Room | None) -> None:
        self._answering += not kind.body
        self.most_answering = max(self.most_answering, self._answering)
        try:
            if room is not None:
                await room.grow(10)
            await asyncio.sleep(kind.body or self.answer_takes)
        finally:
            self._answering -= not kind.body

    def of(self, host: str) -> list[Asked]:
        """The requests to one host."""
        return [asked for asked in self.asked if asked.host == host]

    def answered(self, hosts: Iterable[str] | None = None) -> list[Asked]:
        """The pages that were answered, of these hosts."""
        wanted = None if hosts is None else set(hosts)
        return [a for a in self.asked if a.is_page and a.outcome == "ok" and (wanted is None or a.host in wanted)]

    def seconds(self, hosts: Iterable[str] | None = None) -> float:
        """How long the crawl took until the last page of these hosts was answered."""
        return max(asked.ended for asked in self.answered(hosts)) - START

    @property
    def ended(self) -> float:
        """When the last request ended, in seconds of the crawl."""
        return max(asked.ended for asked in self.asked) - START


def hosts(count: int, name: str = "live") -> list[str]:
    """So many names."""
    return [f"{name}{n}.test" for n in range(count)]


def pages(names: Iterable[str], each: int = 1) -> list[str]:
    """The URLs of so many pages of each host, breadth first."""
    named = list(names)
    return [f"http://{name}/{n}" for n in range(each) for name in named]


class Watch:
    """What a crawl does with its places; it has so many `outside`, None = as usual.

    Attributes:
        moments: when the dispatcher looked for something to do.
        dials: when a request began outside.
        most_waiting: the most tasks outside at once.
        on_board: tells how many URLs are on the board.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outside: int | None = None) -> None:
        self.moments: list[float] = []
        self.dials: list[float] = []
        self.most_waiting = 0
        self.on_board: Callable[[], int]
        self._patch = monkeypatch
        self._outside = outside

    def look(self, seen: Crawl) -> None:
        """Watch from now on."""
        places, find, start = seen.places, seen.scheduler.next_work, seen.places.start_outside
        places.outside = self._outside or places.outside
        board = cast("MappedBoard", seen.scheduler.board)
        self.on_board = lambda: len(board._place)

        def counting(now: float) -> object:
            self.moments.append(now)
            self.most_waiting = max(self.most_waiting, places.waiting)
            return find(now)

        def dialling(work: Work) -> None:
            self.dials.append(seen.clock.monotonic())
            start(work)

        self._patch.setattr(seen.scheduler, "next_work", counting)
        self._patch.setattr(places, "start_outside", dialling)

    def between(self, began: float, ended: float) -> int:
        """How often between these seconds of the crawl."""
        return sum(began < moment - START < ended for moment in self.moments)


def reasons(folder: Path) -> dict[str, str]:
    """The reason with which all of a host's URLs ended; several of them side by side."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records(folder):
        found[str(record["url"]).split("/")[2]].add(str(record["reason"]))
    return {host: " ".join(sorted(those)) for host, those in found.items()}


def check_manners(web: Web, *, delay: float = 0.0, robots: bool = False) -> None:
    """Each host is asked for its robots.txt first, and no sooner again than its delay says."""
    of: dict[str, list[Asked]] = defaultdict(list)
    for asked in web.asked:
        of[asked.host].append(asked)
    for requests in of.values():
        assert all(later.at - earlier.at >= delay - 0.001 for earlier, later in pairwise(requests))
        first = next((n for n, asked in enumerate(requests) if asked.is_page), 0)
        assert not (robots and requests[0].is_page)
        assert not (robots and first) or "ok" in {asked.outcome for asked in requests[:first]}


# --- order -----------------------------------------------------------------------------------------------------------


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


# --- bounds ----------------------------------------------------------------------------------------------------------


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


# --- dead hosts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("robots", "retries", "attempts"), [(False, 3, 6), (True, 0, 1)])
def test_dead_hosts_delay_no_live_one(tmp_path: Path, *, robots: bool, retries: int, attempts: int) -> None:
    """Half of a list swallows what it is sent: the other half notices nothing, and a minute later all is over."""
    live, dead = hosts(80), hosts(80, "dead")
    mixed = [name for both in zip(live, dead, strict=True) for name in both]
    options: dict[str, Any] = {"command": "crawl", "delay": 0.5, "concurrency": 40, "robots": robots}
    alone, beside = Web(), Web(dict.fromkeys(dead, BLACK_HOLE))

    crawl(tmp_path / "alone", pages(live, 10), alone, **options)
    crawl(tmp_path / "beside", pages(mixed, 10), beside, retries=retries, **options)

    assert beside.seconds() <= 1.2 * alone.seconds()
    assert beside.ended - beside.seconds() <= 75.0
    assert reasons(tmp_path / "beside") == {**dict.fromkeys(live, "ok"), **dict.fromkeys(dead, "connect_timeout")}
    assert {len(beside.of(name)) for name in dead} == {attempts}
    check_manners(beside, delay=0.5, robots=robots)


@pytest.mark.parametrize("robots", [False, True])
@pytest.mark.parametrize(
    ("kind", "attempts", "seconds"),
    [(ABSENT, 1, 0), (REFUSES, 4, 12), (BLACK_HOLE, 3, 47), (UNNAMED, 4, 49), (SILENT, 2, 46)],
)
def test_a_dead_host_has_its_attempts_and_its_urls_fail_together(
    tmp_path: Path, kind: Kind, attempts: int, seconds: int, *, robots: bool
) -> None:
    """The price of each kind of death; twenty URLs fail at once with the cause, most of them unasked."""
    dead = hosts(3, "dead")
    web = Web(dict.fromkeys(dead, kind))

    ending = crawl(tmp_path, pages(dead, 20), web, delay=0.5, per_host=1, robots=robots)

    assert {len(web.of(name)) for name in dead} == {attempts}
    assert seconds - 2 <= web.ended <= seconds + 0.1
    assert reasons(tmp_path) == dict.fromkeys(dead, str(kind.failure))
    assert (ending.totals.failed, ending.stopped_by) == (60, None)
    moments = [datetime.fromisoformat(str(record["fetched_at"])).timestamp() for record in records(tmp_path)]
    assert max(moments) - min(moments) < 1.0


@pytest.mark.parametrize("robots", [False, True])
def test_a_host_that_restarts_loses_nothing(tmp_path: Path, *, robots: bool) -> None:
    """It refuses for five seconds."""
    names = hosts(10)
    web = Web(dict.fromkeys(names, RESTARTS))

    ending = crawl(tmp_path, pages(names, 20), web, delay=0.5, robots=robots)

    assert (ending.totals.done, ending.totals.failed) == (200, 0)
    assert {asked.outcome for asked in web.asked} == {"ok", "connect_refused"}


def test_pages_that_never_answer_blame_no_host(tmp_path: Path) -> None:
    """Ten of them, among five hundred that do: all of those come, and the ten end within four minutes."""
    lines = pages(["site.test"], 510)
    silent = lines[25::51]
    web = Web(pages=dict.fromkeys(silent, SILENT))

    ending = crawl(tmp_path, lines, web, per_host=4, delay=0.0, robots=True)

    assert (ending.totals.done, ending.totals.failed) == (500, 10)
    assert {r["url"] for r in records(tmp_path) if r["reason"] == "first_byte_timeout"} == set(silent)
    assert {len([asked for asked in web.asked if asked.url == url]) for url in silent} == {4}  # not given up unasked
    assert web.ended <= 240.0


# --- room ------------------------------------------------------------------------------------------------------------


def test_nothing_is_looked_for_while_all_places_outside_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else wants to dial, dials that take long are left alone, and cost no turn."""
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
    """Where all are slow none is broken off for ever."""
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


# --- no name server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("robots", [False, True])
def test_without_a_name_server_no_host_is_blamed(tmp_path: Path, *, robots: bool) -> None:
    """What asked meanwhile is laid back, and goes on when a server answers again."""
    names = hosts(30)
    web = Web(outage=(START + 2.0, START + 20.0))

    ending = crawl(tmp_path, pages(names, 20), web, delay=0.5, robots=robots)

    assert (ending.totals.done, ending.totals.failed, ending.stopped_by) == (600, 0, None)
    assert "dns_timeout" in {asked.outcome for asked in web.asked}
    assert web.ended < 35.0
    check_manners(web, delay=0.5, robots=robots)


def test_each_outage_is_told_once(tmp_path: Path) -> None:
    """A second one is as much of a surprise as the first."""
    told: list[str] = []
    web = Web(outage=(START + 2.0, START + 10.0))

    def second_outage() -> None:
        if asyncio.get_running_loop().time() > START + 12.0:
            web.outage = (START + 15.0, START + 25.0)

    web.on_request = second_outage
    ending = crawl(tmp_path, pages(hosts(30), 40), web, delay=0.5, say=told.append)

    assert (ending.totals.done, ending.stopped_by) == (1200, None)
    assert told == ["waiting: no name server answers"] * 2


@pytest.mark.parametrize("robots", [False, True])
def test_a_run_without_a_name_server_for_a_minute_stops_and_can_go_on(tmp_path: Path, *, robots: bool) -> None:
    """It says why."""
    names = hosts(30)
    web = Web(outage=(START + 2.0, START + 500.0))

    first = crawl(tmp_path, pages(names, 20), web, delay=0.5, robots=robots)
    ended, web.outage = web.ended, (0.0, 0.0)
    second = crawl(tmp_path, (), web, delay=0.5, robots=robots)

    assert first.stopped_by == "no name server answers"
    assert 62.0 < ended < 65.0
    assert (first.totals.failed, first.totals.pending) == (0, 600 - first.totals.done)
    assert (second.totals.done, second.totals.pending) == (600, 0)
    assert urls(tmp_path) == dict.fromkeys(pages(names, 20), 1)


# --- everything at once ----------------------------------------------------------------------------------------------


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
