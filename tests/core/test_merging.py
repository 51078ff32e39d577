"""core.merging: what a URL's row is after all of its finds, and where a redirect leads."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.discovery import START, Way
from crawler.core.finds import Find, Guess
from crawler.core.merging import MOST_HOPS, UrlRow, first, hop, merged
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from support.ways import a_find

URL = parse("http://h/x")
WAYS = st.fixed_dictionaries(
    {
        "seed": st.booleans(),
        "depth": st.integers(0, 2),
        "hops": st.integers(0, 3),
        "chain": st.integers(0, 3),
        "foreign": st.booleans(),
    }
)
TOLD = st.fixed_dictionaries(
    {"lastmod": st.sampled_from([None, "2024", "2025-01-01"]), "line": st.sampled_from([None, 3, 7])}
)
REFUSALS = st.sampled_from([None, Reason.OUT_OF_SCOPE, Reason.DEPTH_LIMIT, Reason.HOP_LIMIT, Reason.NOFOLLOW])


def found(way: dict[str, Any], told: dict[str, Any], refusal: Reason | None, guess: Guess) -> Find:
    """A find of the URL; what is a seed is refused for nothing, and seeds alone are guessed."""
    is_seed = bool(way["seed"])
    return a_find(URL, **way, **told, refusal=None if is_seed else refusal, guess=guess if is_seed else Guess.WRITTEN)


GUESSES = st.sampled_from([Guess.WRITTEN, Guess.GUESSED])
FINDS = st.lists(st.builds(found, WAYS, TOLD, REFUSALS, GUESSES), min_size=1, max_size=4)


def row_of(*finds: Find) -> UrlRow:
    """The row after these finds, in this order."""
    row = first(finds[0], finds[0].refusal)
    for find in finds[1:]:
        row = merged(row, find, find.refusal) or row
    return row


@given(finds=FINDS)
def test_the_order_of_finds_makes_no_difference(finds: list[Find]) -> None:
    """Finds in any order leave the same row in the end."""
    rows = {row_of(*order) for order in permutations(finds)}

    assert len(rows) == 1


@given(finds=FINDS)
def test_a_row_is_never_better_than_every_way_to_it(finds: list[Find]) -> None:
    """Seed, depth, hops and foreign are those of one find that the row allows; so nothing is made up of several."""
    row = row_of(*finds)

    assert (row.way.seed, row.way.depth, row.way.hops, row.way.foreign, row.refusal) in {
        (find.way.seed, find.way.depth, find.way.hops, find.way.foreign, find.refusal) for find in finds
    }


@given(finds=FINDS)
def test_what_is_merged_again_brings_nothing_new(finds: list[Find]) -> None:
    """A find that is in the row already is settled."""
    row = row_of(*finds)

    assert [merged(row, find, find.refusal) for find in finds] == [None] * len(finds)


@given(finds=FINDS)
def test_a_guess_that_led_to_http_waits_for_a_written_scheme(finds: list[Find]) -> None:
    """Any other find leaves the row skipped, and the one that lets it in leaves it a seed."""
    row = first(a_find(URL, seed=True, guess=Guess.GUESSED), Reason.HTTP_INSTEAD)
    is_written = any(find.guess == Guess.WRITTEN and find.refusal is None for find in finds)

    for find in finds:
        row = merged(row, find, find.refusal) or row

    assert (row.refusal, row.guess) == ((None, Guess.BOTH) if is_written else (Reason.HTTP_INSTEAD, Guess.GUESSED))
    assert row.way.seed


@pytest.mark.parametrize("kept", [Reason.EXCLUDED, Reason.TRAP_CALENDAR])
def test_what_its_url_is_refused_for_is_overcome_by_lists_alone(kept: Reason) -> None:
    """A link does not let in what a pattern or a trap keeps out; a line of the list does, and so does a sitemap."""
    row = first(a_find(URL, depth=1), kept)

    assert merged(row, Find(url=URL), None) is None
    assert merged(row, a_find(URL, depth=2), Reason.NOFOLLOW) is None
    assert merged(row, a_find(URL, depth=9), kept) is None
    for listed in (a_find(URL, seed=True), a_find(URL, sitemap=True)):
        better = merged(row, listed, None)
        assert better is not None
        assert better.refusal is None


def test_one_session_too_many_waits_for_another_find() -> None:
    """The frontier asks again whether it is one, since the document of that find may show that it is none."""
    row = first(a_find(URL, depth=1), Reason.TRAP_SESSION_ID)

    better = merged(row, a_find(URL, depth=2), None)

    assert better is not None
    assert (better.refusal, better.way.depth) == (None, 2)
    for refusal in (Reason.OUT_OF_SCOPE, Reason.DEPTH_LIMIT, Reason.NOFOLLOW):
        assert merged(row, a_find(URL, depth=2), refusal) is None


def test_what_waits_for_its_place_is_better_than_what_waits_for_another_find() -> None:
    """Of a link that may not be followed and one whose place is not in scope yet, the row waits for the place."""
    nofollow, outside = a_find(URL, depth=1, refusal=Reason.NOFOLLOW), a_find(URL, depth=2)

    row = merged(first(nofollow, nofollow.refusal), outside, Reason.OUT_OF_SCOPE)

    assert row is not None
    assert (row.refusal, row.way.depth) == (Reason.OUT_OF_SCOPE, 2)


@given(
    ways=st.lists(
        st.builds(
            lambda depth, hops, foreign: Way(seed=not depth, depth=depth, hops=hops, foreign=foreign),
            st.integers(0, 2),
            st.integers(0, MOST_HOPS),
            st.booleans(),
        ),
        min_size=2,
        max_size=2,
    )
)
def test_a_better_way_leads_on_in_a_better_way(ways: list[Way]) -> None:
    """Otherwise what a redirect leads to would depend on which of two ways was known first."""
    better, worse = ways if ways[0].is_better_than(ways[1]) else reversed(ways)

    assert not hop(URL, worse, URL).way.is_better_than(hop(URL, better, URL).way)


def test_a_chain_ends_after_ten_hops() -> None:
    """The target of the eleventh hop is refused, and is no seed, however near it seems."""
    way = Way(seed=True)
    for _ in range(MOST_HOPS):
        end = hop(URL, way, URL)
        assert (end.refusal, end.way.seed, end.way.depth) == (None, True, 0)
        way = end.way

    end = hop(URL, way, URL)

    assert (end.refusal, end.way.seed) == (Reason.HOP_LIMIT, False)


def test_a_chain_whose_pages_are_linked_goes_on_as_links_do() -> None:
    """After ten hops at one depth a page that a link leads to as well leads one step further, and to no seed."""
    end = hop(URL, Way(seed=True, hops=MOST_HOPS), URL)

    assert end == a_find(URL, depth=1, chain=1)


@pytest.mark.parametrize(("target", "foreign"), [("http://h/y", False), ("https://h/y", True), ("http://h:81/y", True)])
def test_whoever_redirects_elsewhere_makes_it_foreign(target: str, foreign: bool) -> None:
    """And so is all that such a target leads to."""
    assert hop(URL, START, parse(target)).way.foreign is foreign
    assert hop(URL, Way(foreign=True), parse(target)).way.foreign
