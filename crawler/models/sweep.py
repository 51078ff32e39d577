"""The sweep of `crawler models --sweep` on a terminal: a plot of letters, the figures, and the changes of the lead.

Rules
- Both axes are logarithmic: models differ by factors.
- A letter stands at its model's pages per second; models on one line are equally quick at the plot's resolution.
Runs on: anywhere (pure).
"""

import math
from collections.abc import Iterator
from string import ascii_lowercase

from crawler.core.tables import WIDTH, columns, paragraph
from crawler.core.text import counted, duration
from crawler.models.figures import Comparison, Sweep
from crawler.models.report import as_data
from crawler.report.indented import indented

_HEIGHT = 14


def sweep_json(sweep: Sweep) -> bytes:
    """Return each point as `crawler models --json` has it, and the leader there."""
    return indented({"schema": 1, "leaders": sweep.leaders, "points": [as_data(point) for point in sweep.points]})


def sweep_text(sweep: Sweep) -> str:
    """Return the plot, the table below it, and a sentence about the lead."""
    return "\n".join([title(sweep), "", *_plot(sweep), "", *_table(sweep), "", *paragraph(crossover(sweep))])


def title(sweep: Sweep) -> str:
    """Return the job: pages, latency and cores."""
    first = sweep.points[0]
    return (
        f"Pages per second, from waiting to computing: {counted(first.pages, 'page')}, "
        f"latency {duration(first.latency)}, {counted(first.cores, 'core')}"
    )


def cpu_label(point: Comparison) -> str:
    """Return the CPU time that the thriftiest model needs for a page."""
    return f"{point.cpu_per_page * 1000:.2g} ms"


def crossover(sweep: Sweep) -> str:
    """Return the leader at the lowest CPU cost, and each change of the lead."""
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
    wide = (WIDTH - 8) // len(sweep.points)
    for line in range(_HEIGHT - 1, -1, -1):
        at = [
            "".join(
                letters[model]
                for model, of_model in rates.items()
                if of_model[n] and round((math.log(of_model[n]) - low) / step) == line
            )
            for n in range(len(sweep.points))
        ]
        yield f"{math.exp(low + line * step):>6,.0f} |{''.join(f'{text:^{wide}}' for text in at)}".rstrip()
    yield f"{'':>6} +{'-' * (wide * len(sweep.points))}"
    yield f"{'':>8}{''.join(f'{cpu_label(point):^{wide}}' for point in sweep.points)}".rstrip()
    yield f"{'':>8}{'CPU of a page, at the thriftiest':^{wide * len(sweep.points)}}".rstrip()


def _table(sweep: Sweep) -> Iterator[str]:
    widths = (22, *(11 for _ in sweep.points))
    yield columns(("read so many times", *(f"{point.parse_cost:,}" for point in sweep.points)), widths)
    for letter, model in zip(ascii_lowercase, sweep.models, strict=False):
        cells = [
            f"{rate:,.0f}{'*' if model == leader else ' '}"
            for rate, leader in zip(sweep.rates(model), sweep.leaders, strict=True)
        ]
        yield columns((f"  {letter}  {model}", *cells), widths)
    yield "* leads: whoever led before still does, unless another is quicker by 15 %"
