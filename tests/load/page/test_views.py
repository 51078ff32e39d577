"""load.page: the pages of a capacity search and of a comparison, drawn from plain rows."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from crawler.load.page.capacity_page import CapacityView, capacity_page
from crawler.load.page.compare_page import CompareRow, CompareView, compare_page
from support.html_pages import Element, Page, parsed
from support.load_views import capacity_view, compare_view


def classed(page: Page, name: str) -> list[Element]:
    """All elements with this class."""
    return [one for one in page.elements if name in one.attributes.get("class", "").split()]


def test_the_knee_shows_each_window_and_the_interval() -> None:
    """A disc for each window that held, a cross for each other one, the limit, and the shaded interval."""
    view = capacity_view()

    page = parsed(capacity_page(view))

    held = sum(row.held is True for row in view.rows)
    titles = [one.text for one in page.named("title")[1:]]
    (tint,) = classed(page, "tint")
    assert page.named("p")[0].text == "873 to 911 per second"
    assert (len(classed(page, "yes")), len(classed(page, "no"))) == (held + 1, len(view.rows) - held + 1)  # one: legend
    assert titles[0] == "50/s, climb: p99 9.58 ms, 0 % failed, OK"
    assert "p99<50ms" in [one.text for one in page.named("text")]
    assert [round(float(tint.attributes[name].rstrip("%")), 1) for name in ("x", "width")] == [54.6, 2.4]
    assert len(page.named("tr")) == 1 + len(view.rows)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"high": None}, "at least 873 per second"),
        ({"low": None}, "below 911 per second"),
        ({"low": None, "high": None, "is_found": False}, "no rate was found"),
        ({"rows": ()}, "873 to 911 per second"),
    ],
)
def test_a_search_that_found_no_end_has_a_page(changes: Mapping[str, object], title: str) -> None:
    """Each end may be missing, and so may all windows."""
    view: CapacityView = replace(capacity_view(), **changes)  # type: ignore[arg-type]

    assert parsed(capacity_page(view)).named("p")[0].text == title


def test_a_window_without_a_p99_stands_in_the_table() -> None:
    """It has no place in the chart."""
    view = capacity_view()
    lost = replace(view.rows[0], p50_ms=None, p99_ms=None, held=False)

    page = parsed(capacity_page(replace(view, rows=[lost])))

    assert "No window had enough answers for a p99." in page.named("main")[0].text
    assert len(page.named("tr")) == 2


def test_a_comparison_shows_each_interval_beside_the_tolerance() -> None:
    """A worse metric has a colour and a word; a metric without a ratio stands in the table alone."""
    view = compare_view()

    page = parsed(compare_page(view))

    labels = [one.attributes["aria-label"] for one in classed(page, "interval-row") if "aria-label" in one.attributes]
    assert labels == [
        "p50: +5 %, 95 % from +4.3 % to +5.7 %; worse",
        "p99: +3 %, 95 % from \u22121.5 % to +7.9 %; cannot tell",
        "rate: \u22124.8 %, 95 % from \u22125.4 % to \u22124.2 %; worse",
        "mean: +0.3 %, 95 % from \u22120.6 % to +1.2 %; no difference",
    ]
    assert len(classed(page, "worse")) == 2
    assert len(classed(page, "chart")) == 4
    assert len(page.named("tr")) == 1 + len(view.rows)


def test_a_comparison_of_nothing_has_a_page() -> None:
    """No ratio, no block: the words are all there is."""
    nothing = CompareRow(
        name="p50", unit="ms", a=None, b=None, ratio=None, low=None, high=None, smallest_change=None, judgement="?"
    )
    view: CompareView = replace(compare_view(), rows=[nothing], blocks=())

    page = parsed(compare_page(view))

    assert "No metric has a ratio." in page.named("main")[0].text
    assert classed(page, "chart") == []


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b onclick=x>'])
def test_names_of_sides_and_metrics_stay_text(text: str) -> None:
    """No element and no attribute comes of them."""
    rows = [replace(row, name=text, unit=text, judgement=text) for row in compare_view().rows]
    compared = replace(compare_view(), a=text, b=text, verdict=text, because=text, rows=rows, setup={text: text})
    search = replace(capacity_view(), url=text, slo=text, because=text, setup={text: text})

    for page in (parsed(compare_page(compared)), parsed(capacity_page(search))):
        assert not page.named("script")
        assert not [one for one in page.elements if "onclick" in one.attributes]
        assert text in page.named("main")[0].text
