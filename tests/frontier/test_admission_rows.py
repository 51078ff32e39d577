"""frontier.admission: the finds of one URL become one row, and every row and line is accounted for."""

from dataclasses import dataclass
from typing import Any

import pytest

from crawler.core.finds import Find
from crawler.core.leases_and_commits import (
    RejectedLine,
    SeedBatch,
    SeedCursor,
)
from crawler.core.reasons import Reason
from crawler.core.visits import State
from support.frontiers import REFUSED, Run, done, ended, found
from support.stores import rows

pytestmark = pytest.mark.usefixtures("each_store")


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

    row = rows(run.frontier, "SELECT state, depth, hops, seed, foreign_hop FROM url WHERE url = 'http://b/x'")
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
    """Finds before and after count alike; so does the latest date."""
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
    before = rows(run.frontier, "SELECT * FROM url WHERE id = ?", x.id)

    run.commit(visits=(done(one, found("http://b/x", depth=0, seed=True), found("http://b/x", **REFUSED)),))

    assert rows(run.frontier, "SELECT * FROM url WHERE id = ?", x.id) == before
    assert run.lease().requests == ()
    assert run.problems() == []


def test_a_page_that_links_to_itself_stays_done(run: Run) -> None:
    """Its own URL among its finds changes nothing."""
    run.add("http://a/1")
    (one,) = run.lease().requests

    totals = run.commit(visits=(done(one, found("http://a/1", depth=1)),)).totals

    assert (totals.discovered, totals.done, totals.pending) == (1, 1, 0)


def test_a_host_is_named_once_anybody_named_it(run: Run) -> None:
    """A host that the user lists may be dialled, also for URLs of it that were found before."""
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
    """The first line of a URL is named, for any number of repetitions in any batch."""
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
