"""engine.own_share: pages, rate and hosts of a run that several workers share, in whole crawls on virtual time."""

import asyncio
from bisect import bisect_right
from collections import Counter
from pathlib import Path

from msgspec import structs

from crawler.core.leases_and_commits import Share, Totals, Wanted
from crawler.core.messages import Response
from crawler.core.protocols import Parser
from crawler.core.urls import Host
from crawler.core.visits import Page
from crawler.engine.crawl import Crawl
from crawler.runtime.loop import Stop
from support.crawls import urls
from support.shared_runs import SharedFrontier, loop_time
from support.virtual import START, crawl
from support.web import Kind, Web, check_manners, hosts, pages


def _since() -> float:
    return loop_time() - START


def test_no_more_pages_are_written_than_are_granted(tmp_path: Path) -> None:
    """The store grants ten pages, and twenty more after five seconds: each is used, and none too early."""
    frontier, web = SharedFrontier(tmp_path), Web()

    def share(wanted: Wanted, until: float) -> Share:
        return Share(until=until, pages=min(wanted.pages, 10 if _since() < 5.0 else 30))

    frontier.share = share
    ending = crawl(tmp_path, pages(hosts(4), 20), web, frontier=frontier.make, delay=0.1, max_pages=30, concurrency=4)

    assert ending.stopped_by == "--max-pages 30"
    assert sum(urls(tmp_path).values()) == len(web.asked) == 30
    assert sum(asked.at - START < 5.0 for asked in web.asked) == 10
    assert web.ended < 8.0


def test_a_worker_with_nothing_to_do_leaves_its_pages_to_the_others(tmp_path: Path) -> None:
    """While it waits for one slow answer it asks for that page alone, and it ends once the others have the rest."""
    frontier, web = SharedFrontier(tmp_path), Web({"slow.test": Kind(3.0)})

    def share(wanted: Wanted, until: float) -> Share:
        return Share(until=until, pages=wanted.pages, totals=Totals(done=99) if _since() > 20.0 else None)

    frontier.share = share
    frontier.is_exhausted = lambda: False
    crawl(tmp_path, ["http://slow.test/"], web, frontier=frontier.make, max_pages=99, concurrency=4)

    asked_for = [wanted.pages for moment, wanted in frontier.wanted if moment > START + 1.5]
    assert set(asked_for) == {1}
    assert all(wanted.is_idle for moment, wanted in frontier.wanted if moment > START + 1.5)
    assert 20.0 < frontier.wanted[-1][0] - START < 22.5


def test_the_rate_is_what_the_last_share_says(tmp_path: Path) -> None:
    """Two requests a second, then none, then ten, without a burst at any change."""
    frontier, web = SharedFrontier(tmp_path), Web()

    def share(_: Wanted, until: float) -> Share:
        return Share(until=until, rate=2.0 if _since() < 5.0 else 0.0 if _since() < 10.0 else 10.0)

    frontier.share = share
    crawl(tmp_path, pages(hosts(100), 1), web, frontier=frontier.make, rate=50.0, delay=0.0)

    moments = [asked.at - START for asked in web.asked]
    assert 10 <= bisect_right(moments, 6.1) <= 14
    assert not [moment for moment in moments if 6.1 < moment < 10.0]
    assert all(later - earlier >= 0.98 for earlier, later in zip(moments, moments[11:], strict=False))
    assert len(moments) == 100


def test_a_worker_that_is_stopped_leases_nothing_more(tmp_path: Path) -> None:
    """While it waits for the answers in flight it renews its term, and leaves everything else to the others."""
    frontier, web, stop = SharedFrontier(tmp_path), Web(dict.fromkeys(hosts(40), Kind(4.0))), Stop()
    frontier.share = lambda wanted, until: Share(until=until, pages=wanted.pages)
    web.on_request = lambda: stop.request_drain() if len(web.asked) == 4 else None

    crawl(tmp_path, pages(hosts(40), 20), web, frontier=frontier.make, stop=stop, concurrency=1, max_pages=99)

    last = [wanted for moment, wanted in frontier.wanted if moment > web.asked[3].at + 0.1]
    assert len(last) >= 2
    assert all(wanted.new_hosts == 0 and not wanted.shares and wanted.pages <= 4 for wanted in last)


class _SlowParser:
    """A parser that takes a second and a half, in which the host of the page is free."""

    def __init__(self, inner: Parser) -> None:
        self._inner = inner

    async def parse(self, response: Response) -> Page:
        """Read the page, later."""
        await asyncio.sleep(1.5)
        return await self._inner.parse(response)


def _parse_slowly(seen: Crawl) -> None:
    visits = seen.scheduler.visits
    seen.scheduler.visits = structs.replace(visits, parser=_SlowParser(visits.parser))


def test_surplus_hosts_are_handed_back_when_nothing_of_them_is_open(tmp_path: Path) -> None:
    """They get no new request; each is given up with its queue returned, after its last line is committed."""
    names = hosts(6)
    frontier, web = SharedFrontier(tmp_path), Web(dict.fromkeys(names[:3], Kind(2.5)))
    told, gone = list[float](), dict[Host, float]()

    def share(wanted: Wanted, until: float) -> Share:
        for host in wanted.gone:
            assert host not in gone
            gone[host] = loop_time()
            ended = Counter(visit.request.url.href for group in frontier.groups for visit in group.visits)
            assert {asked.url for asked in web.of(host.removesuffix(":80"))} <= ended.keys()
        if _since() < 2.0 or len(gone) >= 4:
            return Share(until=until)
        told.append(loop_time())
        return Share(until=until, surplus=4 - len(gone))

    frontier.share, frontier.hides_gone = share, True
    lines = pages(names, 30)
    ending = crawl(tmp_path, lines, web, frontier=frontier.make, look=_parse_slowly, delay=0.5, max_time=30.0)

    first = set(list(gone)[:4])  # the others are idle in the end
    assert {Host(f"{name}:80") for name in names[3:]} < first  # with none in flight, they were chosen first
    assert all(asked.at <= told[0] + 0.01 for host in first for asked in web.of(host.removesuffix(":80")))
    assert {request.url.host_port for group in frontier.groups for request in group.returned} == first
    assert ending.totals.pending == len(lines) - sum(urls(tmp_path).values())
    check_manners(web, delay=0.5)
