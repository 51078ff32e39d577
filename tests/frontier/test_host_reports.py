"""frontier.host_reports: what each host brought, out of the sums that the frontier keeps."""

import sqlite3
from pathlib import Path

import pytest

from crawler.core.finds import Find
from crawler.core.frontier_reports import HostReport, HostRobots, HostsInVain
from crawler.core.leases_and_commits import Group, HostState, RobotsCopy
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, unanswered
from crawler.core.scope import Scope
from crawler.core.urls import Host, parse
from crawler.core.visits import Retry, State, Visit
from crawler.frontier.host_reports import HostReports
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.sqlite.frontier import SqliteFrontier
from support.frontiers import batch_of
from support.ways import a_find

NOW = 1_700_000_000.0


def finished(request: Request, state: State, reason: Reason, at: float, finds: tuple[Find, ...] = ()) -> Visit:
    """The end of a URL's turn."""
    record = unanswered(request, reason, VisitContext(now=at), attempts=1)
    return Visit(request=request, state=state, reason=reason, at=at, record=record, finds=finds)


@pytest.fixture
def frontier(tmp_path: Path) -> SqliteFrontier:
    """Three hosts: `a` has three pages and one that waits, `b` failed and is down, `c` is pending, `out` is outside."""
    urls = [*(f"http://a/{n}" for n in range(4)), "http://b/", "http://c/"]
    board = MappedBoard(tmp_path / "board", 8)
    found = SqliteFrontier(tmp_path / "f.sqlite", board, create=True, policy=FrontierPolicy(scope=Scope("host")))
    found.open(NOW)
    found.commit(Group(seeds=(batch_of(*urls),)))
    requests = {url: Request(url=parse(url), id=number) for url, number in found._db.execute("SELECT url, id FROM url")}
    outside = (a_find("http://out/", depth=1),)
    visits = (
        finished(requests["http://a/0"], State.DONE, Reason.OK, NOW, outside),
        finished(requests["http://a/1"], State.DONE, Reason.OK, NOW + 1),
        finished(requests["http://a/2"], State.FAILED, Reason.TRUNCATED, NOW + 4),
        finished(requests["http://b/"], State.FAILED, Reason.CONNECT_REFUSED, NOW),
    )
    retry = Retry(request=requests["http://a/3"], reason=Reason.RETRY_STATUS, at=NOW, not_before=NOW + 60)
    states = {
        Host("a:80"): HostState(due=NOW + 5, delay=0.5, cause="configured", window=4.0),
        Host("b:80"): HostState(delay=1.0, cause="down", down=Reason.CONNECT_REFUSED),
    }
    rules = RobotsCopy(
        fetched_at=NOW, expires_at=NOW + 9, status=200, body=b"User-agent: crawler\nDisallow: /\nCrawl-delay: 3\n"
    )
    found.commit(Group(visits=visits, retries=(retry,), hosts=states, robots={"http://a": rules}))
    return found


def reports(frontier: SqliteFrontier) -> HostReports:
    """The reports on its hosts."""
    return HostReports(frontier._tables, "crawler")


def test_a_host_is_told_with_its_sums(frontier: SqliteFrontier) -> None:
    """Lines, failures, what still waits, the pace in force, robots.txt and the tries that failed."""
    assert reports(frontier).of(Host("a:80")) == HostReport(
        host=Host("a:80"),
        pages=3,
        failed=1,
        pending=1,
        first_at=NOW,
        last_at=NOW + 4,
        state=HostState(due=NOW + 5, delay=0.5, cause="configured", window=4.0, answered=True),
        robots=HostRobots(status=200, is_closed=True, crawl_delay=3.0),
        troubles={"retry_status": 1, "truncated": 1},
    )


def test_a_host_out_of_scope_is_not_one_of_the_run(frontier: SqliteFrontier) -> None:
    """It has a row, since links lead there; nothing was asked of it and nothing will be."""
    assert [report.host for report in reports(frontier).all()] == ["a:80", "b:80", "c:80"]
    assert reports(frontier).of(Host("out:80")) == HostReport(host=Host("out:80"))
    assert reports(frontier).of(Host("never:80")) is None


def test_few_hosts_are_all_chief(frontier: SqliteFrontier) -> None:
    """Every host is shown while there is room, the busiest first."""
    chief = frontier.reports.hosts("crawler", 100)

    assert ([report.host for report in chief.hosts], chief.more) == (["a:80", "b:80", "c:80"], 0)


@pytest.mark.parametrize(
    ("change", "waiting"),
    [
        ("pages = 0", 0),
        ("failures = 2", 1),
        ("waited = 0.5", 1),
        ("failures = 2, down = 'connect_timeout'", 0),
        ("failures = 2, pages = 1", 0),
        ("failures = 2, pages = 1, failed = 1", 1),
        ("robots_attempts = 2", 0),
        ("failures = 2, ready = 0", 0),
    ],
)
def test_hosts_that_wait_for_an_answer_are_counted(frontier: SqliteFrontier, change: str, waiting: int) -> None:
    """Tried, with URLs left, neither answered nor given up: each host says so, and so does their number."""
    frontier._db.execute(f"UPDATE host SET {change} WHERE name = 'c:80'")  # noqa: S608

    assert frontier.reports.hosts("crawler", 100).waiting == waiting
    assert [report.host for report in reports(frontier).all() if report.is_waiting] == ["c:80"] * waiting


@pytest.mark.parametrize("change", ["deaths = 0", "deaths = 2", "deaths = 2, not_before = NULL"])
def test_a_host_whose_urls_wait_for_a_retry_is_counted_too(frontier: SqliteFrontier, change: str) -> None:
    """Nothing of it is ready then; and once it has a robots.txt it has answered."""
    db: sqlite3.Connection = frontier._db
    db.execute("UPDATE host SET failures = 1, pages = 0, failed = 0 WHERE name = 'a:80'")
    db.execute(f"UPDATE url SET {change} WHERE not_before IS NOT NULL")  # noqa: S608

    assert frontier.reports.hosts("crawler", 100).waiting == 0
    db.execute("DELETE FROM robots")
    assert frontier.reports.hosts("crawler", 100).waiting == 1


def test_seconds_in_vain_are_summed_over_all_hosts(frontier: SqliteFrontier) -> None:
    """Of hosts that took a second or more, and the costliest are among the few that are shown."""
    db: sqlite3.Connection = frontier._db
    db.executemany(
        "INSERT INTO host (name, site, pages, waited) VALUES (?, ?, ?, ?)",
        [*((f"h{n}:80", f"h{n}", 50, 0.9) for n in range(100)), ("x:80", "x", 1, 20.5), ("y:80", "y", 1, 1.0)],
    )

    chief = frontier.reports.hosts("crawler", 10)

    assert chief.in_vain == HostsInVain(hosts=2, seconds=21.5)
    assert {"x:80", "y:80"} <= {report.host for report in chief.hosts}


def test_trouble_is_not_crowded_out_by_busy_hosts(frontier: SqliteFrontier) -> None:
    """Of a hundred busy hosts and a dead one, ten are shown, the dead one among them."""
    db: sqlite3.Connection = frontier._db
    db.executemany(
        "INSERT INTO host (name, site, pages) VALUES (?, ?, 50)", [(f"h{n}:80", f"h{n}") for n in range(100)]
    )

    chief = frontier.reports.hosts("crawler", 10)

    assert [report.host for report in chief.hosts][-2:] == ["a:80", "b:80"]
    assert len(chief.hosts) == 10
    assert chief.more == 103 - 10


def test_a_dead_host_is_not_crowded_out_either(frontier: SqliteFrontier) -> None:
    """Not even one that was given up before any try of its own."""
    db: sqlite3.Connection = frontier._db
    busy = [(f"h{n}:80", f"h{n}", 50, None) for n in range(100)]
    db.executemany(
        "INSERT INTO host (name, site, pages, down) VALUES (?, ?, ?, ?)", [*busy, ("dead:80", "dead", 0, "dns_timeout")]
    )

    chief = frontier.reports.hosts("crawler", 10)

    assert chief.hosts[-1].host == "dead:80"


def test_what_waits_is_counted_once(frontier: SqliteFrontier) -> None:
    """Also a retry of a URL during which the process died repeatedly."""
    frontier._db.execute("UPDATE url SET deaths = 2 WHERE not_before IS NOT NULL")

    report = reports(frontier).of(Host("a:80"))

    assert report is not None
    assert report.pending == 1


def test_the_most_frequent_trouble_comes_first(frontier: SqliteFrontier) -> None:
    """The order does not depend on its name."""
    frontier._db.execute("UPDATE trouble SET n = 9 WHERE reason = 'truncated'")

    report = reports(frontier).of(Host("a:80"))

    assert report is not None
    assert list(report.troubles.items()) == [("truncated", 9), ("retry_status", 1)]
