"""The sweep of `crawler models --sweep` on a terminal: a plot of letters, the figures, and where the lead changes.

Rules
- Both axes are logarithmic: models differ by factors.
- A letter stands at its model's pages per second; letters on one line are equally quick, as far as the plot can tell.
Runs on: anywhere (pure).
"""

import math
from collections.abc import Iterator
from string import ascii_lowercase
from textwrap import wrap

from crawler.core.text import counted, duration
from crawler.models.figures import Comparison, Sweep
from crawler.models.report import as_data
from crawler.report.indented import indented

_HEIGHT = 14
_WIDTH = 80


def sweep_json(sweep: Sweep) -> bytes:
    """Each point as `crawler models --json` has it, and who leads there."""
    return indented({"schema": 1, "leaders": sweep.leaders, "points": [as_data(point) for point in sweep.points]})


def sweep_text(sweep: Sweep) -> str:
    """The plot, the table below it, and what they say."""
    return "\n".join([title(sweep), "", *_plot(sweep), "", *_table(sweep), "", *wrap(crossover(sweep), _WIDTH)])


def title(sweep: Sweep) -> str:
    """What was swept."""
    first = sweep.points[0]
    return (
        f"Pages per second, from waiting to computing: {counted(first.pages, 'page')}, "
        f"latency {duration(first.latency)}, {counted(first.cores, 'core')}"
    )


def cpu_label(point: Comparison) -> str:
    """What a page costs at this point."""
    return f"{point.cpu_per_page * 1000:.2g} ms"


def crossover(sweep: Sweep) -> str:
    """Who leads, and from where on."""
    runs: list[tuple[str, str]] = []
    for leader, point in zip(sweep.leaders, sweep.points, strict=True):
        if not runs or runs[-1][0] != leader:
            runs.append((leader, cpu_label(point)))
    first, *others = runs
    parts = [f"In the lead: {first[0]} at {first[1]} of CPU per page"]
    parts += [f"{name} from {cpu} on" for name, cpu in others]
    lead = ", ".join(parts) + ("" if others else ", and everywhere else")
    wrong = "" if all(point.agree for point in sweep.points) else " Not all models came to the same results."
    return f"{lead}.{wrong}"


def _plot(sweep: Sweep) -> Iterator[str]:
    letters = dict(zip(sweep.models, ascii_lowercase, strict=False))
    rates = {model: sweep.rates(model) for model in sweep.models}
    seen = [math.log(rate) for of_model in rates.values() for rate in of_model if rate]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    step = (high - low) / (_HEIGHT - 1) or 1.0
    wide = (_WIDTH - 8) // len(sweep.points)
    for line in range(_HEIGHT - 1, -1, -1):
        at = [
            "".join(letters[model] for model in rates if _is_on(rates[model][n], low, step, line))
            for n in range(len(sweep.points))
        ]
        yield f"{math.exp(low + line * step):>6,.0f} |{''.join(f'{text:^{wide}}' for text in at)}".rstrip()
    yield f"{'':>6} +{'-' * (wide * len(sweep.points))}"
    yield f"{'':>8}{''.join(f'{cpu_label(point):^{wide}}' for point in sweep.points)}".rstrip()
    yield f"{'':>8}{'CPU of a page, at the thriftiest':^{wide * len(sweep.points)}}".rstrip()


def _is_on(rate: float, low: float, step: float, line: int) -> bool:
    return rate > 0 and round((math.log(rate) - low) / step) == line


def _table(sweep: Sweep) -> Iterator[str]:
    yield f"{'read so many times':<22}" + "".join(f"{point.parse_cost:>11,}" for point in sweep.points)
    for letter, model in zip(ascii_lowercase, sweep.models, strict=False):
        cells = [
            f"{rate:,.0f}{'*' if model == leader else ' '}"
            for rate, leader in zip(sweep.rates(model), sweep.leaders, strict=True)
        ]
        yield (f"  {letter}  {model:<17}" + "".join(f"{cell:>11}" for cell in cells)).rstrip()
    yield "* leads: whoever led before still does, unless another is quicker by 15 %"
