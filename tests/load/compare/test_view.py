"""The page of a comparison, from its result."""

from dataclasses import replace
from random import Random

from crawler.load.compare.judging import Rules, judge_blocks
from crawler.load.compare.result import Comparison, Unjudged
from crawler.load.compare.view import page_of, view_of
from support.compared import alternating, normal
from support.html_pages import parsed


def comparison(change: float = 0.2) -> Comparison:
    """A comparison of two servers of which B takes so much longer."""
    a, b = alternating(normal, change, 1)
    judged = judge_blocks(a, b, Rules(are_pairs=True, is_open=False, tolerance=0.05, draws=100), Random(1).random)  # noqa: S311
    return Comparison(
        verdict=judged.verdict,
        because=judged.because,
        a="http://a/",
        b="http://b/",
        load="closed loop",
        tolerance=0.05,
        are_pairs=True,
        metrics=judged.metrics,
        blocks=(*a, *b),
    )


def test_the_view_has_a_row_for_each_metric_and_a_sign_for_each_change() -> None:
    """Errors are a difference in percentage points, the others ratios."""
    view = view_of(comparison(), {})

    assert [(row.name, row.unit, row.sign, row.is_ratio) for row in view.rows] == [
        ("p50", "ms", "worse", True),
        ("p99", "ms", "worse", True),
        ("rate", "/s", "worse", True),
        ("errors", "%", "", False),
    ]
    assert (view.verdict, view.tone, view.note) == ("REGRESSION", "bad", "")
    assert view.blocks[0].values.keys() == {"p50", "p99", "mean", "rate", "errors"}


def test_values_that_count_for_nothing_are_not_drawn() -> None:
    """Of a failing block the errors are; of a late one all that the client cannot explain. The setup has the number."""
    found = comparison()
    failing, late = replace(found.blocks[0], fault="failing"), replace(found.blocks[1], late=("p99_ms", "rate"))

    view = view_of(replace(found, blocks=(failing, late, *found.blocks[2:])), {"made": "today"})

    assert [set(block.values) for block in view.blocks[:2]] == [{"errors"}, {"p50", "mean", "errors"}]
    assert (view.setup["blocks"], view.setup["made"]) == ("32 blocks, 1 of them left out", "today")


def test_a_metric_that_is_not_judged_has_a_row_with_the_reason() -> None:
    """The row has no figure."""
    found = replace(comparison(), unjudged=(Unjudged(name="p99", reason="5 of 15 blocks of B were client-bound"),))

    row = view_of(found, {}).rows[-1]

    assert (row.name, row.ratio, row.judgement) == ("p99", None, "not judged: 5 of 15 blocks of B were client-bound")


def test_the_page_tells_errors_in_points_and_draws_none_where_there_are_none() -> None:
    """The table has all four metrics, the intervals those with a ratio, the charts those that are not always 0."""
    page = parsed(page_of(replace(comparison(), interrupted=True), {}))

    rows = [one for one in page.elements if "interval-row" in one.attributes.get("class", "")]
    charts = [one for one in page.elements if "chart" in one.attributes.get("class", "").split()]
    text = page.named("main")[0].text
    assert len(rows) == 3 + 1  # and the axis
    assert len(charts) == 3
    assert "0 points to 0 points" in text
    assert "Interrupted: this is what was measured until then." in text
