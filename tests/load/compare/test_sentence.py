"""The answer of a comparison in one sentence."""

from dataclasses import replace

import pytest
from load.compare.test_view import comparison

from crawler.load.compare.result import CompareVerdict, Comparison, Judgement, Metric
from crawler.load.compare.sentence import sentence


def metric(name: str, low: float, high: float, judgement: Judgement = Judgement.NO_DIFFERENCE) -> Metric:
    """A metric with this interval; that of errors is a difference of shares."""
    return Metric(
        name=name,
        unit="ms",
        is_ratio=name != "errors",
        is_better_high=name == "rate",
        a=1.0,
        b=1.0,
        change=(low + high) / 2,
        low=low,
        high=high,
        smallest=0.021,
        judgement=judgement,
        blocks=15,
        correlation=0.0,
    )


def said(verdict: CompareVerdict, *metrics: Metric) -> str:
    """The sentence for these metrics at a tolerance of 5 %."""
    return sentence(replace(comparison(), verdict=verdict, because="4 of 15 blocks of B were failing", metrics=metrics))


ALIKE = metric("p99", 0.99, 1.01)


@pytest.mark.parametrize(
    ("verdict", "metrics", "expected"),
    [
        (
            CompareVerdict.REGRESSION,
            (metric("p50", 1.061, 1.082, Judgement.REGRESSION), ALIKE),
            "B is slower than A: its p50 is 6.1 to 8.2 % longer (95 % sure); that is beyond the tolerance of 5 %.",
        ),
        (
            CompareVerdict.REGRESSION,
            (metric("p50", 0.9, 0.98, Judgement.BETTER), metric("rate", 0.8, 0.9, Judgement.REGRESSION)),
            (
                "B is slower than A: it answers 10.0 to 20.0 % fewer requests, but its p50 is 2.0 to 10.0 % shorter "
                "(95 % sure); that is beyond the tolerance of 5 %."
            ),
        ),
        (
            CompareVerdict.REGRESSION,
            (ALIKE, metric("errors", 0.01, 0.02, Judgement.REGRESSION)),
            (
                "B fails more often than A: 1.0 to 2.0 percentage points more of its requests fail (95 % sure); "
                "that is beyond the half point that is tolerated."
            ),
        ),
        (
            CompareVerdict.IMPROVEMENT,
            (metric("p50", 0.8, 0.9, Judgement.IMPROVEMENT), ALIKE),
            "B is quicker than A: its p50 is 10.0 to 20.0 % shorter (95 % sure); that is beyond the tolerance of 5 %.",
        ),
        (
            CompareVerdict.UNDECIDED,
            (metric("p50", 1.01, 1.09, Judgement.WORSE), ALIKE),
            (
                "B is slower than A: its p50 is 1.0 to 9.0 % longer (95 % sure); whether it is beyond the "
                "tolerance of 5 % is not decided."
            ),
        ),
        (
            CompareVerdict.UNDECIDED,
            (ALIKE, metric("p50", 0.95, 1.09, Judgement.UNDECIDED)),
            (
                "It is not known whether B is slower: its p50 is between 5.0 % shorter and 9.0 % longer; no difference "
                "larger than 2.1 % would have gone unseen (95 % sure)."
            ),
        ),
        (
            CompareVerdict.NO_DIFFERENCE,
            (ALIKE,),
            "B is as quick as A: no difference larger than 2.1 % would have gone unseen (95 % sure).",
        ),
        (CompareVerdict.WORTHLESS, (), "This says nothing of A and B: 4 of 15 blocks of B were failing."),
    ],
)
def test_the_sentence_says_which_is_slower_and_by_how_much(
    verdict: CompareVerdict, metrics: tuple[Metric, ...], expected: str
) -> None:
    """The metric that decides gives the figure, and one that speaks against it is named, too."""
    assert said(verdict, *metrics) == expected


def test_the_report_begins_with_the_sentence() -> None:
    """It stands before the verdict and the table."""
    found: Comparison = comparison()
    lines = found.text().splitlines()

    assert " ".join(lines[:2]).startswith("B is slower than A: its p50 is ")
    assert next(line for line in lines if line.startswith("Verdict"))
    assert lines.index(next(line for line in lines if line.startswith("Verdict"))) > 0
    assert max(map(len, lines)) <= 80
