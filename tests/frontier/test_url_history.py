"""frontier.history: what is stored about one URL; what a user makes of it is in journeys/test_why.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.core.finds import Find
from crawler.core.frontier_reports import Leader
from crawler.core.leases_and_commits import Group, SeedBatch
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.scope import Scope
from crawler.core.urls import parse
from crawler.core.visits import State, Visit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.frontier.url_history import FrontierHistory
from support.frontiers import batch_of
from support.ways import a_find

NOW = 1_700_000_000.0
POLICY = FrontierPolicy(scope=Scope("prefix"), traps=True)


@pytest.fixture
def frontier(tmp_path: Path) -> Iterator[SqliteFrontier]:
    """Two seeds, one below the other; a page that the first links to, and its sitemap with a page of its own."""
    found = SqliteFrontier(tmp_path / "f.sqlite", MappedBoard(tmp_path / "board", 8), create=True, policy=POLICY)
    found.open(NOW)
    found.commit(Group(seeds=(batch_of("http://h/", "http://h/docs/", last=False, named=True),)))
    sitemap = a_find("http://h/sitemap.xml", sitemap=True)
    finish(found, "http://h/", sitemap, a_find("http://h/docs/a", depth=1))
    finish(found, "http://h/sitemap.xml", a_find("http://h/listed", depth=1))
    yield found
    found.close()


def finish(frontier: SqliteFrontier, url: str, *finds: Find) -> None:
    """This URL was fetched, and led to these."""
    (number,) = frontier._db.execute("SELECT id FROM url WHERE url = ?", (url,)).fetchone()
    request = Request(url=parse(url), id=number)
    frontier.commit(Group(visits=(Visit(request=request, state=State.DONE, reason=Reason.OK, finds=finds),)))


def history(frontier: SqliteFrontier, policy: FrontierPolicy = POLICY) -> FrontierHistory:
    """Return the history to ask."""
    return FrontierHistory(frontier._tables, frontier._decisions.keys, policy, "crawler", 2026)


def test_the_narrowest_place_is_told(frontier: SqliteFrontier) -> None:
    """A page below both seeds' folders lies in the nearer one; all that were brought in are told, too."""
    scope = history(frontier).of(parse("http://h/docs/a")).scope

    assert scope.place == "h/docs/"
    assert (scope.places, scope.all_places, scope.named) == (("h/", "h/docs/"), 2, ("h:80",))


def test_a_page_of_a_sitemap_knows_it(frontier: SqliteFrontier) -> None:
    """It was not linked to, it was listed."""
    assert history(frontier).of(parse("http://h/listed")).leader == Leader(
        url="http://h/sitemap.xml", redirects=False, sitemap=True
    )


def test_a_list_that_is_not_read_to_its_end_is_told(frontier: SqliteFrontier) -> None:
    """A URL that was never seen may still be in it."""
    assert not history(frontier).of(parse("http://h/never")).is_list_read

    frontier.commit(Group(seeds=(SeedBatch(cursor=9, line=2, last=True),)))

    assert history(frontier).of(parse("http://h/never")).is_list_read


def test_to_ask_about_a_family_counts_nothing(frontier: SqliteFrontier) -> None:
    """The families stay as large as before, for any number of questions."""
    asked = history(frontier)

    sizes = {asked.of(parse("http://h/never?sid=0123456789abcdef")).scope.families[0][1] for _ in range(9)}

    assert sizes == {3}


def test_without_traps_there_are_no_families(frontier: SqliteFrontier) -> None:
    """No families are told if traps are off."""
    assert history(frontier, FrontierPolicy()).of(parse("http://h/")).scope.families == ()
