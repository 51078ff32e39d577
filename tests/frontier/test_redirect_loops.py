"""frontier.circles: the redirect that closes a circle has failed."""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from crawler.core.finds import Find
from crawler.core.leases_and_commits import Group, Wanted
from crawler.core.merging import hop
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.urls import parse
from crawler.core.visits import Page, State, Visit
from crawler.engine.outcomes import Judge
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.redirect_loops import LONGEST
from support.frontiers import batch_of
from support.stores import frontier_in

NOW = 1_700_000_000.0
CIRCLE = {"http://a/": "http://b/", "http://b/": "http://c:81/x", "http://c:81/x": "http://a/"}
pytestmark = pytest.mark.usefixtures("each_store")
INTO = {**CIRCLE, "http://x/": "http://y/", "http://y/": "http://b/"}


class Run:
    """A frontier that is asked for one URL at a time; `site` says where each redirects, "" = it is a page."""

    def __init__(self, folder: Path, site: dict[str, str]) -> None:
        self.folder, self.site = folder, site
        self.lines: list[tuple[str, str, str]] = []
        self.open()

    def open(self) -> None:
        """Begin a life."""
        board = MappedBoard(self.folder / "frontier.board", 1000)
        self.frontier = frontier_in(self.folder, board, FrontierPolicy(edges=True, follows=True))
        self.frontier.open(NOW)

    def seeds(self, urls: Sequence[str]) -> None:
        """Commit a list."""
        self.frontier.commit(Group(seeds=(batch_of(*urls, named=True),)))

    def lease(self) -> list[Request]:
        """All that is pending."""
        hosts = {request.url.host_port for request in getattr(self, "leased", ())}
        self.leased = self.frontier.lease(Wanted(gone=tuple(hosts), new_hosts=1000, new_share=1000), NOW).requests
        return list(self.leased)

    def visit(self, request: Request) -> Visit:
        """Return the meaning of the answer to a request."""
        to = self.site[request.url.href]
        headers = ((b"Location", to.encode()),) if to else ()
        response = Response(request=request, status=302 if to else 200, headers=headers)
        visit = Judge(retries=0).response(response, Page(size=0, sha256=""), VisitContext(now=NOW))
        assert isinstance(visit, Visit)
        return visit

    def commit(self, *requests: Request) -> list[Visit]:
        """Commit the visits of these requests as one group."""
        visits = self.frontier.mark_circles([self.visit(request) for request in requests])
        self.frontier.commit(Group(visits=tuple(visits)))
        return list(visits)

    def to_the_end(self, *, together: bool, lives: bool = False) -> dict[str, Reason]:
        """Ask for everything, in one group for each lease or in one for each URL, and in lives if so wished."""
        ends: dict[str, Reason] = {}
        while requests := self.lease():
            for group in [requests] if together else [[request] for request in requests]:
                ends |= {visit.request.url.href: visit.reason for visit in self.commit(*group)}
            if lives:
                self.frontier.close()
                self.leased = ()
                self.open()
        return ends


@pytest.mark.parametrize("together", [True, False], ids=["in one group", "one by one"])
@pytest.mark.parametrize("lives", [True, False], ids=["resumed", "at once"])
@pytest.mark.parametrize("seeds", [["http://a/"], ["http://b/"], list(CIRCLE), [*reversed(CIRCLE)]])
def test_a_circle_is_closed_by_its_last_redirect(
    tmp_path: Path, seeds: list[str], *, together: bool, lives: bool
) -> None:
    """Over several hosts, wherever it is entered, within a group and over groups and lives."""
    run = Run(tmp_path, CIRCLE)
    run.seeds(seeds)

    ends = run.to_the_end(together=together, lives=lives)

    assert sorted(ends.values()) == [Reason.REDIRECT, Reason.REDIRECT, Reason.REDIRECT_LOOP]
    run.frontier.close()


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_whatever_the_order_one_redirect_closes_a_circle(tmp_path: Path, order: tuple[int, ...]) -> None:
    """In one group, with a redirect into it."""
    site = {**CIRCLE, "http://x/": "http://a/"}
    run = Run(tmp_path, site)
    run.seeds([list(site)[at] for at in order])
    requests = {request.url.href: request for request in run.lease()}

    visits = run.commit(*(requests[list(site)[at]] for at in order))

    failed = [visit.request.url.href for visit in visits if visit.state is State.FAILED]
    assert failed == [[url for url in (list(site)[at] for at in order) if url != "http://x/"][-1]]
    run.frontier.close()


def test_the_line_of_what_closes_a_circle_says_so(tmp_path: Path) -> None:
    """State, reason and line agree; it leads nowhere, and its line tells where it would."""
    run = Run(tmp_path, CIRCLE)
    run.seeds(list(CIRCLE))
    *_, last = run.commit(*run.lease())

    assert last.record is not None
    assert (last.state, last.reason, tuple(last.finds)) == (State.FAILED, Reason.REDIRECT_LOOP, ())
    assert (last.record.outcome, last.record.reason) == ("failed", "redirect_loop")
    assert last.record.redirect_to == "http://a/"
    run.frontier.close()


def test_a_way_into_a_circle_is_a_redirect(tmp_path: Path) -> None:
    """It led somewhere; what it led to has failed, and `--check` tells the circle once."""
    run = Run(tmp_path, INTO)
    run.seeds(["http://x/"])

    ends = run.to_the_end(together=False)

    assert [url for url, reason in ends.items() if reason is Reason.REDIRECT_LOOP] == ["http://a/"]
    assert [(broken.url, broken.reason) for broken in run.frontier.reports.broken()] == [("http://a/", "redirect_loop")]
    run.frontier.close()


def test_a_way_into_a_circle_that_is_known_closes_nothing(tmp_path: Path) -> None:
    """Also when it comes later, and into the middle."""
    run = Run(tmp_path, INTO)
    run.seeds(list(CIRCLE))
    run.to_the_end(together=False)
    run.frontier.commit(Group(finds=(Find(url=parse("http://x/")),)))

    assert run.to_the_end(together=False) == {"http://x/": Reason.REDIRECT, "http://y/": Reason.REDIRECT}
    run.frontier.close()


def test_what_ends_somewhere_is_no_circle(tmp_path: Path) -> None:
    """Chains that meet, and a chain that ends in a page."""
    site = {"http://a/": "http://c/", "http://b/": "http://c/", "http://c/": "http://d/", "http://d/": ""}
    run = Run(tmp_path, site)
    run.seeds(list(site))

    ends = run.to_the_end(together=True)

    assert ends == {url: Reason.REDIRECT if to else Reason.OK for url, to in site.items()}
    run.frontier.close()


def test_a_meta_refresh_is_a_page_on_the_way(tmp_path: Path) -> None:
    """It is read and shown, and a browser that goes on does so anew: HTML, "shared declarative refresh steps"."""
    run = Run(tmp_path, {"http://a/": "", "http://b/": "http://a/"})
    run.seeds(["http://a/", "http://b/"])
    a, b = run.lease()
    refreshing = Visit(request=a, state=State.DONE, reason=Reason.OK, finds=(hop(a.url, a.way, b.url),))
    run.frontier.commit(Group(visits=(refreshing,)))

    (visit,) = run.commit(b)

    assert visit.reason is Reason.REDIRECT
    run.frontier.close()


def test_a_chain_is_followed_so_far(tmp_path: Path) -> None:
    """A chain that a server spins out further costs no more, and ends as a redirect."""
    count = LONGEST + 500
    run = Run(tmp_path, {f"http://a/{n}": f"http://a/{(n + 1) % count}" for n in range(count)})
    run.seeds(list(run.site))
    run.site["http://a/in"] = f"http://a/{count - 1}"
    run.seeds(["http://a/in"])
    while requests := run.lease():
        way_in, *others, last = sorted(requests, key=lambda request: int("0" + request.url.target[1:].strip("in")))
        run.commit(*others)
        visits = run.commit(last, way_in)

    assert [visit.reason for visit in visits] == [Reason.REDIRECT, Reason.REDIRECT]
    run.frontier.close()


def test_a_long_circle_is_found_in_one_group(tmp_path: Path) -> None:
    """Judged from its end on, each redirect takes one step: no chain is walked again for each of its redirects."""
    count = LONGEST + 500
    site = {f"http://a/{n}": f"http://a/{(n + 1) % count}" for n in range(count)}
    run = Run(tmp_path, site)
    run.seeds(list(site))
    requests = sorted(run.lease(), key=lambda request: -int(request.url.target[1:]))
    while more := run.lease():
        requests += more

    visits = run.commit(*requests)

    assert [visit.reason for visit in visits].count(Reason.REDIRECT_LOOP) == 1
    run.frontier.close()
