"""The page of a comparison (`--html`): its result as the view that `page/compare_page.py` draws.

Runs on: anywhere (pure).
"""

from collections.abc import Mapping

from crawler.core.text import counted
from crawler.load.compare.blocks import Block
from crawler.load.compare.result import CompareVerdict, Comparison, Judgement, Metric, Unjudged
from crawler.load.compare.sentence import sentence
from crawler.load.page.compare_page import BlockRow, CompareRow, CompareView, compare_page

_TONES = {
    CompareVerdict.REGRESSION: "bad",
    CompareVerdict.IMPROVEMENT: "good",
    CompareVerdict.NO_DIFFERENCE: "good",
    CompareVerdict.UNDECIDED: "info",
    CompareVerdict.WORTHLESS: "warn",
}
_SIGNS = {
    Judgement.REGRESSION: "worse",
    Judgement.WORSE: "worse",
    Judgement.IMPROVEMENT: "better",
    Judgement.BETTER: "better",
}


def page_of(found: Comparison, about: Mapping[str, str]) -> str:
    """Return the page of a comparison; `about` says what made it, and when."""
    return compare_page(view_of(found, about))


def view_of(found: Comparison, about: Mapping[str, str]) -> CompareView:
    """Return the view of a comparison."""
    spoilt = sum(bool(block.fault) for block in found.blocks)
    setup = {
        "load": found.load,
        "blocks": f"{counted(len(found.blocks), 'block')}, {spoilt} of them left out",
        "pairs": "neighbours of A and B" if found.are_pairs else "none: the runs were at different times of day",
        "tolerance": f"{found.tolerance * 100:.3g} %, and half a percentage point of errors",
    }
    return CompareView(
        a=found.a,
        b=found.b,
        verdict=str(found.verdict),
        tone=_TONES[found.verdict],
        sentence=sentence(found),
        because=found.because,
        advice=found.advice,
        note="Interrupted: this is what was measured until then." if found.interrupted else "",
        tolerance=found.tolerance,
        rows=[*map(_row, found.metrics), *map(_lost, found.unjudged)],
        blocks=[BlockRow(side=b.side, begin_s=b.begin_s, seconds=b.seconds, values=_values(b)) for b in found.blocks],
        setup=setup | dict(about),
    )


def _row(metric: Metric) -> CompareRow:
    scale = 1 if metric.is_ratio else 100
    return CompareRow(
        name=metric.name,
        unit="/s" if metric.name == "rate" else "ms" if metric.is_ratio else "%",
        a=metric.a * scale,
        b=metric.b * scale,
        ratio=metric.change,
        low=metric.low,
        high=metric.high,
        smallest_change=metric.smallest,
        judgement=str(metric.judgement),
        sign=_SIGNS.get(metric.judgement, ""),
        is_ratio=metric.is_ratio,
    )


def _lost(metric: Unjudged) -> CompareRow:
    return CompareRow(
        name=metric.name,
        unit="",
        a=None,
        b=None,
        ratio=None,
        low=None,
        high=None,
        smallest_change=None,
        judgement=f"not judged: {metric.reason}",
    )


def _values(block: Block) -> dict[str, float]:
    """Return the values that count."""
    known = {
        "p50_ms": block.p50_ms,
        "p99_ms": block.p99_ms,
        "mean_ms": block.mean_ms,
        "rate": block.rate,
        "errors": block.errors * 100,
    }
    counting = ((name, value) for name, value in known.items() if not block.fault_of(name))
    return {name.removesuffix("_ms"): value for name, value in counting if value is not None}
