"""The sweep as one self-contained HTML page, with its plot as SVG.

Runs on: anywhere (pure).
"""

import math
from collections.abc import Iterator
from html import escape

from crawler.models.figures import Sweep
from crawler.models.sentences import sentence
from crawler.models.sweep import cpu_label, crossover, title

_COLOURS = ("#4e79a7", "#f28e2b", "#b07aa1", "#59a14f", "#e15759", "#76b7b2", "#9c755f", "#111111")
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT, _NAMES = 70, 20, 640, 380, 190
_LINE = 16  # between two names beside the plot

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>crawler models --sweep</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
svg {{ width: 100%; height: auto; }}
svg text {{ font: 12px system-ui, sans-serif; fill: #444; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .15rem .7rem .15rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }}
td:first-child {{ white-space: nowrap; }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style>
<h1>Concurrency models, from waiting to computing</h1>
<p>{title}. {crossover}</p>
{plot}
{tables}
</html>
"""


def sweep_page(sweep: Sweep) -> str:
    """Return the page."""
    tables = []
    for point in sweep.points:
        tables.append(f"<h2>{cpu_label(point)} of CPU per page</h2>")
        tables.append('<table><tr><th>model<th class="n">pages/s<th class="n">cores<th>what its figures say</tr>')
        for row in point.rows:
            figures = "".join(f'<td class="n">{text}' for text in (f"{row.rate:,.0f}", f"{row.cores:.2f}"))
            tables.append(f"<tr><td>{escape(row.model)}{figures}<td>{escape(sentence(row, point.latency))}</tr>")
        tables.append("</table>")
    return _PAGE.format(
        title=escape(title(sweep)),
        crossover=escape(crossover(sweep)),
        plot="\n".join(_plot(sweep)),
        tables="\n".join(tables),
    )


class _Axis:
    """The mapping from figures to coordinates; both axes are logarithmic."""

    def __init__(self, sweep: Sweep) -> None:
        self.xs = [max(point.cpu_per_page, 1e-6) for point in sweep.points]
        rates = [rate for model in sweep.models for rate in sweep.rates(model) if rate] or [1.0]
        self.low, self.high = 10 ** math.floor(math.log10(min(rates))), 10 ** math.ceil(math.log10(max(rates) * 1.05))

    def x(self, seconds: float) -> float:
        return _LEFT + _PLOT_WIDTH * _share(seconds, min(self.xs), max(self.xs))

    def y(self, rate: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - _share(rate, self.low, self.high))


def _share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _plot(sweep: Sweep) -> Iterator[str]:
    scale = _Axis(sweep)
    right, bottom = _LEFT + _PLOT_WIDTH, _TOP + _PLOT_HEIGHT
    yield f'<svg viewBox="0 0 {right + _NAMES} {bottom + 50}" role="img" aria-label="{escape(title(sweep))}">'
    at = scale.low
    while at <= scale.high:
        y = scale.y(at)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{at:,.0f}</text>'
        at *= 10
    for x, point in zip(scale.xs, sweep.points, strict=True):
        yield f'<path d="M{scale.x(x):.1f} {_TOP}V{bottom}" stroke="#eee"/>'
        yield f'<text x="{scale.x(x):.1f}" y="{bottom + 18}" text-anchor="middle">{cpu_label(point)}</text>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle}" y="{bottom + 40}" text-anchor="middle">CPU of a page, at the thriftiest</text>'
    yield f'<text x="14" y="{_TOP + _PLOT_HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 '
    yield f'{_TOP + _PLOT_HEIGHT / 2})">pages per second</text>'
    for (model, colour), name_at in zip(
        zip(sweep.models, _COLOURS, strict=False), _name_heights(sweep, scale), strict=True
    ):
        dots = [(scale.x(x), scale.y(rate)) for x, rate in zip(scale.xs, sweep.rates(model), strict=True) if rate]
        if dots:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
            yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots)
            yield f'<path d="M{dots[-1][0] + 4:.1f} {dots[-1][1]:.1f}L{right + 22} {name_at:.1f}" stroke="{colour}"/>'
        yield f'<text x="{right + 26}" y="{name_at + 4:.1f}" style="fill:{colour}">{escape(model)}</text>'
    yield "</svg>"


def _name_heights(sweep: Sweep, scale: _Axis) -> list[float]:
    """Return the y of each model's name: beside the end of its line, and below the name above it."""
    ends = [(scale.y(sweep.rates(model)[-1] or scale.low), n) for n, model in enumerate(sweep.models)]
    places, free = [0.0] * len(ends), float(_TOP)
    for height, n in sorted(ends):
        places[n] = max(height, free)
        free = places[n] + _LINE
    over = max(0.0, free - _LINE - (_TOP + _PLOT_HEIGHT))
    return [place - over for place in places]
