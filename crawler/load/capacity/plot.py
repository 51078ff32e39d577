"""The knee of a capacity search, drawn with characters: the rate to the right, the p99 (else the p50) upward.

Rule: both scales are logarithmic, since rates double and times explode. `o` is a window that held, `x` one that missed,
`?` one in which the client was the limit; of two windows in one place the worse is shown.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator
from math import log

from crawler.core.tables import columns
from crawler.load.capacity.result import CapacityResult
from crawler.load.capacity.windows import Outcome

_WIDTH, _HEIGHT = 66, 12  # characters
_LEAST = 2  # different rates, of which there is something to draw
_MARKS = {Outcome.HELD: "o", Outcome.CLIENT: "?", Outcome.MISSED: "x"}  # the worse ones later


def knee_plot(result: CapacityResult) -> Iterator[str]:
    """Yield the lines of the plot; none if there are not two rates."""
    has_p99 = any(row.p99_ms for row in result.rows if row.outcome)
    found = [(row.rate, row.p99_ms if has_p99 else row.p50_ms, row.outcome) for row in result.rows if row.outcome]
    points = [
        (rate, time, mark) for mark in _MARKS for rate, time, outcome in found if rate and time and outcome == mark
    ]
    if len({rate for rate, _, _ in points}) < _LEAST:
        return
    rates, times = [rate for rate, _, _ in points], [time for _, time, _ in points]
    drawn = {
        (_place(rate, rates, _WIDTH), _place(time, times, _HEIGHT)): _MARKS[Outcome(mark)]
        for rate, time, mark in points
    }
    yield ""
    yield f"{'p99' if has_p99 else 'p50'}, ms, by requests/s (o held, x missed, ? client-bound; both logarithmic)"
    for row in range(_HEIGHT - 1, -1, -1):
        scale = {_HEIGHT - 1: max(times), 0: min(times)}.get(row)
        line = "".join(drawn.get((column, row), " ") for column in range(_WIDTH))
        yield f"{'' if scale is None else f'{scale:,.4g}':>10} |{line}".rstrip()
    yield f"{'':>10} +{'-' * _WIDTH}"
    yield columns(("", f"{min(rates):,.6g}/s", f"{max(rates):,.6g}/s"), (12, _WIDTH // 2, _WIDTH // 2), left=(0, 1))


def _place(value: float, values: list[float], size: int) -> int:
    """Return the place of a value on a logarithmic scale of so many characters."""
    low, high = min(values), max(values)
    return round(log(value / low) / log(high / low) * (size - 1)) if high > low else 0
