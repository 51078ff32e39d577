"""The report of a comparison as text, for 80 columns: a sentence, the verdict, then an interval for each metric.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator

from crawler.core.tables import columns, paragraph
from crawler.core.text import counted, safe
from crawler.load.compare.result import Comparison, Metric
from crawler.load.compare.sentence import sentence

_INDENT = 13
_WIDTHS = (_INDENT, 10, 10, 9, 20, 10)


def compare_text(found: Comparison) -> str:
    """Return the report."""
    lines = paragraph(sentence(found))
    lines += [*_row("Verdict", f"{found.verdict} ({found.because})"), *_row("Next", found.advice)]
    if found.interrupted:
        lines += _row("", "interrupted: this is what was measured until then")
    lines += [*_row("A", safe(found.a, 300)), *_row("B", safe(found.b, 300)), *_row("Load", found.load)]
    return "\n".join([*lines, *_metrics(found), *_notes(found)])


def _row(title: str, text: str) -> list[str]:
    return paragraph(text, f"{title:<{_INDENT}}")


def _metrics(found: Comparison) -> Iterator[str]:
    if not found.metrics:
        return  # the verdict has the reason
    yield columns(("Metric", "A", "B", "change", "interval", "smallest"), _WIDTHS)
    for metric in found.metrics:
        yield _line(metric)
        yield f"{'':{_INDENT}}{metric.judgement}"
    for lost in found.unjudged:
        yield from paragraph(f"not judged: {lost.reason}", f"  {lost.name:<{_INDENT - 2}}")


def _line(metric: Metric) -> str:
    less, unit = (1, " %") if metric.is_ratio else (0, " points")
    change, low, high = (100 * (value - less) for value in (metric.change, metric.low, metric.high))
    scale = 1 if metric.is_ratio else 100
    name = f"{metric.name}, {metric.unit}" if metric.unit == "ms" else metric.name
    cells = (f"  {name}", _figure(metric.a * scale), _figure(metric.b * scale), f"{change:+.1f}{unit[:2]}")
    return columns((*cells, f"{low:+.1f} to {high:+.1f}{unit[:2]}", f"{metric.smallest * 100:.2g}{unit[:2]}"), _WIDTHS)


def _figure(value: float) -> str:
    return f"{value:,.{3 if value < 10 else 2 if value < 100 else 1}f}"


def _notes(found: Comparison) -> Iterator[str]:
    used = counted(len(found.blocks), "block")
    share = f"{found.tolerance * 100:.3g} %"
    drawn = "pairs of neighbours" if found.are_pairs else "the blocks of each run"
    yield from _row(
        "How",
        f"{used}, bootstrap over {drawn}; the intervals "
        f"hold together with 95 %; tolerance {share}; errors in percentage points, of which 0.5 are tolerated",
    )
    yield from _row("", "smallest: the smallest change that such a comparison finds in 95 of 100 cases")
    if not found.are_pairs:
        yield from _row(
            "", "the runs were at different times, so this compares the times of day, too; two URLs do better"
        )
    spoilt = [block for block in found.blocks if block.fault]
    if spoilt:
        kinds = ", ".join(sorted({block.fault for block in spoilt}))
        yield from _row("", f"{counted(len(spoilt), 'block')} left out: {kinds}")
    late = [block for block in found.blocks if block.late and not block.fault]
    if late:
        yield from _row(
            "", f"{counted(len(late), 'block')} with a late client: left out where that can explain a metric"
        )
