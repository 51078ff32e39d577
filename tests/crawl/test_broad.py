"""Whole crawls of broad lists on virtual time: hosts that answer, hosts that are slow, and hosts that are dead."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.models import Request, Response, Timing
from crawler.core.protocols import Room
from crawler.core.reasons import Reason
from crawler.crawl.engine import Crawl, Parts
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
        most_waiting: the most requests at once whose answers had not begun.
        outage: between these moments no name server answers.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    pages: dict[str, Kind] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    most_answering: int = 0
    most_waiting: int = 0
    outage: tuple[float, float] = (0.0, 0.0)
    _answering: int = 0
    _waiting: int = 0

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """The answer that the host's kind says."""
        url = request.url.href
        asked = Asked(url.split("/")[2], url, asyncio.get_running_loop().time())
        self.asked.append(asked)
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
        self._waiting += 1
        self.most_waiting = max(self.most_waiting, self._waiting)
        began, over = self.outage
        try:
            if began <= asked.at < over:
                await asyncio.sleep(1.0)
                raise NoNameServer("no name server has answered", since=began)
            if asked.at < START + kind.back:
                raise FetchError(Reason.CONNECT_REFUSED, "connection refused")
            await asyncio.sleep(kind.seconds)
            if kind.failure is not None:
                raise FetchError(kind.failure, kind.failure)
        finally:
            self._waiting -= 1

    async def _take_body(self, kind: Kind, room: Room | None) -> None:
        self._answering += not kind.body
        self.most_answering = max(self.most_answering, self._answering)
        try:
            if room is not None:
                await room.grow(10)
            await asyncio.sleep(kind.body)
        finally:
            self._answering -= not kind.body

    def of(self, host: str) -> list[Asked]:
        """The requests to one host."""
        return [asked for asked in self.asked if asked.host == host]

    def answered(self, hosts: Iterable[str] | None = None) -> list[Asked]:
        """The pages that were answered, of these hosts."""
        wanted = None if hosts is None else set(hosts)
        return [a for a in self.asked if a.is_page and a.outcome == "ok" and (wanted is None or a.host in wanted)]


def hosts(count: int, name: str = "live") -> list[str]:
    """So many names."""
    return [f"{name}{n}.test" for n in range(count)]


def pages(names: Iterable[str], each: int = 1) -> list[str]:
    """The URLs of so many pages of each host, breadth first."""
    named = list(names)
    return [f"http://{name}/{n}" for n in range(each) for name in named]


def outside(count: int) -> Callable[[Parts, Crawl], None]:
    """What gives a crawl so many places outside."""

    def narrow(parts: Parts, _: Crawl) -> None:
        parts.places.outside = count

    return narrow


class Turns:
    """How often the dispatcher looked for something to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moments: list[float] = []
        self._patch = monkeypatch

    def look(self, _: Parts, seen: Crawl) -> None:
        """Count from now on."""
        find = seen._dispatch

        def counting(now: float) -> object:
            self.moments.append(now)
            return find(now)

        self._patch.setattr(seen, "_dispatch", counting)

    def between(self, began: float, ended: float) -> int:
        """How often between these seconds of the crawl."""
        return sum(began < moment - START < ended for moment in self.moments)


def reasons(folder: Path) -> dict[str, set[str]]:
    """The reasons with which each host's URLs ended."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records(folder):
        found[str(record["url"]).split("/")[2]].add(str(record["reason"]))
    return found


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


def test_nothing_is_looked_for_while_all_places_outside_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody else wants to dial, dials that take long are left alone, and cost no turn."""
    dead = hosts(16, "dead")
    web, turns = Web(dict.fromkeys(dead, BLACK_HOLE)), Turns(monkeypatch)

    crawl(tmp_path, pages(dead), web, look=turns.look, concurrency=1, delay=0.5, retries=0)

    assert turns.between(4.0, 9.0) <= 2
    assert web.most_waiting == 16


KINDS = [LIVE, LIVE, BLACK_HOLE, SILENT, SLOW, SLOWER, REFUSES, ABSENT, UNNAMED, RESTARTS, CRAWLS]
MIXES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 6)), min_size=1, max_size=30)
OPTIONS = st.fixed_dictionaries(
    {
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

    with TemporaryDirectory() as folder:
        crawl(Path(folder), lines, web, look=outside(room), delay=0.5, **options)
        found = urls(Path(folder))

    assert set(found.values()) <= {1}
    assert sum(found.values()) == min(len(lines), options.get("max_pages", len(lines)))
    assert web.most_waiting <= room + options["concurrency"]
    check_manners(web, delay=0.5, robots=options["robots"])
