"""engine.own_share: pages, rate and hosts of a run that several workers share, in whole crawls on virtual time."""

from bisect import bisect_right
from collections import Counter
from pathlib import Path

from crawler.core.leases_and_commits import Share, Totals, Wanted
from crawler.core.urls import Host
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


def test_surplus_hosts_are_handed_back_when_nothing_of_them_is_open(tmp_path: Path) -> None:
    """Those in flight get no new request; each is given up with its state, after its last line is committed."""
    names = hosts(6)
    frontier, web = SharedFrontier(tmp_path), Web(dict.fromkeys(names[:3], Kind(2.5)))
    told = list[float]()

    def share(_: Wanted, until: float) -> Share:
        gone = {host for _, wanted in frontier.wanted for host in wanted.gone}
        if _since() < 2.0 or len(gone) >= 4:
            return Share(until=until)
        told.append(_since())
        return Share(until=until, surplus=4 - len(gone))

    frontier.share = share
    frontier.hides_gone = True
    lines = pages(names, 30)
    ending = crawl(tmp_path, lines, web, frontier=frontier.make, delay=0.5, per_host=1, max_time=30.0)

    gone = {host: moment for moment, wanted in frontier.wanted for host in wanted.gone}
    assert len(gone) == 4
    assert {Host(f"{name}:80") for name in names[3:]} < gone.keys()  # with none in flight, or sooner done
    for host, moment in gone.items():
        requests = web.of(host.removesuffix(":80"))
        assert all(asked.at - START <= told[0] + 0.01 and asked.ended <= moment for asked in requests)
        assert {f"http://{asked.host}/{n}" for n, asked in enumerate(requests)} == {
            url for url in urls(tmp_path) if Host(url.split("/")[2] + ":80") == host
        }
    returned = Counter(request.url.host_port for group in frontier.groups for request in group.returned)
    assert returned.keys() == gone.keys()
    assert ending.totals.pending == len(lines) - sum(urls(tmp_path).values())
    check_manners(web, delay=0.5)
