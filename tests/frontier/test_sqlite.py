"""frontier.sqlite: every URL and its state, through leases, commits and deaths."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crawler.core import records
from crawler.core.errors import CrawlerError, DiskFull, RunInUse, StorageDamaged, StorageError
from crawler.core.finds import Find
from crawler.core.handover import (
    Committed,
    Group,
    HostState,
    Lease,
    Opened,
    RejectedLine,
    RobotsCopy,
    SeedBatch,
    SeedCursor,
    Totals,
    Wanted,
)
from crawler.core.messages import Request, Response, Timing
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.urls import Host, parse
from crawler.core.visits import Page, Retry, State, Visit
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite import LONGEST_WAIT, SqliteFrontier
from crawler.frontier.tally import Tally
from support.ways import a_find, a_request

ROOT = Path(__file__).parent.parent.parent
NOW = 1_700_000_000.0
A, B, C = Host("a:80"), Host("b:80"), Host("c:80")
ALL = 1000


class Run:
    """A run's folder, and the life that works in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.line = 0
        self.open: set[Host] = set()
        self._lives = 0

    @property
    def path(self) -> Path:
        """The frontier's file."""
        return self.folder / "frontier.sqlite"

    def begin(self, *, slots: int = 64) -> Opened:
        """A life begins."""
        self.folder.mkdir(exist_ok=True)
        self.board = MappedBoard(self.folder / "frontier.board", slots)
        self.frontier = SqliteFrontier(self.path, self.board, create=not self.path.exists())
        return self.frontier.open(self.now)

    def end(self) -> None:
        """It ends in order."""
        self.frontier.close()

    def die(self) -> None:
        """It ends as by `kill -9`: the next one finds the files as they are at this moment."""
        self._lives += 1
        copy = self.folder.with_name(f"{self.folder.name.partition('-')[0]}-{self._lives}")
        shutil.copytree(self.folder, copy)
        self.frontier._db.close()
        self.board.close()
        self.folder = copy

    def add(self, *urls: str, **fields: Any) -> Committed:
        """Commit some lines of the list."""
        finds = []
        for url in urls:
            self.line += 1
            finds.append(found(url, seed=True, named=True, line=self.line, **fields))
        batch = SeedBatch(cursor=self.line, line=self.line, lines=len(urls), finds=tuple(finds), last=True)
        return self.commit(seeds=(batch,))

    def lease(self, shares: Mapping[Host, int] | None = None, *, new_hosts: int = ALL, new_share: int = ALL) -> Lease:
        """Lease, by default everything there is; hosts that are not named have been forgotten since."""
        gone = tuple(self.open - (shares or {}).keys())
        wanted = Wanted(shares=shares or {}, gone=gone, new_hosts=new_hosts, new_share=new_share)
        lease = self.frontier.lease(wanted, self.now)
        self.open = {*(shares or {}), *(request.url.host_port for request in lease.requests)}
        return lease

    def dispatch(self, **limits: Any) -> tuple[Request, ...]:
        """Lease and dispatch: what is in flight is on the board."""
        requests = self.lease(**limits).requests
        for request in requests:
            self.board.enter(request.id)
        return requests

    def commit(self, **group: Any) -> Committed:
        """Commit a group; what it finishes leaves the board."""
        committed = self.frontier.commit(Group(**group))
        finished: list[Visit | Retry] = [*committed.group.visits, *committed.group.retries]
        for entry in finished:
            self.board.leave(entry.request.id)
        return committed

    @property
    def leased(self) -> int:
        """How many URLs are handed out now."""
        return int(repr(self.frontier).partition("<Leasing ")[2].split()[0])

    def finish(self, *requests: Request) -> Totals:
        """Commit a page for each of these."""
        return self.commit(visits=tuple(done(request) for request in requests)).totals

    def problems(self) -> list[str]:
        """What an audit finds wrong in the running frontier, and sums in memory that differ from those on disk."""
        audit = FrontierAudit(self.path)
        audit._db, audit._tally = self.frontier._db, Tally(self.frontier._db)
        wrong = list(audit.problems())
        return wrong if audit._tally.totals() == self.frontier._tally.totals() else [*wrong, "memory and disk differ"]

    def one(self, query: str) -> Any:
        """The only value of a query."""
        return self.frontier._db.execute(query).fetchone()[0]


def found(url: str, **fields: Any) -> Find:
    """A find, by default a link that is allowed."""
    return a_find(url, **fields)


def done(request: Request, *finds: Find, status: int = 200, size: int = 10) -> Visit:
    """A visit that ended with a response."""
    response = Response(request=request, status=status, timing=Timing(total=0.25))
    line = records.answered(response, Page(size=size, sha256=""), Reason.OK, VisitContext(now=NOW), state=State.DONE)
    return Visit(request=request, state=State.DONE, reason=Reason.OK, record=line, finds=finds, latency=0.25)


def ended(request: Request, state: State, reason: Reason) -> Visit:
    """A visit without a response."""
    return Visit(request=request, state=state, reason=reason)


def again(request: Request, not_before: float) -> Retry:
    """One try more for a request."""
    next_try = replace(request, attempts=request.attempts + 1)
    return Retry(request=next_try, reason=Reason.CONNECT_REFUSED, at=NOW, not_before=not_before)


def urls(lease: Lease | tuple[Request, ...]) -> list[str]:
    """The leased URLs, shortened."""
    requests = lease.requests if isinstance(lease, Lease) else lease
    return [request.url.href.removeprefix("http://") for request in requests]


def let_go(run: Run) -> None:
    """Close what a test left open, without an orderly end."""
    if hasattr(run, "frontier") and hasattr(run.frontier, "_db"):
        run.frontier._db.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run in its first life."""
    run = Run(tmp_path / "run")
    run.begin()
    yield run
    let_go(run)


# Leasing


def test_leases_go_breadth_first_over_hosts(run: Run) -> None:
    """Some hosts are opened with a few URLs each; one that is open gets what it asks for."""
    run.add("http://a/1", "http://a/2", "http://a/3", "http://a/4", "http://b/1", "http://c/1", "http://c/2")

    assert urls(run.lease(new_hosts=2, new_share=2)) == ["a/1", "a/2", "b/1"]
    assert urls(run.lease({A: 1}, new_hosts=5, new_share=1)) == ["a/3", "c/1"]
    assert urls(run.lease({A: 9, C: 0, B: 3}, new_hosts=5)) == ["a/4"]
    assert urls(run.lease({C: 5}, new_hosts=0)) == ["c/2"]


def test_a_host_that_nobody_asked_for_gives_more(run: Run) -> None:
    """A host whose leases all wait for their commit is opened again, as long as it has something to give."""
    run.add("http://a/1", "http://a/2")

    leases = [urls(run.lease(new_share=1)) for _ in range(3)]

    assert leases == [["a/1"], ["a/2"], []]


def test_the_host_that_was_due_first_is_opened_first(run: Run) -> None:
    """Hosts are opened by their stored due time, and their state comes with the lease."""
    run.add("http://a/1", "http://b/1", "http://c/1")
    run.commit(hosts={A: HostState(due=NOW + 9), B: HostState(due=NOW + 3)})

    first = run.lease(new_hosts=2)

    assert urls(first) == ["c/1", "b/1"]
    assert first.hosts == {C: HostState(due=0.0), B: HostState(due=NOW + 3)}
    assert run.lease().hosts == {A: HostState(due=NOW + 9)}


@pytest.mark.parametrize(
    ("ago", "failures"), [(60.0, {"failures": 4, "failing_since": NOW - 60.0}), (7200.0, {"failures": 0})]
)
def test_another_chance_is_a_whole_one_after_an_hour(run: Run, ago: float, failures: dict[str, Any]) -> None:
    """Before, the failures that gave the host up still count; how gently it is to be asked always does."""
    since = NOW - ago
    given_up = HostState(penalty=2.0, failures=4, failing_since=since, robots_attempts=4, down=Reason.CONNECT_REFUSED)
    run.add("http://a/1")
    run.commit(hosts={A: given_up})
    run.end()

    run.begin()

    assert run.lease().hosts == {A: HostState(penalty=2.0, **failures)}


def test_a_host_that_was_given_up_at_rest_is_asked_again_after_it(run: Run) -> None:
    """In its own life it is leased at once, so that its URLs fail; a later life waits."""
    given_up = HostState(down=Reason.ROBOTS_UNREACHABLE, rest_until=NOW + 1000)
    run.add("http://a/1")
    run.commit(hosts={A: given_up})
    assert run.lease().hosts == {A: given_up}
    run.end()

    run.open.clear()
    run.begin()

    assert not run.lease().requests
    run.now += 990
    assert run.lease().hosts == {A: HostState(due=NOW + 1000)}


def test_within_a_host_depth_then_discovery_decides(run: Run) -> None:
    """What is nearer to a seed goes first, and of equals what was found first."""
    run.add("http://a/seed")
    (seed,) = run.lease().requests
    links = [found(f"http://a/{name}", depth=depth) for name, depth in (("x", 2), ("y", 1), ("z", 2), ("w", 1))]
    run.commit(visits=(done(seed, *links),))
    run.add("http://a/late")

    assert urls(run.lease()) == ["a/late", "a/y", "a/w", "a/x", "a/z"]


def test_what_is_leased_is_not_leased_again(run: Run) -> None:
    """However often and generously one asks, each URL is handed out once."""
    run.add(*(f"http://a/{n}" for n in range(20)))

    leases = [urls(run.lease({A: 3})) for _ in range(9)]

    assert sorted([url for lease in leases for url in lease]) == sorted(f"a/{n}" for n in range(20))


def test_what_is_returned_can_be_leased_again(run: Run) -> None:
    """Leases that nobody used go back in the same order, with nothing changed."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    one, two, three = run.lease().requests

    run.commit(returned=(three, one))

    assert run.lease().requests == (one, three)
    assert run.finish(one, two, three).pending == 0


def test_a_lease_tells_where_the_run_stands(run: Run) -> None:
    """Leased counts what is handed out; exhausted is a run of which nothing is handed out and nothing left."""
    run.add("http://a/1", "http://a/2", "http://b/1")

    lease = run.lease(new_hosts=1, new_share=1)
    assert (run.leased, lease.is_exhausted, lease.next_due) == (1, False, None)

    run.finish(*lease.requests)
    lease = run.lease()
    assert (run.leased, lease.is_exhausted) == (2, False)

    run.commit(visits=(done(lease.requests[0]),), retries=(again(lease.requests[1], NOW + 5),))
    assert not run.lease().is_exhausted
    run.now = NOW + 5
    run.finish(*run.lease().requests)
    assert run.lease().is_exhausted


def test_a_request_carries_what_is_known_of_its_url(run: Run) -> None:
    """Depth, hops, tries, referrer, seed and the host's naming come from the frontier, through a death too."""
    run.add("http://a/page")
    (page,) = run.lease().requests
    run.commit(visits=(done(page, found("http://other:8080/x?y", depth=4, hops=2)),))
    run.lease()
    run.die()
    run.begin()

    assert run.lease().requests == (
        a_request("http://other:8080/x?y", id=2, depth=4, hops=2, referrer="http://a/page"),
    )
    assert (page.way.seed, page.named, page.id, page.referrer) == (True, True, 1, None)
    assert run.problems() == []


def test_robots_copies_come_with_their_hosts(run: Run) -> None:
    """A stored robots.txt is handed out when its host is opened, and a newer copy replaces it."""
    old, new = (RobotsCopy(fetched_at=at, expires_at=at + 9, status=200, body=b"\xff\x00") for at in (1.0, 2.0))
    run.add("http://a/1", "http://a/2", "http://b/1")
    run.commit(robots={"http://a": old, "https://a:80": old, "http://b": old})
    run.commit(robots={"http://a": new})

    lease = run.lease(new_hosts=1, new_share=1)

    assert lease.robots == {"http://a": new, "https://a:80": old}
    assert run.lease({A: 5}, new_hosts=0).robots == {}


# Retries


def test_a_retry_waits_for_its_time(run: Run) -> None:
    """A URL that is to be tried again is pending, is not leased early, and then is, with its tries counted."""
    run.add("http://a/1", "http://a/2")
    one, two = run.lease().requests
    totals = run.commit(retries=(again(one, NOW + 30), again(two, NOW + 50))).totals

    assert (totals.pending, totals.retries) == (2, 2)
    waiting = run.lease()
    assert (waiting.requests, run.leased, waiting.is_exhausted, waiting.next_due) == ((), 0, False, NOW + 30)
    run.now = NOW + 29.9
    assert run.lease().requests == ()
    run.now = NOW + 30
    due = run.lease()
    assert (due.requests, due.next_due) == ((replace(one, attempts=1),), NOW + 50)
    run.now = NOW + 90
    assert (urls(run.lease()), run.lease().next_due) == (["a/2"], None)
    assert run.problems() == []


def test_a_retry_waits_through_a_death(run: Run) -> None:
    """Tries and waiting time are stored."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    run.commit(retries=(again(one, NOW + 30),))
    run.die()
    run.begin()

    assert run.lease().next_due == NOW + 30
    run.now += 30
    assert run.lease().requests == (replace(one, attempts=1),)


def test_a_clock_that_was_set_back_delays_nobody_for_long(run: Run) -> None:
    """Stored moments further away than the longest wait are clamped when the run is opened."""
    run.add("http://a/1", "http://b/1")
    one, two = run.lease().requests
    run.commit(
        retries=(again(one, NOW + LONGEST_WAIT), again(two, NOW - 10**6)),
        hosts={A: HostState(due=NOW + 60), B: HostState(due=NOW - 10**6)},
    )
    run.end()

    run.now = NOW - 10**6
    run.begin()

    assert run.lease().next_due == run.now + LONGEST_WAIT
    assert run.one("SELECT max(due) FROM host") == run.now + LONGEST_WAIT
    assert run.one("SELECT min(due) FROM host") == NOW - 10**6


# Finds


@dataclass(frozen=True)
class Merge:
    """Two finds of one URL, and what its row is after both."""

    first: Find
    second: Find
    state: State
    depth: int
    hops: int = 0
    seed: bool = False
    foreign: bool = False


def link(depth: int, **fields: Any) -> Find:
    """The URL that is found twice."""
    return found("http://b/x", depth=depth, **fields)


REFUSED = {"refusal": Reason.DEPTH_LIMIT}
MERGES = {
    "nearer": Merge(link(3), link(2), State.PENDING, 2),
    "further": Merge(link(2), link(3), State.PENDING, 2),
    "nearer, with more hops": Merge(link(3, hops=1), link(2, hops=4), State.PENDING, 2, hops=4),
    "nearer, and foreign": Merge(link(3), link(2, foreign=True), State.PENDING, 2, foreign=True),
    "fewer hops": Merge(link(2, hops=3), link(2, hops=1), State.PENDING, 2, hops=1),
    "seed after link": Merge(link(2), link(2, seed=True), State.PENDING, 2, seed=True),
    "link after seed": Merge(link(0, seed=True), link(2), State.PENDING, 0, seed=True),
    "listed after foreign": Merge(link(2, foreign=True), link(2, seed=True), State.PENDING, 2, seed=True),
    "foreign after link": Merge(link(2), link(2, foreign=True), State.PENDING, 2),
    "foreign twice": Merge(link(2, foreign=True), link(1, foreign=True), State.PENDING, 1, foreign=True),
    "allowed after refused": Merge(link(2, **REFUSED), link(2), State.PENDING, 2),
    "refused after allowed": Merge(link(2), link(1, **REFUSED), State.PENDING, 2),
    "refused twice": Merge(link(2, **REFUSED), link(1, **REFUSED), State.SKIPPED, 1),
}


@pytest.mark.parametrize("together", [True, False], ids=["in one group", "in two"])
@pytest.mark.parametrize("merge", MERGES.values(), ids=MERGES)
def test_finds_of_one_url_are_merged(run: Run, merge: Merge, together: bool) -> None:
    """Allowed beats refused, seed beats link and the smaller depth wins, in any order and within a group too."""
    run.add("http://a/1", "http://a/2")
    one, two = run.lease().requests
    visits = (done(one, merge.first), done(two, merge.second))

    if together:
        run.commit(visits=visits)
    else:
        run.commit(visits=visits[:1])
        run.commit(visits=visits[1:])

    row = run.frontier._db.execute(
        "SELECT state, depth, hops, seed, foreign_hop FROM url WHERE url = 'http://b/x'"
    ).fetchall()
    assert row == [(merge.state, merge.depth, merge.hops, merge.seed, merge.foreign)]
    assert [request.way.foreign for request in run.lease().requests] == [merge.foreign][: merge.state is State.PENDING]
    assert run.problems() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (link(1), link(1, sitemap=True, lastmod="2024")),
        (link(1, sitemap=True, lastmod="2024"), link(1)),
        (link(1, lastmod="2023"), link(1, sitemap=True, lastmod="2024")),
        (link(1, lastmod="2024"), link(1, sitemap=True, lastmod="2023")),
        (found("http://b/x", seed=True, line=9, lastmod="2024"), link(1, sitemap=True)),
        (link(1, refusal=Reason.SITEMAP_LIMIT), link(1, sitemap=True, lastmod="2024")),
    ],
)
def test_what_was_found_before_may_be_a_sitemap_and_dated(run: Run, first: Find, second: Find) -> None:
    """Whoever finds it so, before or after; the latest date counts."""
    run.add("http://a/1", "http://a/2")
    one, two = run.lease().requests
    run.commit(visits=(done(one, first),))

    run.commit(visits=(done(two, second),))

    (request,) = run.lease().requests
    assert (request.way.sitemap, request.way.lastmod) == (True, "2024")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.DONE, Reason.OK),
        (State.FAILED, Reason.TLS_EXPIRED),
        (State.SKIPPED, Reason.ROBOTS_DENIED),
    ],
)
def test_what_is_finished_stays_so(run: Run, state: State, reason: Reason) -> None:
    """A URL that had its turn is not changed by being found again, nearer or as a seed."""
    run.add("http://a/1", "http://b/x", depth=5)
    one, x = run.lease().requests
    run.commit(visits=(ended(x, state, reason),))
    before = run.frontier._db.execute("SELECT * FROM url WHERE id = ?", (x.id,)).fetchone()

    run.commit(visits=(done(one, found("http://b/x", depth=0, seed=True), found("http://b/x", **REFUSED)),))

    assert run.frontier._db.execute("SELECT * FROM url WHERE id = ?", (x.id,)).fetchone() == before
    assert run.lease().requests == ()
    assert run.problems() == []


def test_a_page_that_links_to_itself_stays_done(run: Run) -> None:
    """Its own URL among its finds changes nothing."""
    run.add("http://a/1")
    (one,) = run.lease().requests

    totals = run.commit(visits=(done(one, found("http://a/1", depth=1)),)).totals

    assert (totals.discovered, totals.done, totals.pending) == (1, 1, 0)


def test_a_host_is_named_once_anybody_named_it(run: Run) -> None:
    """What the user lists may be dialled, also for URLs of that host that were found before."""
    run.add("http://a/1")
    (one,) = run.lease().requests
    run.commit(visits=(done(one, found("http://b/x"), found("http://c/x")),))

    run.add("http://b/y")

    assert [(request.url.host, request.named) for request in run.lease().requests] == [
        *(("b", True), ("b", True)),
        ("c", False),
    ]


def test_every_discovered_url_is_counted_once(run: Run) -> None:
    """Totals hold each URL in one state with its reason, and what the lines of output add up to."""
    run.add("http://a/1", "http://a/2", "http://a/3", "http://a/4")
    one, two, three, _ = run.lease().requests

    totals = run.commit(
        visits=(
            done(one, found("http://b/1"), found("http://b/1"), found("http://b/2", **REFUSED), status=404, size=70),
            ended(two, State.FAILED, Reason.TLS_EXPIRED),
            ended(three, State.SKIPPED, Reason.ROBOTS_DENIED),
        ),
        seconds=1.5,
    ).totals

    assert (totals.discovered, totals.done, totals.failed, totals.pending) == (6, 1, 1, 2)
    assert totals.skipped == {"robots_denied": 1, "depth_limit": 1}
    assert (totals.failures, totals.unread) == ({"tls_expired": 1}, {})
    assert (totals.statuses, totals.bytes, totals.seconds) == ({404: 1}, 70, 1.5)
    assert sum(totals.latency.values()) == 1
    assert run.problems() == []


def test_what_was_not_read_is_counted_by_reason(run: Run) -> None:
    """A final response that is no use to the user is done all the same, so it is told; with the first examples."""
    run.add(*(f"http://a/{number}" for number in range(9)))
    requests = run.lease().requests
    reasons = [*[Reason.PARSE_TIMEOUT] * 4, Reason.LINK_LIMIT, Reason.OK, Reason.HTTP_STATUS, Reason.REDIRECT]

    totals = run.commit(
        visits=tuple(ended(one, State.DONE, reason) for one, reason in zip(requests, reasons, strict=False))
    ).totals

    assert totals.unread == {"parse_timeout": 4, "link_limit": 1}
    assert run.frontier.reports.examples()["parse_timeout"] == ("http://a/0", "http://a/1", "http://a/2")
    assert run.problems() == []


# The list


def test_every_line_of_the_list_is_accounted_for(run: Run) -> None:
    """Blanks, comments, refusals, duplicates and URLs add up to the lines read; the cursor is behind them."""
    bad = RejectedLine(line=2, reason=Reason.NOT_A_URL, message="no", text="x")
    lines = [
        found(url, seed=True, line=line) for url, line in (("http://a/1", 1), ("http://a/1", 5), ("http://a/2", 6))
    ]
    batch = SeedBatch(cursor=80, line=6, lines=6, blank=1, comments=1, finds=tuple(lines), rejected=(bad,))

    totals = run.commit(seeds=(batch,)).totals

    assert totals.lines == {"read": 6, "blank": 1, "comment": 1, "url": 2, "duplicate": 1, "not_a_url": 1}
    assert totals.discovered == 2
    assert list(run.frontier.reports.rejected()) == [
        bad,
        RejectedLine(line=5, reason=Reason.DUPLICATE, message="same URL as line 1", text="http://a/1"),
    ]
    assert run.problems() == []


def test_a_duplicate_names_the_first_line(run: Run) -> None:
    """However often and in whichever batch a URL is repeated, its first line is named."""
    run.add("http://a/0", "http://a/1")
    run.add("http://a/1")
    run.add("http://a/1", "http://a/0")

    messages = [line.message for line in run.frontier.reports.rejected()]

    assert messages == ["same URL as line 2", "same URL as line 2", "same URL as line 1"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_line_whose_url_was_found_otherwise_says_so(run: Run, finished: bool) -> None:
    """A listed URL that a redirect found first is a duplicate of no line, least of all of its own."""
    run.add("http://a/1")
    (one,) = run.lease().requests
    run.commit(visits=(done(one, found("http://b/x")),))
    if finished:
        run.finish(*run.lease().requests)

    run.add("http://b/x")

    assert [line.message for line in run.frontier.reports.rejected()] == ["already found through a redirect or link"]


def test_the_cursor_is_committed_with_its_lines(run: Run) -> None:
    """A new life reads on behind the last committed batch, and knows when that was the end."""
    run.commit(seeds=(SeedBatch(cursor=100, line=7, lines=0),))
    run.die()

    assert run.begin().cursor == SeedCursor(offset=100, line=7, finished=False)

    run.commit(seeds=(SeedBatch(cursor=150, line=9, lines=0, last=True),))
    run.die()
    assert run.begin().cursor == SeedCursor(offset=150, line=9, finished=True)


def test_lengths_of_files_are_committed(run: Run) -> None:
    """A new life learns how far each file is good."""
    run.commit(files={"pages.jsonl": 10, "b": 1})
    run.commit(files={"pages.jsonl": 25})
    run.die()

    assert run.begin().files == {"pages.jsonl": 25, "b": 1}


# One transaction


def a_full_group(run: Run) -> dict[str, Any]:
    """A group with everything in it, for a run that has leased three URLs."""
    one, two, three = run.dispatch()
    return {
        "visits": (done(one, found("http://new/1")), ended(two, State.FAILED, Reason.TLS_EXPIRED)),
        "retries": (again(three, NOW + 9),),
        "seeds": (
            SeedBatch(
                cursor=99,
                line=99,
                lines=1,
                rejected=(RejectedLine(line=99, reason=Reason.NOT_A_URL, message="", text=""),),
            ),
        ),
        "hosts": {A: HostState(due=NOW + 5)},
        "robots": {"http://a": RobotsCopy(fetched_at=1.0, expires_at=9.0, status=200, body=b"")},
        "files": {"pages.jsonl": 50},
        "seconds": 3.0,
    }


FAIL = "SELECT RAISE(ABORT, 'the disk says no')"
BROKEN = {
    **{
        f"{when} {table}": f"CREATE TRIGGER no BEFORE {when} ON {table} BEGIN {FAIL}; END"
        for when, table in (
            *(("INSERT", "url"), ("UPDATE", "url"), ("INSERT", "host"), ("UPDATE", "host"), ("INSERT", "rejected")),
            *(("INSERT", "meta"), ("INSERT", "robots"), ("INSERT", "file"), ("INSERT", "tally")),
        )
    },
    "COMMIT": """
        PRAGMA foreign_keys = ON;
        CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TEMP TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TEMP TRIGGER no AFTER INSERT ON main.file BEGIN INSERT INTO child VALUES (1); END
    """,
}


@pytest.mark.parametrize("trigger", BROKEN.values(), ids=BROKEN)
def test_a_group_is_committed_whole_or_not_at_all(run: Run, trigger: str) -> None:
    """Wherever a commit fails, nothing of the group is known to anybody, and it can be committed again."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    group = a_full_group(run)
    before = run.commit().totals
    rows = list(run.frontier._db.iterdump())
    run.frontier._db.executescript(trigger)

    with pytest.raises(StorageError):
        run.commit(**group)

    run.frontier._db.execute("DROP TRIGGER no")
    assert list(run.frontier._db.iterdump()) == rows
    assert run.commit().totals == before
    lease = run.lease()
    assert (lease.requests, run.leased) == ((), 3)
    assert run.problems() == []

    after = run.commit(**group).totals
    assert (after.discovered, after.done, after.failed, after.pending) == (4, 1, 1, 2)
    assert urls(run.lease()) == ["new/1"]
    assert run.problems() == []


def test_a_failed_commit_is_not_there_after_a_death(run: Run) -> None:
    """The next life starts from the commit before."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    group = a_full_group(run)
    run.frontier._db.executescript(BROKEN["INSERT file"])
    with pytest.raises(StorageError):
        run.commit(**group)
    run.die()

    opened = run.begin()

    assert (opened.totals.discovered, opened.totals.pending) == (3, 3)
    assert opened.files == {}
    assert opened.cursor.line == 3
    assert len(run.lease().requests) == 3


def test_a_kill_within_a_transaction_leaves_the_one_before(tmp_path: Path) -> None:
    """A process that is killed while it commits has committed nothing of that group; its board counts."""
    script = """
import os, signal, sys
from pathlib import Path
from test_sqlite import Run, done, found

def visits(requests):
    yield done(requests[0], found("http://new/1"))
    yield done(requests[1], found("http://new/2"))
    os.kill(os.getpid(), signal.SIGKILL)

run = Run(Path(sys.argv[1]))
run.begin()
run.add("http://a/1", "http://a/2", "http://a/3")
run.commit(visits=(done(run.dispatch(new_share=1)[0]),))
run.commit(visits=visits(run.dispatch()))
"""
    folder = tmp_path / "run"

    assert child(script, str(folder)).returncode == -signal.SIGKILL

    run = Run(folder)
    totals = run.begin().totals
    assert (totals.discovered, totals.done, totals.pending) == (3, 1, 2)
    assert run.one("SELECT group_concat(deaths) FROM url") == "0,1,1"
    assert urls(run.lease()) == ["a/2", "a/3"]
    assert run.problems() == []
    run.end()


def child(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which can import this file."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=env, timeout=30, check=False, capture_output=True, text=True)


# Deaths


def deaths(run: Run) -> list[int]:
    """How often each URL was in flight at a death, in the order of discovery."""
    return [n for (n,) in run.frontier._db.execute("SELECT deaths FROM url ORDER BY id")]


def kill_with(run: Run, *in_flight: str) -> Opened:
    """Lease everything, dispatch these, die and begin again."""
    for request in run.lease().requests:
        if urls((request,))[0] in in_flight:
            run.board.enter(request.id)
    run.die()
    return run.begin()


def test_a_death_counts_what_was_in_flight(run: Run) -> None:
    """What was dispatched and not committed gets a death; what was only leased, or is finished, does not."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    one, *_ = run.dispatch(new_share=2)
    run.finish(one)
    run.lease({A: 1})

    run.die()
    run.begin()

    assert deaths(run) == [0, 1, 0]
    assert urls(run.lease()) == ["a/2", "a/3"]
    assert run.problems() == []


def test_an_orderly_end_counts_nobody(run: Run) -> None:
    """Whatever was in flight when a run is closed in order is pending, and that is all."""
    run.add("http://a/1", "http://a/2")
    run.dispatch()

    run.end()
    run.begin()

    assert deaths(run) == [0, 0]
    assert urls(run.lease()) == ["a/1", "a/2"]


def test_a_death_between_commit_and_board_does_no_harm(run: Run) -> None:
    """A URL that is committed but still on the board stays done."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    run.frontier.commit(Group(visits=(done(one),)))

    run.die()

    assert run.begin().totals.done == 1
    assert deaths(run) == [0]
    assert run.problems() == []


def test_a_life_that_dies_while_opening_counts_nobody_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A death after the deaths are committed, before the board is cleared, changes no count."""
    run.add("http://a/1")
    run.dispatch()
    run.die()
    with monkeypatch.context() as patch:
        patch.setattr(MappedBoard, "clear", lambda *_: None)
        run.begin()
        assert deaths(run) == [1]
        run.die()

    run.begin()

    assert deaths(run) == [1]


class Cells:
    """The board's memory in a process that is killed before its n-th write."""

    def __init__(self, cells: Any, writes: int) -> None:
        self._cells, self._left = cells, writes

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, place: int) -> int:
        return int(self._cells[place])

    def __setitem__(self, place: int, value: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        self._cells[place] = value

    def release(self) -> None:
        """Let go of the memory."""
        self._cells.release()


@pytest.mark.parametrize("writes", range(8))
def test_a_life_that_dies_while_it_clears_the_board_counts_nobody_twice(
    run: Run, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any number of writes to the board, the next life finds either all deaths counted or none to count."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    run.dispatch()
    run.die()
    clear = MappedBoard.clear

    def die_within(board: MappedBoard, generation: int) -> None:
        board._cells = Cells(board._cells, writes)  # type: ignore[assignment] # stands in for a memoryview
        clear(board, generation)

    with monkeypatch.context() as patch:
        patch.setattr(MappedBoard, "clear", die_within)
        with pytest.raises(KeyboardInterrupt):
            run.begin(slots=5)
    run.board.close()

    run.begin(slots=5)

    assert deaths(run) == [1, 1, 1]


def test_a_lost_board_loses_no_later_death(run: Run) -> None:
    """A run whose board was deleted after many lives counts the deaths of the next one."""
    run.add("http://a/1")
    for _ in range(3):
        run.die()
        run.begin()
    run.end()
    run.board._path.unlink()
    run.begin()
    run.dispatch()

    run.die()
    run.begin()

    assert deaths(run) == [1]


def test_after_two_deaths_a_url_runs_alone(run: Run) -> None:
    """A suspect waits until nothing else is leased, and nothing else is leased while it runs."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    kill_with(run, "a/1", "a/2")
    kill_with(run, "a/1")

    lease = run.lease()
    assert urls(lease) == ["a/2", "b/1"]
    assert run.lease().requests == ()
    run.finish(*lease.requests)

    (suspect,) = run.lease().requests
    assert (suspect.url.href, suspect.alone) == ("http://a/1", True)
    run.add("http://a/4")
    assert run.lease({A: 5}).requests == ()
    run.finish(suspect)
    assert urls(run.lease()) == ["a/4"]
    assert deaths(run) == [0, 0, 0, 0]
    assert run.problems() == []


def test_the_least_suspicious_goes_first(run: Run) -> None:
    """Of several suspects the one with the fewest deaths runs first, so that a kill hits another."""
    run.add("http://a/1", "http://a/2")
    for _ in range(2):
        kill_with(run, "a/1", "a/2")

    kill_with(run, "a/1")

    assert deaths(run) == [3, 2]
    assert urls(run.lease()) == ["a/2"]


def test_after_four_deaths_a_url_is_given_up(run: Run) -> None:
    """What died alone twice is handed out as a suspect to be failed, at every opening until that is committed."""
    run.add("http://a/1", "http://a/2")
    for _ in range(2):
        kill_with(run, "a/1")
    run.finish(*run.lease().requests)
    assert kill_with(run, "a/1").suspects == ()

    for opened in (kill_with(run, "a/1"), kill_with(run)):
        assert [(request.url.href, request.alone) for request in opened.suspects] == [("http://a/1", True)]
        assert run.lease().requests == ()

    totals = run.commit(visits=(ended(opened.suspects[0], State.FAILED, Reason.SUSPECT),)).totals
    assert (totals.done, totals.failures, totals.pending) == (1, {"suspect": 1}, 0)
    assert run.problems() == []
    run.die()
    assert run.begin().suspects == ()


@pytest.mark.parametrize("how", ["finished", "postponed"])
def test_a_url_that_came_back_is_no_suspect(run: Run, how: str) -> None:
    """A committed visit or retry sets its deaths to 0, and a retry then runs with the others."""
    run.add("http://a/1")
    for _ in range(2):
        kill_with(run, "a/1")
    (suspect,) = run.lease().requests
    assert suspect.alone

    if how == "finished":
        run.finish(suspect)
    else:
        run.commit(retries=(again(suspect, NOW),))

    assert deaths(run) == [0]
    assert [request.alone for request in run.lease().requests] == [False] * (how == "postponed")
    assert run.problems() == []


def test_a_suspect_that_is_returned_runs_alone_later(run: Run) -> None:
    """Giving it back keeps its deaths and lets others go first."""
    run.add("http://a/1")
    for _ in range(2):
        kill_with(run, "a/1")
    (suspect,) = run.lease().requests
    run.add("http://b/1")

    run.commit(returned=(suspect,))

    others = run.lease().requests
    assert urls(others) == ["b/1"]
    run.finish(*others)
    assert run.lease().requests == (suspect,)


# One process at a time, and damage


def test_a_second_connection_is_refused_at_once(run: Run) -> None:
    """While a run is open nobody else opens it, and it goes on undisturbed."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    other = SqliteFrontier(run.path, MappedBoard(run.board._path, 5), create=False)

    with pytest.raises(RunInUse, match="another process"):
        other.open(NOW)

    assert run.finish(one).done == 1
    run.die()
    run.begin()
    assert deaths(run) == [0]


def test_the_lock_is_taken_before_anything_is_read(run: Run) -> None:
    """Of two that open a run at the same moment, the second is refused although the first has done nothing yet."""
    run.end()
    first, second = (SqliteFrontier(run.path, run.board, create=False) for _ in range(2))
    first._lock()

    with pytest.raises(RunInUse):
        second.open(NOW)

    first._db.close()


def test_a_second_process_is_refused_at_once(run: Run) -> None:
    """Another process that resumes the run gets the same answer, and touches neither frontier nor board."""
    run.add("http://a/1")
    run.dispatch()
    board = run.board._path.read_bytes()
    script = """
import sys
from pathlib import Path
from crawler.core.errors import RunInUse
from test_sqlite import Run
try:
    Run(Path(sys.argv[1])).begin()
except RunInUse as error:
    sys.exit(error.exit_code)
"""

    assert child(script, str(run.folder)).returncode == 3

    assert run.board._path.read_bytes() == board
    assert run.problems() == []


def test_the_lock_ends_with_the_run(run: Run) -> None:
    """Closed in order, the run can be opened again at once."""
    run.end()

    run.begin()
    run.end()


def foreign(path: Path) -> None:
    """Somebody else's database in its place."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE url (id)")
    db.commit()
    db.close()


def newer(path: Path) -> None:
    """A frontier of a version that is not out yet."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


DAMAGE = {
    "not a database": lambda path: path.write_bytes(b"<html>" * 500),
    "zero bytes": lambda path: path.write_bytes(b""),
    "cut within the header": lambda path: os.truncate(path, 50),
    "cut after the first page": lambda path: os.truncate(path, 4096),
    "cut in the middle": lambda path: os.truncate(path, 10_000),
    "missing": lambda path: path.unlink(),
    "somebody else's": foreign,
    "another version": newer,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("audited", [True, False], ids=["audited", "opened"])
def test_what_is_no_frontier_is_damage(run: Run, damage: Any, audited: bool) -> None:
    """A frontier that is broken, missing or somebody else's is told as such, with its name and what to do."""
    run.add(*(f"http://a/{n}" for n in range(300)))
    run.end()
    damage(run.path)
    opener = SqliteFrontier(run.path, run.board, create=False)

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: .|frontier\.sqlite is missing") as caught:
        FrontierAudit(run.path).__enter__() if audited else opener.open(NOW)

    assert caught.value.exit_code == 5
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opener._db.execute("SELECT 1") if hasattr(opener, "_db") else closed()


def closed() -> None:
    """Stands for a connection that was never made."""
    raise sqlite3.ProgrammingError("closed")


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    """Beginning a run where somebody else's database lies changes nothing in it."""
    path = tmp_path / "frontier.sqlite"
    foreign(path)
    before = path.read_bytes()

    with pytest.raises(StorageDamaged, match="not a frontier"):
        SqliteFrontier(path, MappedBoard(tmp_path / "board", 5), create=True).open(NOW)

    assert path.read_bytes() == before


def test_a_page_that_breaks_while_the_run_works_is_damage(run: Run) -> None:
    """What SQLite finds broken later ends the run with the same words."""
    run.add(*(f"http://a/{n}" for n in range(2000)))
    run.end()
    with run.path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 40)

    def work() -> None:
        run.begin()
        run.finish(*run.lease().requests)

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: damaged"):
        work()


def test_a_full_disk_is_told_and_loses_nothing_committed(run: Run) -> None:
    """When no page more fits, the commit fails as a full disk, and all before it is still there."""
    run.add("http://a/0")
    (first,) = run.dispatch()
    pages = run.one("PRAGMA page_count")
    run.frontier._db.execute(f"PRAGMA max_page_count = {pages + 3}")
    links = tuple(found(f"http://a/{n}", depth=1) for n in range(1, 2000))

    with pytest.raises(DiskFull, match=r"^frontier\.sqlite: no space left .* resume") as caught:
        run.commit(visits=(done(first, *links),))

    assert caught.value.exit_code == 4
    assert run.problems() == []
    assert run.leased == 1
    run.end()
    assert run.begin().totals.pending == 1
    assert run.commit(visits=(done(run.lease().requests[0], *links),)).totals.discovered == 2000


@pytest.mark.parametrize("name", ["a b", "what?mode=memory", "part#1", "100%25", "ü", "'quoted\"", "x&y=z;"])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URI mean nothing in a path."""
    run = Run(tmp_path / name)
    run.begin()
    run.add("http://a/1")
    run.end()

    assert run.path.exists()
    with FrontierAudit(run.path) as audit:
        assert audit.counts()[State.PENDING] == 1
    assert run.begin().totals.pending == 1
    run.end()


def test_a_frontier_tells_of_itself(run: Run) -> None:
    """Its repr says what is leased."""
    run.add("http://a/1", "http://b/1", "http://b/2")
    run.lease()

    assert repr(run.frontier) == "<SqliteFrontier frontier.sqlite, <Leasing 3 URLs of 2 hosts>>"


# Any order of all that


POOL = [f"http://{host}/{n}" for host in "abc" for n in range(5)]
LINKS = st.lists(st.tuples(st.sampled_from(POOL), st.integers(0, 3), st.booleans()), max_size=4)
SHARES = st.integers(0, 4)


@dataclass
class Row:
    """What the model knows of a URL."""

    id: int
    depth: int
    state: State = State.PENDING
    not_before: float | None = None
    deaths: int = 0
    was_tried: bool = False  # in vain
    is_denied: bool = False
    turns: int = 0  # how often it was finished


class Lives(RuleBasedStateMachine):
    """Imports, leases, visits, retries, failures and deaths in any order, against a dictionary."""

    @initialize()
    def begin(self) -> None:
        """A run begins."""
        self.run = Run(Path(tempfile.mkdtemp()) / "run")
        self.rows: dict[str, Row] = {}
        self.hosts: list[Host] = []
        self.leased: dict[str, Request] = {}
        self.on_board: set[str] = set()
        self.run.begin()

    # The model

    def find(self, url: str, depth: int, *, refused: bool = False) -> None:
        """Merge a find."""
        host = parse(url).host_port
        if host not in self.hosts:
            self.hosts.append(host)
        row = self.rows.get(url)
        if row is None:
            state = State.SKIPPED if refused else State.PENDING
            self.rows[url] = Row(id=len(self.rows) + 1, depth=depth, state=state)
        elif not refused and row.state in {State.PENDING, State.SKIPPED} and not row.is_denied:
            row.state, row.depth = State.PENDING, min(row.depth, depth)

    def pending(self, host: Host | None = None) -> list[str]:
        """Pending URLs that wait for nothing, in the order of leasing."""
        found = [
            url
            for url, row in self.rows.items()
            if row.state is State.PENDING and row.not_before is None and host in {None, parse(url).host_port}
        ]
        return sorted(found, key=lambda url: (self.rows[url].was_tried, self.rows[url].depth, self.rows[url].id))

    def ready(self, host: Host) -> list[str]:
        """What may be leased of a host."""
        return [url for url in self.pending(host) if self.rows[url].deaths < 2 and url not in self.leased]

    def has_more(self, host: Host) -> bool:
        """More of a host is ready than is leased of it."""
        leased = sum(parse(url).host_port == host and not lease.alone for url, lease in self.leased.items())
        return sum(self.rows[url].deaths < 2 for url in self.pending(host)) > leased

    def expected(self, shares: dict[Host, int], new_hosts: int, new_share: int) -> list[str]:
        """What a lease must give."""
        found: list[str] = []
        if not any(request.alone and self.rows[url].deaths < 4 for url, request in self.leased.items()):
            fresh = [host for host in self.hosts if host not in shares and self.has_more(host)][:new_hosts]
            for host, share in [*shares.items(), *((host, new_share) for host in fresh)]:
                found += self.ready(host)[:share]
        if not found and not self.leased:
            suspects = [url for url in self.pending() if self.rows[url].deaths >= 2]
            found = sorted(suspects, key=lambda url: (self.rows[url].depth, self.rows[url].deaths, self.rows[url].id))[
                :1
            ]
        return found

    # What happens

    @rule(listed=st.lists(st.sampled_from(POOL), min_size=1, max_size=5))
    def read_lines(self, listed: list[str]) -> None:
        """Some lines of the list are imported."""
        self.run.add(*listed)
        for url in listed:
            self.find(url, 0)

    @rule(
        shares=st.dictionaries(st.sampled_from([A, B, C]), SHARES), new_hosts=SHARES, new_share=SHARES, go=st.booleans()
    )
    def lease(self, shares: dict[Host, int], new_hosts: int, new_share: int, go: bool) -> None:
        """Leases are what the model says, in its order, and never anything that is leased."""
        shares = {host: share for host, share in shares.items() if host in self.hosts}
        for row in self.rows.values():
            if row.not_before is not None and row.not_before <= self.run.now:
                row.not_before = None
        expected = self.expected(shares, new_hosts, new_share)

        lease = self.run.lease(shares, new_hosts=new_hosts, new_share=new_share)

        assert [request.url.href for request in lease.requests] == expected
        self.take(lease.requests, go)
        assert self.run.leased == len(self.leased)
        assert lease.is_exhausted == all(row.state is not State.PENDING for row in self.rows.values())
        waiting = [row.not_before for row in self.rows.values() if row.not_before is not None]
        assert lease.next_due == min(waiting, default=None)

    def take(self, requests: tuple[Request, ...], go: bool) -> None:
        """Remember leases, and dispatch them if they are to go."""
        for request in requests:
            row = self.rows[request.url.href]
            assert request.id == row.id
            assert request.alone == (row.deaths >= 2)
            self.leased[request.url.href] = request
            if go:
                self.run.board.enter(request.id)
                self.on_board.add(request.url.href)

    def some_leased(self, data: st.DataObject) -> str:
        """One of the leased URLs."""
        return data.draw(st.sampled_from(sorted(self.leased)))

    def let_go(self, url: str) -> None:
        """A URL is no longer leased."""
        del self.leased[url]
        self.on_board.discard(url)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), state=st.sampled_from([State.DONE, State.DONE, State.FAILED, State.SKIPPED]), links=LINKS)
    def finish(self, data: st.DataObject, state: State, links: list[tuple[str, int, bool]]) -> None:
        """A URL has its final state, and its links are found."""
        url = self.some_leased(data)
        request, row = self.leased[url], self.rows[url]
        reasons = {State.DONE: Reason.OK, State.FAILED: Reason.TLS_EXPIRED, State.SKIPPED: Reason.ROBOTS_DENIED}
        finds = tuple(found(to, depth=depth, **(REFUSED if refused else {})) for to, depth, refused in links)

        self.run.commit(visits=(replace(ended(request, state, reasons[state]), finds=finds),))

        self.let_go(url)
        row.state, row.deaths, row.turns = state, 0, row.turns + 1
        row.is_denied = state is State.SKIPPED
        for to, depth, refused in links:
            self.find(to, depth, refused=refused)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), wait=st.integers(-1, 30))
    def retry(self, data: st.DataObject, wait: int) -> None:
        """A URL is to be tried again."""
        url = self.some_leased(data)

        self.run.commit(retries=(again(self.leased[url], self.run.now + wait),))

        self.let_go(url)
        row = self.rows[url]
        row.not_before, row.deaths, row.was_tried = self.run.now + wait, 0, True

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """A leased URL is not asked for after all."""
        url = self.some_leased(data)
        if self.rows[url].deaths < 4:
            self.run.board.leave(self.rows[url].id)
            self.run.commit(returned=(self.leased[url],))
            self.let_go(url)

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.run.now += seconds

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), links=LINKS, broken=st.sampled_from([BROKEN["INSERT file"], BROKEN["INSERT tally"]]))
    def fail_to_commit(self, data: st.DataObject, links: list[tuple[str, int, bool]], broken: str) -> None:
        """A commit that fails changes nothing at all."""
        request = self.leased[self.some_leased(data)]
        finds = tuple(found(to, depth=depth) for to, depth, _ in links)
        self.run.frontier._db.execute(broken)

        with pytest.raises(StorageError):
            self.run.commit(visits=(done(request, *finds),), files={"f": 1})

        self.run.frontier._db.execute("DROP TRIGGER no")

    @rule(in_order=st.booleans())
    def end_and_begin_again(self, in_order: bool) -> None:
        """The process ends, in order or not, and another goes on."""
        if in_order:
            self.run.end()
        else:
            self.run.die()
            for url in self.on_board:
                self.rows[url].deaths += 1
        self.leased, self.on_board = {}, set()

        opened = self.run.begin()

        given_up = [url for url, row in self.rows.items() if row.deaths >= 4]
        assert sorted(request.url.href for request in opened.suspects) == sorted(given_up)
        self.take(opened.suspects, go=False)

    @rule(times=st.integers(1, 5))
    def die_at_the_same_work(self, times: int) -> None:
        """Whatever is leased is dispatched, and kills the process, several times."""
        for _ in range(times):
            self.lease(shares={}, new_hosts=9, new_share=3, go=True)
            self.end_and_begin_again(in_order=False)

    # What always holds

    @invariant()
    def the_account_is_the_models(self) -> None:
        """Every URL is in one state, every sum is right, and every number that is kept equals what is counted."""
        totals = self.run.frontier._tally.totals()
        counted = [sum(row.state is state for row in self.rows.values()) for state in State]
        assert [totals.pending, totals.done, totals.failed, sum(totals.skipped.values())] == counted
        assert totals.discovered == len(self.rows)
        assert self.run.problems() == []

    def teardown(self) -> None:
        """In the end every URL that was ever allowed has had exactly one turn."""
        try:
            self.finish_all()
        finally:
            let_go(self.run)
            shutil.rmtree(self.run.folder.parent)

    def finish_all(self) -> None:
        """Lease and finish until nothing is left."""
        for _ in range(100):
            for request in list(self.leased.values()):
                self.run.finish(request)
                self.rows[request.url.href].turns += 1
            self.leased.clear()
            self.run.now += 100
            self.leased = {request.url.href: request for request in self.run.lease().requests}
            if not self.leased:
                break
        assert self.run.frontier._tally.totals().pending == 0
        refused = [row for row in self.rows.values() if row.state is State.SKIPPED and not row.is_denied]
        assert [row.turns for row in self.rows.values() if row not in refused] == [1] * (len(self.rows) - len(refused))


# Shrinking a failure would take minutes, and twenty-five steps can be read.
PHASES = set(Phase) - {Phase.shrink, Phase.explain}
Lives.TestCase.settings = settings(max_examples=20, stateful_step_count=25, phases=PHASES)
TestLives = Lives.TestCase


def test_errors_of_the_frontier_are_ours() -> None:
    """Whatever goes wrong in a frontier has a class with an exit code."""
    assert {kind.exit_code for kind in (RunInUse, StorageDamaged, DiskFull, StorageError)} == {3, 4, 5}
    assert issubclass(StorageError, CrawlerError)
