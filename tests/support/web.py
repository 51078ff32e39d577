"""A fake web of many hosts for whole crawls on virtual time, and a watch over their places."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.messages import Request, Response, Timing
from crawler.core.protocols import Room
from crawler.core.reasons import Reason
from crawler.engine.crawl import Crawl
from crawler.frontier.in_flight import MappedBoard
from crawler.runtime.slots import Work
from support.crawls import records
from support.virtual import START


@dataclass(frozen=True, slots=True)
class Kind:
    """The behaviour of a host: `failure` after `seconds`, or an answer that begins then and takes `body` more.

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
        """Return the seconds of the crawl until the last page of these hosts was answered."""
        return max(asked.ended for asked in self.answered(hosts)) - START

    @property
    def ended(self) -> float:
        """Return the end of the last request, in seconds of the crawl."""
        return max(asked.ended for asked in self.asked) - START


def hosts(count: int, name: str = "live") -> list[str]:
    """So many names."""
    return [f"{name}{n}.test" for n in range(count)]


def pages(names: Iterable[str], each: int = 1) -> list[str]:
    """The URLs of so many pages of each host, breadth first."""
    named = list(names)
    return [f"http://{name}/{n}" for n in range(each) for name in named]


class Watch:
    """The use of places by a crawl, which has so many `outside`; None = as usual.

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
        """Return the number of requests that were begun between these seconds of the crawl."""
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
