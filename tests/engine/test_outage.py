"""engine.outage: whole crawls on virtual time while no name server answers."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crawler.core.errors import NO_NAME_SERVER, NoNameServer
from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.frontier.host_reports import HostReports
from crawler.frontier.sqlite.tables import SqliteTables
from crawler.runtime.loop import Stop
from crawler.testing import FakeFetcher
from support.crawls import urls
from support.virtual import START, crawl
from support.web import Web, check_manners, hosts, pages


class Nameless(FakeFetcher):
    """No name server answers; the user may press Ctrl-C at this moment."""

    def __init__(self, stop: Stop, *, ends_at: float) -> None:
        super().__init__()
        self._stop = stop
        self._ends_at = ends_at

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Fail as a lookup does, without a word about the host."""
        if asyncio.get_running_loop().time() >= self._ends_at:
            self._stop.request_drain()
        raise NoNameServer("none answers", since=START)


@pytest.mark.parametrize(
    ("ends_at", "stopped_by", "seconds"),
    [(START + 1000, NO_NAME_SERVER, 60), (START + 20, "interrupted", 20), (START + 60, "interrupted", 60)],
)
@pytest.mark.parametrize("robots", [False, True])
def test_a_run_waits_a_minute_for_a_name_server(
    tmp_path: Path, ends_at: float, stopped_by: str, seconds: float, *, robots: bool
) -> None:
    """It asks every few seconds meanwhile, blames no host and stops; a Ctrl-C in between is what ends it."""
    stop = Stop()

    ending = crawl(tmp_path, pages(hosts(2)), Nameless(stop, ends_at=ends_at), stop=stop, robots=robots)

    assert (ending.stopped_by, ending.totals.pending) == (stopped_by, 2)
    assert (ending.error is not None) == (stopped_by == NO_NAME_SERVER)
    assert seconds <= ending.totals.seconds <= seconds + 4
    with closing(sqlite3.connect(tmp_path / "frontier.sqlite")) as db:
        chief = HostReports(SqliteTables(db), "crawler").chief(10)
    assert (chief.waiting, chief.in_vain.hosts) == (0, 0)


@pytest.mark.parametrize("robots", [False, True])
def test_without_a_name_server_no_host_is_blamed(tmp_path: Path, *, robots: bool) -> None:
    """URLs that were asked for meanwhile are laid back, and go on when a server answers again."""
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


class Hesitant(FakeFetcher):
    """One host's address is not told at first, a second late."""

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Answer, but for the first lookup of that host."""
        if request.url.host == "live1.test" and asyncio.get_running_loop().time() < START + 1:
            await asyncio.sleep(1)
            raise NoNameServer("none answers", since=START)
        return await super().fetch(request, room)


def test_a_page_that_was_given_back_goes_to_a_url_that_was_set_aside(tmp_path: Path) -> None:
    """Of two pages one waits for its retry and one is laid back: the URL for which there was none takes that one."""
    retried, unnamed, third = pages(hosts(3))

    def busy_once(request: Request) -> Response:
        return Response(request=request, status=200 if request.attempts else 503)

    crawl(tmp_path, [retried, unnamed, third], Hesitant({retried: busy_once}), max_pages=2)

    assert set(urls(tmp_path)) == {retried, third}
