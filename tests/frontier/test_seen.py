"""frontier.seen: links that lead to committed rows are settled by one look-up, within a bounded memory."""

import pytest

from crawler.core.discovery import Way
from crawler.core.finds import Run
from crawler.core.merging import UrlRow
from crawler.core.reasons import Reason
from crawler.frontier import seen
from crawler.frontier.seen import SeenCache
from support.ways import a_find

LINKED = UrlRow(Way(depth=2), None, 0, None)
HREFS = [f"http://h/{number}" for number in range(9)]


def a_run(*hrefs: str, depth: int = 2) -> Run:
    """Links side by side on a page."""
    first, *others = hrefs
    return Run(a_find(first, depth=depth), tuple(others))


def unsettled(cache: SeenCache, run: Run, refusal: Reason | None = None) -> list[str]:
    """The links of a run that the cache does not settle."""
    return [*cache.unsettled(run, refusal, run.hrefs)]


def test_a_row_settles_the_links_that_bring_nothing_new() -> None:
    """A final row settles all; a pending one those that are no better; an unknown URL is looked up."""
    cache = SeenCache(follows=True, ids=False)
    cache.keep([(1, HREFS[1], LINKED), (2, HREFS[2], None)])

    assert unsettled(cache, a_run(*HREFS[1:4])) == [HREFS[3]]
    assert unsettled(cache, a_run(*HREFS[1:4], depth=1)) == [HREFS[1], HREFS[3]]
    assert unsettled(cache, a_run(*HREFS[1:4], depth=1), Reason.NOFOLLOW) == [HREFS[3]]


def test_rows_that_are_asked_for_outlive_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two halves of four rows: what the older half has is kept on if a link asks for it, with its id."""
    monkeypatch.setattr(seen, "_REMEMBERED", 4)
    cache = SeenCache(follows=True, ids=True)
    for number in range(5):
        cache.keep([(number, HREFS[number], LINKED)])

    assert unsettled(cache, a_run(HREFS[0])) == []
    for number in range(5, 8):
        cache.keep([(number, HREFS[number], LINKED)])

    assert unsettled(cache, a_run(*HREFS[:5])) == HREFS[1:4]
    assert list(cache.ids([HREFS[0], HREFS[4]])) == [0, 4]
    assert list(cache.ids([HREFS[7]])) == [7]


def test_long_urls_fill_it_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is bounded in characters, too."""
    monkeypatch.setattr(seen, "_CHARACTERS", 25)
    cache = SeenCache(follows=True, ids=False)
    for number in range(9):
        cache.keep([(number, HREFS[number], LINKED)])

    assert len(unsettled(cache, a_run(*HREFS))) > 0


def test_a_run_that_follows_no_links_remembers_nothing() -> None:
    """There, no find would be settled."""
    cache = SeenCache(follows=False, ids=False)
    cache.keep([(1, HREFS[1], None)])

    assert unsettled(cache, a_run(HREFS[1])) == [HREFS[1]]


def test_a_cache_tells_what_it_does_not_hold() -> None:
    """Both halves count."""
    cache = SeenCache(follows=True, ids=False)
    cache.keep([(1, HREFS[1], LINKED)])

    assert list(cache.missing(HREFS[:3])) == [HREFS[0], HREFS[2]]
