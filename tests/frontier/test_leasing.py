"""Levels and closed hosts: what is leased when a depth or a host's pages are limited."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.core.finds import Find
from crawler.core.leases_and_commits import Group, Lease, Totals, Wanted
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, unanswered
from crawler.core.scope import Scope
from crawler.core.urls import Host, parse
from crawler.core.visits import Retry, State, Visit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from support.frontiers import batch_of
from support.stores import frontier_in, rows
from support.ways import a_find

NOW = 1_700_000_000.0
pytestmark = pytest.mark.usefixtures("each_store")


class Life:
    """One frontier from its opening on; `kill` begins another life."""

    def __init__(self, folder: Path, policy: FrontierPolicy) -> None:
        self.folder = folder
        self.policy = policy
        self.line = 0
        self.open: tuple[Host, ...] = ()
        self.begin()

    def begin(self) -> None:
        """Open the run."""
        board = MappedBoard(self.folder / "frontier.board", 1000)
        self.frontier = frontier_in(self.folder, board, self.policy)
        self.frontier.open(NOW)

    def again(self) -> None:
        """End in order, and open once more."""
        self.frontier.close()
        self.begin()

    def seeds(self, *urls: str, last: bool = True) -> Totals:
        """Commit some lines of the list."""
        batch = batch_of(*urls, first=self.line + 1, last=last, named=True)
        self.line = batch.line
        return self.frontier.commit(Group(seeds=(batch,))).totals

    def lease(self) -> Lease:
        """Everything that may be asked for now, of hosts that were opened before too."""
        lease = self.frontier.lease(Wanted(gone=self.open, new_hosts=1000, new_share=1000), NOW)
        self.open = tuple({request.url.host_port for request in lease.requests})
        return lease

    def finish(self, request: Request, *finds: Find, state: State = State.DONE) -> Totals:
        """Commit a page with what it led to."""
        record = unanswered(request, Reason.OK, VisitContext(now=NOW), attempts=1) if state is State.DONE else None
        visit = Visit(request=request, state=state, reason=Reason.OK, record=record, finds=finds)
        return self.frontier.commit(Group(visits=(visit,))).totals


def link(url: str, depth: int = 1, **fields: object) -> Find:
    """A find of a link."""
    return a_find(url, depth=depth, **fields)


def paths(lease: Lease) -> list[str]:
    """Return the paths of the leased URLs."""
    return [request.url.href.removeprefix("http://") for request in lease.requests]


@pytest.fixture
def levels(tmp_path: Path) -> Life:
    """A run that goes one depth after the other."""
    return Life(tmp_path, FrontierPolicy(by_level=True))


def test_a_depth_is_begun_when_the_one_before_is_finished(levels: Life) -> None:
    """Nothing of depth 1 is handed out while anything of depth 0 is leased, and nothing of depth 2 before depth 1."""
    levels.seeds("http://a/", "http://b/")
    a, b = levels.lease().requests
    levels.finish(a, link("http://a/1"))

    assert paths(levels.lease()) == []
    levels.finish(b, link("http://b/2", 2), link("http://a/0", 0))
    assert paths(levels.lease()) == ["a/0"]


def test_the_seeds_are_read_before_their_links_are_followed(levels: Life) -> None:
    """Depth 0 is not finished while lines of the list are missing."""
    levels.seeds("http://a/", last=False)
    (a,) = levels.lease().requests
    levels.finish(a, link("http://a/1"))

    assert paths(levels.lease()) == []
    assert not levels.lease().is_exhausted
    levels.seeds("http://c/")
    assert paths(levels.lease()) == ["c/"]


def test_a_level_outlives_a_life(levels: Life) -> None:
    """A resumed run goes on with the least depth that is left."""
    levels.seeds("http://a/")
    (a,) = levels.lease().requests
    levels.finish(a, link("http://a/2", 2), link("http://a/1", 1))
    levels.again()

    lease = levels.lease()
    assert paths(lease) == ["a/1"]
    levels.finish(lease.requests[0])
    assert paths(levels.lease()) == ["a/2"]


def test_a_host_that_has_its_pages_is_closed(tmp_path: Path) -> None:
    """Its other URLs stay pending, are not waited for, and another limit opens it again."""
    run = Life(tmp_path, FrontierPolicy(host_pages=2))
    run.seeds(*(f"http://a/{number}" for number in range(5)), "http://b/")

    lease = run.lease()
    assert paths(lease) == ["a/0", "a/1", "b/"]
    for request in lease.requests:
        totals = run.finish(request)

    assert totals.pending == 3
    assert run.lease().is_exhausted
    run.policy = FrontierPolicy(host_pages=3)
    run.again()
    assert paths(run.lease()) == ["a/2"]


def test_a_page_that_was_no_line_makes_room(tmp_path: Path) -> None:
    """A URL that robots.txt refuses is none of the host's pages."""
    run = Life(tmp_path, FrontierPolicy(host_pages=1))
    run.seeds("http://a/0", "http://a/1")
    (first,) = run.lease().requests

    run.finish(first, state=State.SKIPPED)

    assert paths(run.lease()) == ["a/1"]


@pytest.mark.parametrize(
    ("mode", "inside"),
    [
        ("host", ["a.x.com/d/1", "a.x.com/e"]),
        ("domain", ["a.x.com/d/1", "a.x.com/e", "b.x.com/"]),
        ("prefix", ["a.x.com/d/1"]),
        ("all", ["a.x.com/d/1", "a.x.com/e", "b.x.com/", "other.com/"]),
    ],
)
def test_scope_says_where_links_may_lead(tmp_path: Path, mode: str, inside: list[str]) -> None:
    """URLs outside are skipped with that reason; every URL is in the account."""
    run = Life(tmp_path, FrontierPolicy(scope=Scope(mode)))
    run.seeds("http://a.x.com/d/")
    (seed,) = run.lease().requests

    found = ("http://a.x.com/d/1", "http://a.x.com/e", "http://b.x.com/", "http://other.com/")
    totals = run.finish(seed, *map(link, found))

    assert sorted(paths(run.lease())) == sorted(inside)
    assert totals.skipped == ({"out_of_scope": 4 - len(inside)} if len(inside) < 4 else {})


@pytest.mark.parametrize("mode", ["host", "prefix"])
def test_a_late_seed_opens_what_was_left_out(tmp_path: Path, mode: str) -> None:
    """The target of a seed's redirect is a seed: what was found on its host before becomes pending at once."""
    run = Life(tmp_path, FrontierPolicy(scope=Scope(mode)))
    run.seeds("http://a/", "http://old/")
    a, old = run.lease().requests
    run.finish(a, link("http://new/x/1", 3), link("http://new/x/1", 2), link("http://else/"))
    run.again()
    for request in run.lease().requests:
        if request.url == old.url:
            totals = run.finish(request, a_find("http://new/x/", hops=1, seed=True))

    assert sorted(paths(run.lease())) == ["new/x/", "new/x/1"]
    assert totals.skipped == {"out_of_scope": 1}


def test_a_place_may_be_as_long_as_a_url(tmp_path: Path) -> None:
    """Its folder may have thousands of characters, more than an entry of an index holds."""
    run = Life(tmp_path, FrontierPolicy(scope=Scope("prefix")))
    folder = Random(1).randbytes(3000).hex()  # noqa: S311 - of which nothing is compressed
    run.seeds(f"http://a/{folder}/x")
    (seed,) = run.lease().requests

    totals = run.finish(seed, link(f"http://a/{folder}/y"), link("http://a/elsewhere"))

    assert (totals.pending, totals.skipped) == (1, {"out_of_scope": 1})


def test_a_host_may_have_a_name_that_no_server_has(tmp_path: Path) -> None:
    """A page may link to one of thousands of characters, which is longer than an entry of an index."""
    run = Life(tmp_path, FrontierPolicy(scope=Scope("host")))
    run.seeds("http://a/")
    (seed,) = run.lease().requests
    names = [Random(number).randbytes(3000).hex() for number in range(2)]  # noqa: S311 - as above

    totals = run.finish(seed, *(link(f"http://{name}.com/") for name in names for _ in range(2)))

    assert (totals.pending, totals.skipped) == (0, {"out_of_scope": 2})


def test_an_edge_is_kept_once_for_each_pair(tmp_path: Path) -> None:
    """Source and target are known for every pair, also if the target was known before."""
    run = Life(tmp_path, FrontierPolicy(edges=True))
    run.seeds("http://a/", "http://b/")
    a, b = run.lease().requests
    for page in (a, b):
        run.finish(page, link("http://a/x"), link("http://a/"), link("http://a/x", 1, refusal=Reason.NOFOLLOW))

    found = rows(
        run.frontier,
        "SELECT s.url, t.url FROM edge JOIN url AS s ON s.id = source JOIN url AS t ON t.id = target ORDER BY 1, 2",
    )
    assert found == [(f"http://{source}/", f"http://a/{path}") for source in "ab" for path in ("", "x")]


def test_a_trap_closes_its_family_alone(tmp_path: Path) -> None:
    """Session ids of one page are refused from the sixth on, with examples; the list is never refused."""
    run = Life(tmp_path, FrontierPolicy(traps=True))
    run.seeds("http://a/", "http://a/p?PHPSESSID=99aa99aa99aa99aa")
    seed, listed = run.lease().requests
    finds = [link(f"http://a/p?PHPSESSID={number:016x}f00d") for number in range(10)]

    totals = run.finish(seed, *finds, link("http://a/other"))

    assert totals.skipped == {"trap_session_id": 5}
    assert len(run.frontier.reports.examples()["trap_session_id"]) == 3
    run.again()
    run.lease()
    totals = run.finish(listed, *finds, link("http://a/p?PHPSESSID=0000f00d0000f00d"))
    assert totals.skipped == {"trap_session_id": 6}


def test_a_broken_link_is_told_with_every_page_that_leads_to_it(tmp_path: Path) -> None:
    """404s, failures and circles of redirects; redirects on the way stand for the pages that lead to them."""
    run = Life(tmp_path, FrontierPolicy(edges=True))
    run.seeds("http://a/", "http://b/")
    a, b = run.lease().requests
    run.finish(a, link("http://a/404"), link("http://a/r1"), link("http://a/c1"), link("http://a/fine"))
    run.finish(b, link("http://a/404"), link("http://a/r2"))
    ends = {
        "/404": (State.DONE, Reason.HTTP_STATUS, 404, None),
        "/r1": (State.DONE, Reason.REDIRECT, 301, "http://a/r2"),
        "/r2": (State.DONE, Reason.REDIRECT, 301, "http://a/dead"),
        "/dead": (State.FAILED, Reason.CONNECT_REFUSED, None, None),
        "/c1": (State.DONE, Reason.REDIRECT, 302, "http://a/c2"),
        "/c2": (State.DONE, Reason.REDIRECT, 302, "http://a/c1"),
        "/fine": (State.DONE, Reason.OK, 200, None),
    }
    while requests := run.lease().requests:
        for request in requests:
            state, reason, status, target = ends[request.url.target]
            record = replace(unanswered(request, reason, VisitContext(now=NOW), attempts=1), status=status)
            finds = (link(target),) if target else ()
            onto = parse(target) if target else None
            visit = Visit(request=request, state=state, reason=reason, record=record, target=onto, finds=finds)
            run.frontier.commit(Group(visits=tuple(run.frontier.mark_circles((visit,)))))

    assert {
        link.url.removeprefix("http://a"): (link.reason, link.status, link.pages)
        for link in run.frontier.reports.broken()
    } == {
        "/404": ("http_status", 404, ("http://a/", "http://b/")),
        "/dead": ("connect_refused", None, ("http://a/", "http://b/")),
        "/c2": ("redirect_loop", 302, ("http://a/",)),
    }


# --- who is asked again --------------------------------------------------------------------------------------------


class Asker:
    """A stand-in for whoever leases: who gave too little is asked again only when it `gained` something."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.hungry: set[Host] = set()
        self.leased: dict[str, Request] = {}
        self.now = NOW

    def ask(self, new_hosts: int = 10) -> list[str]:
        """Lease two of each host that may have more, and of new ones."""
        shares = dict.fromkeys(sorted(self.hungry), 2)
        lease = self.life.frontier.lease(Wanted(shares=shares, new_hosts=new_hosts, new_share=2), self.now)
        self.hungry = {host for host in shares if self.count(lease, host) == 2} | set(lease.gained)
        self.hungry |= {host for host in lease.hosts if self.count(lease, host) == 2}
        self.leased |= {request.url.href: request for request in lease.requests}
        return paths(lease)

    def commit(self, **group: Any) -> None:
        """Commit a group, and hear who gained something."""
        self.hungry |= self.life.frontier.commit(Group(**group)).gained

    def finish(self, url: str, *finds: Find) -> None:
        """Commit a page that was leased."""
        request = self.leased[url]
        record = unanswered(request, Reason.OK, VisitContext(now=NOW), attempts=1)
        self.commit(visits=(Visit(request=request, state=State.DONE, reason=Reason.OK, record=record, finds=finds),))

    @staticmethod
    def count(lease: Lease, host: Host) -> int:
        """Return the number of leased URLs of this host."""
        return sum(request.url.host_port == host for request in lease.requests)


def asker(folder: Path, policy: FrontierPolicy | None = None, *urls: str, last: bool = True) -> Asker:
    """Somebody who has leased all that there was of these."""
    life = Life(folder, policy or FrontierPolicy())
    life.seeds(*urls, last=last)
    found = Asker(life)
    while found.ask():
        pass
    assert not found.hungry
    return found


def test_a_host_is_asked_again_when_a_page_leads_to_it(tmp_path: Path) -> None:
    """Its own page or another host's; a page that leads nowhere new makes nobody ask."""
    run = asker(tmp_path, None, "http://a/", "http://b/", "http://c/")
    run.finish("http://c/", link("http://b/"))
    assert run.ask() == []

    run.finish("http://a/", link("http://a/1"), link("http://b/1"))

    assert run.ask() == ["a/1", "b/1"]


def test_a_host_is_asked_again_for_what_waited(tmp_path: Path) -> None:
    """A retry that came due, and what was handed back."""
    run = asker(tmp_path, None, "http://a/", "http://b/")
    run.commit(returned=(run.leased["http://a/"],))
    assert run.ask() == ["a/"]

    retry = Retry(request=run.leased["http://b/"], reason=Reason.CONNECTION_LOST, at=NOW, not_before=NOW + 9)
    run.commit(retries=(retry,))
    assert run.ask() == []
    run.now += 9

    assert [*run.ask(), *run.ask()] == ["b/"]


def test_all_are_asked_again_when_the_list_is_read(tmp_path: Path) -> None:
    """URLs that links found until then are leased only now."""
    run = asker(tmp_path, None, "http://a/", last=False)
    run.finish("http://a/", link("http://a/1"))
    assert run.ask() == []

    run.commit(seeds=(batch_of(first=run.life.line + 1),))

    assert [*run.ask(), *run.ask()] == ["a/1"]


def test_all_are_asked_again_at_the_next_depth(tmp_path: Path) -> None:
    """A host that had nothing of this depth may have something of the next; a nearer way counts as well."""
    run = asker(tmp_path, FrontierPolicy(by_level=True), "http://a/", "http://b/")
    run.finish("http://a/", link("http://a/1"))
    assert run.ask() == []
    run.finish("http://b/", link("http://a/2"))

    assert sorted([*run.ask(), *run.ask()]) == ["a/1", "a/2"]


def test_a_host_is_asked_again_when_its_pages_leave_room(tmp_path: Path) -> None:
    """Of a host's two pages one was no line after all."""
    run = asker(tmp_path, FrontierPolicy(host_pages=2), "http://a/1", "http://a/2", "http://a/3")
    assert sorted(run.leased) == ["http://a/1", "http://a/2"]

    request = run.leased["http://a/1"]
    run.commit(visits=(Visit(request=request, state=State.SKIPPED, reason=Reason.ROBOTS_DENIED, record=None),))

    assert run.ask() == ["a/3"]


def test_what_was_asked_in_vain_is_leased_after_all_else_of_its_host(tmp_path: Path) -> None:
    """A URL that was asked for in vain comes last, with any number and at any depth."""
    run = asker(tmp_path, None, "http://a/")
    retry = Retry(
        request=replace(run.leased["http://a/"], attempts=1), reason=Reason.CONNECTION_LOST, at=NOW, not_before=NOW
    )
    run.commit(retries=(retry,), finds=(link("http://a/2", 2), link("http://a/1")))

    wanted = Wanted(shares={parse("http://a/").host_port: 3}, new_hosts=0, new_share=0)
    assert paths(run.life.frontier.lease(wanted, NOW)) == ["a/1", "a/2", "a/"]
