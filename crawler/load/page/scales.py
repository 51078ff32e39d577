"""Scales of the charts: a value's place from 0 to 1, and ticks at numbers that people count in.

Rules
- A linear scale begins at 0 and ends at a tick. A logarithmic one spans at least a decade and ends at 1, 2 or 5.
- Times are shown with three digits in the unit that fits: 850 µs, 12.4 ms, 1.25 s.
Runs on: anywhere (pure).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

NONE = "\u2013"  # of a figure that is not known
_CLOCK = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_MOST_TIMES = 10  # ticks of a time axis


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, at a place from 0 to 1; a minor one has no room where the page is narrow."""

    at: float
    text: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Values from `low` to `high` as places from 0 to 1."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; those beyond the ends are put at the ends."""
        if self.is_log:
            place = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, place))


def linear(most: float, show: Callable[[float], str], ticks: int = 4) -> Scale:
    """Return a scale from 0 to a round number at or above `most`."""
    step = _round_up(max(most, 1e-9) / ticks)
    count = max(1, ceil(round(most / step, 6)))
    high = step * count
    return Scale(low=0.0, high=high, ticks=tuple(Tick(n / count, show(n * step)) for n in range(count + 1)))


def between(low: float, high: float, show: Callable[[float], str], ticks: int = 4) -> Scale:
    """Return a scale around these values that need not begin at 0: for differences, not for sizes."""
    step = _round_up(max(high - low, abs(high) * 0.02, 1e-9) / ticks)
    first, last = floor(round(low / step, 6)), ceil(round(high / step, 6))
    last = max(last, first + 1)
    marks = range(first, last + 1)
    found = tuple(Tick((n - first) / (last - first), show(round(n * step, 9))) for n in marks)
    return Scale(low=first * step, high=last * step, ticks=found)


def _round_up(value: float) -> float:
    """Return the next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= value * (1 - 1e-9))


def logarithmic(low: float, high: float, show: Callable[[float], str], ticks: int = 6) -> Scale:
    """Return a logarithmic scale around these values, with about this many ticks at most."""
    low, high = max(low, 1e-12), max(high, low, 1e-12)
    if high / low < 10:  # a decade around the values, so that a steady figure looks steady
        spread = (10 * low / high) ** 0.5
        low, high = low / spread, high * spread
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
    steps = [float(f"{factor}e{power}") for power in powers for factor in (1, 2, 5)]
    begin = max(step for step in steps if step <= low * (1 + 1e-9))
    end = min(step for step in steps if step >= high * (1 - 1e-9))
    scale = Scale(low=begin, high=end, is_log=True)
    inside = [step for step in steps if begin <= step <= end]
    for digits in ("15", "1"):
        if len(inside) > ticks:
            inside = [step for step in inside if f"{step:e}"[0] in digits]
    inside = inside[:: -(-len(inside) // ticks)] if len(inside) > 1 else [begin, end]
    return Scale(low=begin, high=end, is_log=True, ticks=tuple(Tick(scale(step), show(step)) for step in inside))


def clock(end: float) -> Scale:
    """Return the time axis of a test, in seconds from its start."""
    step = next((step for step in _CLOCK if end / step <= _MOST_TIMES), ceil(end / _MOST_TIMES / 86_400) * 86_400)
    count = floor(round(end / step, 6))
    every = 2 if count > 4 else 1
    ticks = [Tick(n * step / end, _moment(n * step, step), is_minor=n % every != 0) for n in range(count + 1)]
    close = [later for one, later in pairwise(ticks) if later.at - one.at < 0.02]
    return Scale(low=0.0, high=end, ticks=tuple(tick for tick in ticks if tick not in close))


def _moment(seconds: float, step: float) -> str:
    """Return a tick's time in the unit of its axis."""
    if not seconds:
        return "0"
    if step % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if step % 60 == 0 else f"{seconds:g} s"


def span(begin: float, end: float) -> str:
    """Return a stretch of time: 12-13 s, 1:05:00-1:05:36."""
    if end < 120:
        return f"{begin:.3g}\u2013{end:.3g} s"
    return f"{_hands(begin)}\u2013{_hands(end)}"


def _hands(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def time(nanoseconds: float | None) -> str:
    """Return a time in the unit that fits, with three digits: 850 µs, 12.4 ms, 1.25 s; a dash for None."""
    if nanoseconds is None:
        return NONE
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size * 0.9995:
            return f"{_digits(nanoseconds / size)} {unit}"
    return f"{nanoseconds:.0f} ns"


def times(low: float, high: float) -> str:
    """Return a stretch between two times, with one unit where both have the same: 91.8 to 144 ms."""
    first, last = time(low), time(high)
    value, _, unit = first.partition(" ")
    return f"{value} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def round_time(nanoseconds: float) -> str:
    """Return a tick's time without needless zeros: 1 ms, 0.5 s as 500 ms."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {unit}"
    return f"{nanoseconds:g} ns"


def number(value: float) -> str:
    """Return a number: 1,234, and with digits behind the point below 100: 12.3."""
    return (
        f"{value:,.0f}" if value >= 99.5 or value == round(value) else f"{value:.1f}" if value >= 10 else f"{value:.3g}"
    )


def round_number(value: float) -> str:
    """Return a tick's number: 2.5k, 10k, 1.5M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def round_share(value: float) -> str:
    """Return a tick's share in percent: 50 %, 12.5 %."""
    return f"{value * 100:g} %"


def share(value: float) -> str:
    """Return a share in percent with two digits, never rounded to 0 or to 100."""
    if value in (0, 1):
        return f"{value * 100:.0f} %"
    if value < 0.0001:
        return "< 0.01 %"
    return f"{value * 100:.2f} %" if value < 0.01 else f"{min(value * 100, 99.9):.1f} %"
