"""The page of a capacity search, from its result."""

from dataclasses import replace

from load.capacity.test_result import found, row

from crawler.load.capacity.search import Ending
from crawler.load.capacity.view import page_of, view_of
from support.html_pages import parsed


def test_the_view_has_the_windows_with_a_rate_and_their_outcomes() -> None:
    """The ceiling has no rate and stands in the setup; a probe judges none; a miss has its first reason."""
    probe = replace(row(10.0, "", None), stage="drain", verdict="TOO-SHORT", because="22 answers")
    missed = replace(row(840.0, "missed", 90.0), because="p99<50ms: 90.0 ms; the backlog grew by 9 requests")

    view = view_of(found(rows=(row(None, "", 1.0), row(800, "held", 20.0), missed, probe)), {"program": "p"})

    assert [(each.rate, each.held, each.verdict) for each in view.rows] == [
        (800, True, "OK"),
        (840, False, "OK: p99<50ms: 90.0 ms"),
        (10, None, ""),
    ]
    assert view.setup["client"].startswith("30,000 requests/s to a server that does nothing")
    assert view.setup["program"] == "p"


def test_only_a_limit_of_the_p99_is_drawn_among_its_windows() -> None:
    """The lowest of them; one of the p90 has no place in a chart of the p99."""
    both = view_of(found(slo=("p99<2s", "p99<50ms", "p90<5ms")), {})
    other = view_of(found(slo=("p90<5ms", "errors<1%")), {})

    assert (both.limit, both.limit_ms) == ("p99<50ms", 50)
    assert (other.limit, other.limit_ms) == ("", None)


def test_a_search_without_a_promise_is_a_warning() -> None:
    """Nor is one found whose demanded rate does not hold."""
    assert view_of(found(), {}).is_found
    assert not view_of(found(Ending.CLIENT_BOUND, high=None), {}).is_found
    assert not view_of(found(at_least=900.0), {}).is_found


def test_the_page_begins_with_the_interval_and_the_reason() -> None:
    """The first lines that a reader sees: the interval, and the verdict with its reason."""
    page = parsed(page_of(found(), {}))

    assert [one.text for one in page.named("p")[:2]] == [
        "800 to 840 per second",
        "FOUND: at least 4 of 5 windows agreed at either end",
    ]
