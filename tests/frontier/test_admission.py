"""frontier.admission: how finds become rows, and that the order in which pages are answered makes no difference."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.core import merging
from crawler.core.config import ScopeConfig
from crawler.core.discovery import Way
from crawler.core.finds import Find, Guess
from crawler.core.leases_and_commits import BrokenLink, Group, Wanted
from crawler.core.merging import hop
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, unanswered
from crawler.core.scope import LinkJudge, Scope
from crawler.core.urls import Host, parse
from crawler.core.visits import State, Visit
from crawler.engine.outcomes import http_instead
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.seen import SeenCache
from support.frontiers import batch_of
from support.stores import audit_of, connection, frontier_in, only_sqlite, rows
from support.ways import a_find, packed

NOW = 1_700_000_000.0
pytestmark = pytest.mark.usefixtures("each_store")


class Life:
    """A frontier, and whoever works with it."""

    def __init__(self, folder: Path, policy: FrontierPolicy) -> None:
        self._line = 0
        self._open: tuple[Host, ...] = ()
        board = MappedBoard(folder / "frontier.board", 1000)
        self.frontier = frontier_in(folder, board, policy)
        self.frontier.open(NOW)

    def read(self, *urls: str, last: bool = True, guess: Guess = Guess.WRITTEN) -> None:
        """Commit some lines of the list; guesses are without their scheme."""
        front = "https://" if guess else ""
        batch = batch_of(*(front + url for url in urls), first=self._line + 1, last=last, guess=guess)
        self._line = batch.line
        self.frontier.commit(Group(seeds=(batch,)))

    def lease(self) -> dict[str, Request]:
        """Everything that may be asked for now, by URL."""
        wanted = Wanted(gone=self._open, new_hosts=1000, new_share=1000)
        requests = self.frontier.lease(wanted, NOW).requests
        self._open = tuple({request.url.host_port for request in requests})
        return {request.url.href: request for request in requests}

    def finish(self, request: Request, *finds: Find) -> None:
        """Commit a page; what it finds by a hop is where it redirects."""
        target = next((find.url for find in finds if find.way.chain), None)
        reason = Reason.REDIRECT if target else Reason.OK
        record = unanswered(request, reason, VisitContext(now=NOW), attempts=1)
        visit = Visit(
            request=request, state=State.DONE, reason=reason, record=record, finds=packed(finds), target=target
        )
        self.frontier.commit(Group(visits=(visit,)))

    def give_back(self, *requests: Request) -> None:
        """Hand leases back."""
        self.frontier.commit(Group(returned=requests))

    def rows(self) -> dict[str, str]:
        """Return the fate of each URL: its reason for being skipped, or its state."""
        found = rows(self.frontier, "SELECT url, state, reason FROM url")
        return {url: reason if state == State.SKIPPED else State(state).name for url, state, reason in found}

    def problems(self) -> list[str]:
        """Return the faults that an audit finds."""
        found = list(audit_of(self.frontier).problems())
        self.frontier.close()
        return found


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[FrontierPolicy], Life]]:
    """Begin a run under this policy; in the end all of it adds up."""
    lives: list[Life] = []

    def begin(policy: FrontierPolicy) -> Life:
        lives.append(Life(tmp_path, policy))
        return lives[-1]

    yield begin
    assert [problem for life in lives for problem in life.problems()] == []


def link(url: str, depth: int = 1, refusal: Reason | None = None) -> Find:
    """A find of a link."""
    return a_find(url, depth=depth, refusal=refusal)


def onward(request: Request, target: str) -> Find:
    """The find of a redirect."""
    return hop(request.url, request.way, parse(target))


HOST = FrontierPolicy(follows=True, scope=Scope("host"), traps=True)
A, B = "http://a/", "http://b/"


# Guesses


def guessed(life: Life, *urls: str) -> dict[str, Request]:
    """Lines without a scheme, read and leased."""
    life.read(*(url.removeprefix("https://") for url in urls), guess=Guess.GUESSED)
    return life.lease()


def silence(life: Life, request: Request) -> None:
    """Commit that no server answered over https."""
    life.frontier.commit(Group(visits=(http_instead(request, Reason.CONNECT_REFUSED),)))


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_link_with_its_scheme_has_a_guess_tried_whenever_it_comes(
    begin: Callable[[FrontierPolicy], Life], when: str
) -> None:
    """Before its turn, during it and after: the URL is fetched like any other in the end."""
    life = begin(HOST)
    life.read(A, last=False)
    page = life.lease()[A]
    life.read("b/", guess=Guess.GUESSED)
    if when == "before":
        life.finish(page, link("https://b/"))
    request = life.lease()["https://b/"]
    if when == "during":
        life.finish(page, link("https://b/"))

    if when == "before":
        assert request.guess == Guess.BOTH
        return
    silence(life, request)
    if when == "after":
        assert life.rows()["https://b/"] == Reason.HTTP_INSTEAD
        life.finish(page, link("https://b/"))

    leased = life.lease()
    assert leased["https://b/"].guess == Guess.BOTH
    assert leased["http://b/"].way.seed


def test_a_link_that_may_not_be_followed_leaves_a_guess_alone(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A refused link gives no reason to ask again."""
    life = begin(HOST)
    leased = guessed(life, "https://b/")
    silence(life, leased["https://b/"])
    page = life.lease()["http://b/"]

    life.finish(page, link("https://b/", refusal=Reason.NOFOLLOW), link("https://b/", refusal=Reason.DEPTH_LIMIT))

    assert life.rows() == {"https://b/": Reason.HTTP_INSTEAD, "http://b/": "DONE"}


# One fault each


def test_a_link_that_was_first_seen_as_nofollow_is_counted_by_the_traps(
    begin: Callable[[FrontierPolicy], Life],
) -> None:
    """A URL that comes in after all comes in through the same door: the family of a session id ends at five."""
    life = begin(HOST)
    life.read(A)
    page = life.lease()[A]
    pages = [f"{A}page?PHPSESSID={n:032x}" for n in range(9)]

    life.finish(page, *(link(url, refusal=Reason.NOFOLLOW) for url in pages), *map(link, pages))

    assert list(life.rows().values()).count("PENDING") == 5
    assert list(life.rows().values()).count(Reason.TRAP_SESSION_ID) == 4
    assert life.frontier._decisions.tally.totals().skipped == {Reason.TRAP_SESSION_ID: 4}


TALKS = [f"{A}talk?sid={number:08x}-a1b2-4c3d-8e4f-{number:012x}" for number in range(12)]


def test_ids_that_stand_side_by_side_are_pages(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A session differs from answer to answer, so several ids in one document tell pages apart: twelve are twelve."""
    life = begin(HOST)
    life.read(A)

    life.finish(life.lease()[A], *map(link, TALKS))

    assert [life.rows()[url] for url in TALKS] == ["PENDING"] * 12


def test_a_document_shows_nothing_of_other_finds(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A URL that no document links to is taken for no session's, whatever the last document showed."""
    life = begin(HOST)
    life.read(A)
    life.finish(life.lease()[A], link(TALKS[0]), link(TALKS[0].replace("talk", "about")))

    life.frontier.commit(Group(finds=tuple(map(link, TALKS[1:]))))

    assert [life.rows()[url] for url in TALKS] == ["PENDING"] * 12


def test_an_id_in_each_document_is_a_session(begin: Callable[[FrontierPolicy], Life]) -> None:
    """Of a page that has another id in every answer, five are asked for over all lives of the run."""
    life = begin(HOST)
    pages = [f"{A}{number}" for number in range(len(TALKS))]
    life.read(*pages)
    leased = life.lease()

    for page, talk in zip(pages, TALKS, strict=True):
        life.finish(leased[page], link(talk), link(talk.replace("talk", "about")))

    assert [life.rows()[url] for url in TALKS] == ["PENDING"] * 5 + [Reason.TRAP_SESSION_ID] * 7


def test_an_id_on_one_link_of_each_document_is_a_page(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A speaker's page links to one talk: twelve speakers have twelve."""
    life = begin(HOST)
    pages = [f"{A}{number}" for number in range(len(TALKS))]
    life.read(*pages)
    leased = life.lease()

    for page, talk in zip(pages, TALKS, strict=True):
        life.finish(leased[page], link(talk))

    assert [life.rows()[url] for url in TALKS] == ["PENDING"] * 12


def test_a_later_document_lets_in_what_was_taken_for_a_session(begin: Callable[[FrontierPolicy], Life]) -> None:
    """URLs that one document shows to be pages are pages, in any order of the documents."""
    life = begin(HOST)
    pages = [f"{A}{number}" for number in range(len(TALKS))]
    life.read(*pages, f"{A}index")
    leased = life.lease()
    for page, talk in zip(pages, TALKS, strict=True):
        life.finish(leased[page], link(talk), link(talk.replace("talk", "about")))

    life.finish(leased[f"{A}index"], *map(link, TALKS[:11]))

    assert [life.rows()[url] for url in TALKS] == ["PENDING"] * 11 + [Reason.TRAP_SESSION_ID]
    assert life.frontier._decisions.tally.totals().skipped == {Reason.TRAP_SESSION_ID: 8}


@pytest.mark.parametrize("kind", [Reason.NOFOLLOW, Reason.DEPTH_LIMIT, Reason.HOP_LIMIT])
@pytest.mark.parametrize("together", [True, False])
def test_a_followed_link_waits_for_its_place(
    begin: Callable[[FrontierPolicy], Life], kind: Reason, together: bool
) -> None:
    """A URL that one link may not have and another may, is fetched when its host comes into scope late."""
    life = begin(HOST)
    life.read(A, f"{A}2", f"{A}slow")
    leased = life.lease()
    first = (link(f"{B}x", refusal=kind), link(f"{B}x", 2)) if together else (link(f"{B}x", refusal=kind),)
    life.finish(leased[A], *first)
    life.finish(leased[f"{A}2"], link(f"{B}x", 2))

    life.finish(leased[f"{A}slow"], onward(leased[f"{A}slow"], f"{B}start"))

    assert life.rows()[f"{B}x"] == "PENDING"
    assert life.lease()[f"{B}x"].way.depth == 2
    assert life.frontier._decisions.tally.totals().skipped == {}


def test_a_page_that_opens_a_place_has_the_links_behind_that_in_scope(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A seed's refresh leads to another host: links before it wait, those after it are in scope at once."""
    life = begin(HOST)
    life.read(A)
    page = life.lease()[A]

    life.finish(page, link(f"{B}before"), onward(page, f"{B}start"), link(f"{B}after"))

    assert life.rows() == {A: "DONE", f"{B}before": "PENDING", f"{B}start": "PENDING", f"{B}after": "PENDING"}
    assert life.frontier._decisions.tally.totals().skipped == {}


def test_each_link_of_a_page_lies_in_a_folder_of_its_own(begin: Callable[[FrontierPolicy], Life]) -> None:
    """Under `prefix` links side by side may be in scope and out of it; a query is no folder; a late seed opens one."""
    life = begin(FrontierPolicy(follows=True, scope=Scope("prefix")))
    life.read(f"{A}d/", f"{A}d/2", last=False)
    leased = life.lease()
    urls = [f"{A}d/1", f"{A}e/1", f"{A}d/f/1", f"{A}?x=/d/1", f"{A}e/2", f"{A}d/3?y=/e/"]
    life.finish(leased[f"{A}d/"], *map(link, urls))
    life.finish(leased[f"{A}d/2"], *map(link, urls))
    out = {url for url, fate in life.rows().items() if fate == Reason.OUT_OF_SCOPE}

    life.read(f"{A}e/")
    life.finish(life.lease()[f"{A}e/"], link(f"{A}e/4"))

    assert out == {f"{A}e/1", f"{A}?x=/d/1", f"{A}e/2"}
    assert {url for url, fate in life.rows().items() if fate == Reason.OUT_OF_SCOPE} == {f"{A}?x=/d/1"}


def test_links_that_bring_nothing_new_are_not_looked_up(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A page of known links costs no more statements than one without links."""
    only_sqlite("its statements are traced")
    life = begin(replace(HOST, edges=True))
    life.read(A, f"{A}2", f"{A}3")
    leased = life.lease()
    urls = [A, f"{A}2", *(f"{A}x{number}" for number in range(50)), f"{B}out", f"{B}nofollow"]
    links = [link(url, refusal=Reason.NOFOLLOW if "nofollow" in url else None) for url in urls]
    life.finish(leased[A], *links)
    statements: list[str] = []
    connection(life.frontier).set_trace_callback(statements.append)
    life.finish(leased[f"{A}2"], *links)
    connection(life.frontier).set_trace_callback(None)

    assert [text for text in statements if text.startswith(("WITH", "SELECT id", "SELECT url"))] == []
    assert sum(text.startswith("INSERT INTO edge") for text in statements) == len(urls)


def test_a_redirect_that_the_list_names_late_leads_to_a_seed(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A URL that a link found first and the list names later widens the scope as if the list had come first."""
    life = begin(HOST)
    life.read(A)
    life.finish(life.lease()[A], link(f"{A}r"), link(f"{B}more", 2))
    redirect = life.lease()[f"{A}r"]
    life.finish(redirect, onward(redirect, f"{B}t"))
    assert life.rows()[f"{B}t"] == Reason.OUT_OF_SCOPE

    life.read(f"{A}r")

    assert life.rows()[f"{B}t"] == life.rows()[f"{B}more"] == "PENDING"
    assert life.lease()[f"{B}t"].way.seed


def test_a_way_that_is_found_during_a_redirects_turn_counts(begin: Callable[[FrontierPolicy], Life]) -> None:
    """The request was sent out after ten hops; a link to it is committed before its answer, which thus leads on."""
    life = begin(HOST)
    life.read(A, f"{A}p")
    leased = life.lease()
    life.finish(leased[A], a_find(f"{A}r", seed=True, hops=10, chain=10))
    redirect = life.lease()[f"{A}r"]
    life.finish(leased[f"{A}p"], link(f"{A}r"))

    life.finish(redirect, onward(redirect, f"{A}c"))

    assert life.rows()[f"{A}c"] == "PENDING"
    assert not life.lease()[f"{A}c"].way.seed


def test_a_better_way_is_passed_on_along_a_long_chain(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A thousand redirects that had their turn pass on that their first one is near: each ten hops are a step."""
    life = begin(HOST)
    life.read(A, f"{A}near")
    chain = [f"{A}{n}" for n in range(1000)]
    leased = life.lease()
    life.finish(leased[A], *(link(url, 900) for url in chain))
    leased.update(life.lease())
    for source, target in pairwise(chain):
        life.finish(leased[source], onward(leased[source], target))

    life.finish(leased[f"{A}near"], link(chain[0]))

    depths = rows(life.frontier, "SELECT depth FROM url WHERE depth > 0 ORDER BY id")
    assert [depth for (depth,) in depths] == [1 + n // 11 for n in range(1000)]


@pytest.mark.parametrize("to", ["end", "r1", "r2", "r3"])
def test_a_way_found_during_a_turn_is_passed_on_along_a_chain(begin: Callable[[FrontierPolicy], Life], to: str) -> None:
    """It arrives at the end of three redirects in one commit, and goes round no loop of them twice."""
    life = begin(HOST)
    life.read(A, f"{A}near")
    chain = [f"{A}{name}" for name in ("r1", "r2", "r3", to)]
    leased = life.lease()
    life.finish(leased[A], *(link(url, 9) for url in chain))
    leased.update(life.lease())
    for source, target in list(pairwise(chain))[1:]:
        life.finish(leased[source], onward(leased[source], target))
    life.finish(leased[f"{A}near"], link(chain[0]))

    life.finish(leased[chain[0]], onward(leased[chain[0]], chain[1]))

    ways = rows(life.frontier, "SELECT depth, hops FROM url WHERE depth > 0 ORDER BY id")
    assert ways == [(1, hops) for hops in range(len(set(chain)))]


@pytest.mark.parametrize("refresh_first", [True, False])
@pytest.mark.parametrize("way", [["r1", "r2", "r3"], ["r1"], []])
def test_a_page_that_links_to_a_better_way_to_itself_leads_on(
    begin: Callable[[FrontierPolicy], Life], way: list[str], refresh_first: bool
) -> None:
    """A page after ten hops refreshes, and its link starts anew: to redirects that lead back to it, or to itself."""
    life = begin(HOST)
    life.read(A)
    back = [f"{A}{name}" for name in (*way, "page")]
    life.finish(life.lease()[A], *(a_find(url, seed=True, hops=10, chain=10) for url in back))
    leased = life.lease()
    for source, target in pairwise(back):
        life.finish(leased[source], onward(leased[source], target))
    page = leased[back[-1]]
    finds = [onward(page, f"{A}end"), link(back[0])]

    life.finish(page, *(finds if refresh_first else reversed(finds)))

    assert life.rows()[f"{A}end"] == "PENDING"
    assert life.lease()[f"{A}end"].way.chain == len(back)


@pytest.mark.parametrize("in_time", [True, False])
def test_a_redirect_that_turns_out_to_be_a_sitemaps_leads_to_a_sitemap(
    begin: Callable[[FrontierPolicy], Life], in_time: bool
) -> None:
    """The robots.txt that lists it may be read before its answer or after."""
    life = begin(HOST)
    life.read(A)
    life.finish(life.lease()[A], link(f"{A}r"))
    redirect = life.lease()[f"{A}r"]
    turns: list[Callable[[], object]] = [
        lambda: life.frontier.commit(Group(finds=(a_find(redirect.url, depth=1, sitemap=True),))),
        lambda: life.finish(redirect, onward(redirect, f"{B}sitemap")),
    ]

    for turn in turns if in_time else reversed(turns):
        turn()

    assert life.lease()[f"{B}sitemap"].way.sitemap


def test_what_a_redirect_leads_to_is_judged_again(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A target that was too deep, and is not any more, may be refused for what nobody asked as long as it was."""
    life = begin(replace(HOST, judge=LinkJudge(ScopeConfig(max_depth=1, exclude=("secret",)))))
    life.read(A, f"{A}2")
    leased = life.lease()
    life.finish(leased[A], a_find(f"{A}r", depth=1, hops=10))
    redirect = life.lease()[f"{A}r"]
    life.finish(redirect, replace(onward(redirect, f"{A}secret"), refusal=Reason.DEPTH_LIMIT))

    life.finish(leased[f"{A}2"], link(f"{A}r"))

    assert life.rows()[f"{A}secret"] == Reason.EXCLUDED


def test_what_links_found_waits_until_the_list_is_read(begin: Callable[[FrontierPolicy], Life]) -> None:
    """The list may name it, too; and the list itself is fetched while it is read."""
    life = begin(HOST)
    life.read(A, last=False)
    life.finish(life.lease()[A], link(f"{A}x"), link(f"{A}y"))
    assert life.lease() == {}

    life.read(f"{A}z", f"{A}x", last=False)
    listed = life.lease()
    assert {url: request.way.depth for url, request in listed.items()} == {f"{A}z": 0, f"{A}x": 0}
    life.read()

    assert list(life.lease()) == [f"{A}y"]


def test_hosts_whose_turn_is_later_keep_no_place_from_others(begin: Callable[[FrontierPolicy], Life]) -> None:
    """Hosts with something to give now are opened, though many others wait for a deeper level."""
    life = begin(replace(HOST, scope=Scope("all"), by_level=True))
    life.read(A, f"{A}2")
    leased = life.lease()
    life.finish(leased[A], *(link(f"http://h{n}/") for n in range(1200)))

    life.finish(leased[f"{A}2"], onward(leased[f"{A}2"], B))

    assert list(life.lease()) == [B]


def test_where_too_many_redirects_lead_is_a_broken_link(begin: Callable[[FrontierPolicy], Life]) -> None:
    """It is told with the page that leads into the redirects."""
    life = begin(replace(HOST, edges=True))
    life.read(A)
    life.finish(life.lease()[A], link(f"{A}r"))
    redirect = life.lease()[f"{A}r"]

    life.finish(redirect, onward(replace(redirect, way=Way(chain=10)), f"{A}end"))

    assert list(life.frontier.reports.broken()) == [
        BrokenLink(url=f"{A}end", status=None, reason=Reason.HOP_LIMIT, pages=(A,))
    ]


def test_examples_are_what_is_skipped_now(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A URL that was out of scope first and let in later is no example; the first ones by discovery are."""
    life = begin(HOST)
    life.read(A, f"{A}slow")
    leased = life.lease()
    life.finish(leased[A], *(link(f"{host}{n}") for host in (B, "http://c/") for n in range(5)))
    assert life.frontier.reports.examples() == {Reason.OUT_OF_SCOPE: (f"{B}0", f"{B}1", f"{B}2")}

    life.finish(leased[f"{A}slow"], onward(leased[f"{A}slow"], f"{B}start"))

    assert life.frontier.reports.examples() == {Reason.OUT_OF_SCOPE: ("http://c/0", "http://c/1", "http://c/2")}


def test_a_later_find_tells_what_a_sitemap_says(begin: Callable[[FrontierPolicy], Life]) -> None:
    """Any find may tell that a URL is a sitemap, and when it was changed."""
    life = begin(HOST)
    life.read(A, f"{A}2", f"{A}3")
    leased = life.lease()
    life.finish(leased[A], link(f"{A}x"))
    life.finish(leased[f"{A}2"], a_find(f"{A}x", depth=1, sitemap=True, lastmod="2024-05-01"))

    life.finish(leased[f"{A}3"], link(f"{A}x"))

    request = life.lease()[f"{A}x"]
    assert (request.way.sitemap, request.way.lastmod) == (True, "2024-05-01")


def test_the_referrer_is_where_the_best_way_comes_from(begin: Callable[[FrontierPolicy], Life]) -> None:
    """Depth and referrer tell of the same way."""
    life = begin(HOST)
    life.read(A, f"{A}2")
    leased = life.lease()
    life.finish(leased[A], link(f"{A}x", 5))

    life.finish(leased[f"{A}2"], link(f"{A}x", 1))

    request = life.lease()[f"{A}x"]
    assert (request.way.depth, request.referrer) == (1, f"{A}2")


def test_nothing_is_its_own_referrer(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A sitemap that lists itself among its pages is nearer than its index made it, and still found on the index."""
    life = begin(HOST)
    life.read(A)
    life.finish(life.lease()[A], a_find(f"{A}sitemap", hops=1, sitemap=True))
    sitemap = life.lease()[f"{A}sitemap"]

    life.finish(sitemap, Find(url=sitemap.url))

    own = rows(life.frontier, "SELECT url FROM url WHERE referrer = id")
    assert own == []


# Any order of all that


URLS = [f"http://{host}/{n}" for host in "ab" for n in range(5)]


@dataclass(frozen=True)
class Page:
    """The answer of a page: its redirect, or its links."""

    to: str | None
    links: tuple[str, ...]
    nofollow: tuple[str, ...]


SOME = st.lists(st.sampled_from(URLS), max_size=2).map(tuple)
SITES = st.fixed_dictionaries(
    {url: st.builds(Page, st.one_of(st.none(), st.sampled_from(URLS)), SOME, SOME) for url in URLS}
)


def crawled(site: dict[str, Page], seeds: list[str], max_depth: int | None, random: Random) -> dict[str, str]:
    """Return the fate of each URL when pages are answered in a random order."""
    folder = Path(tempfile.mkdtemp())
    judge = LinkJudge(ScopeConfig(max_depth=max_depth, exclude=("/4",)))
    policy = FrontierPolicy(follows=True, scope=Scope("host"), judge=judge, by_level=max_depth is not None)
    life = Life(folder, policy)
    leased: dict[str, Request] = {}
    lines: list[str] | None = seeds.copy()
    try:
        while True:
            leased.update(life.lease())
            if lines is not None and (not leased or random.random() < 0.3):
                life.read(*lines[:1], last=not lines)
                lines = lines[1:] if lines else None
            elif leased:
                request = leased.pop(random.choice(sorted(leased)))
                life.finish(request, *answer(site[request.url.href], request, judge))
            else:
                return life.rows()
    finally:
        assert life.problems() == []
        shutil.rmtree(folder)


def answer(page: Page, request: Request, judge: LinkJudge) -> list[Find]:
    """The finds of a page, judged as those who read pages do."""
    finds = [link(url, request.way.depth + 1) for url in page.links]
    if page.to and page.to != request.url.href:
        finds.append(onward(request, page.to))
    judged = [
        find if find.way.seed else replace(find, refusal=judge.refusal(find.url, find.way.depth) or find.refusal)
        for find in finds
    ]
    return [*(link(url, request.way.depth + 1, refusal=Reason.NOFOLLOW) for url in page.nofollow), *judged]


@pytest.mark.parametrize("max_depth", [None, 0, 1, 2])
@given(
    site=SITES,
    seeds=st.lists(st.sampled_from(URLS), min_size=1, max_size=3, unique=True),
    randoms=st.tuples(*[st.randoms(use_true_random=False)] * 2),
)
@settings(max_examples=60, deadline=None)
def test_the_order_of_answers_makes_no_difference(
    site: dict[str, Page], seeds: list[str], max_depth: int | None, randoms: tuple[Random, Random]
) -> None:
    """Quick or slow, every URL ends in the same state, with the same reason if it is skipped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "MOST_HOPS", 2)  # so that few pages make a chain that is too long

        one, other = (crawled(site, seeds, max_depth, random) for random in randoms)

    assert one == other


def test_the_index_of_keys_settles_links_that_are_not_remembered(begin: Callable[[FrontierPolicy], Life]) -> None:
    """A link to a known URL costs no read of its row; one that is better does, and makes it better."""
    only_sqlite("its statements are traced")
    life = begin(FrontierPolicy(follows=True, edges=True))
    life.read("http://h/")
    life.finish(life.lease()["http://h/"], link("http://h/1", 3), link("http://h/2", 3), link("http://h/3", 3))
    requests = life.lease()
    life.give_back(requests["http://h/3"])
    statements: list[str] = []
    connection(life.frontier).set_trace_callback(statements.append)

    life.frontier._decisions.admission._seen = SeenCache(follows=True, ids=True)
    life.finish(requests["http://h/1"], link("http://h/1", 3), link("http://h/3", 4), link("http://h/", 1))
    reads = [statement for statement in statements if "url.leads_to" in statement]
    life.frontier._decisions.admission._seen = SeenCache(follows=True, ids=True)
    life.finish(requests["http://h/2"], link("http://h/3", 1), link("http://h/4", 1))

    assert reads == []
    assert rows(life.frontier, "SELECT count(*) FROM edge") == [(3 + 3 + 2,)]
    assert {url: request.way.depth for url, request in life.lease().items()} == {"http://h/3": 1, "http://h/4": 1}
