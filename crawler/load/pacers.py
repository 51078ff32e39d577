"""The schedule of an open loop: a constant rate, Poisson arrivals or stages, decided before anything is sent.

Strategy: a `Curve` gives the moment at which a given amount of requests has come due. A pacer gives the amount that
belongs to request n: exactly n (regular), or a sum of exponential gaps (Poisson, by the time-rescaling theorem, at any
rate).
Rules
- All numbers are whole: nanoseconds, thousandths of a request per second, 10^-12 requests. So a schedule never drifts,
  and a seed gives the same schedule for any number of processes.
- Between two stages the rate changes in a straight line, as in k6; equal rates make a plateau.
Runs on: anywhere (pure): chance comes in as a function.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt, log

from crawler.core.protocols import Pacer
from crawler.load.nanoseconds import SECOND

UNIT = 1000 * SECOND  # one request, as (thousandths per second) x (nanoseconds)


@dataclass(frozen=True, slots=True)
class RateStage:
    """A part of a schedule, in which the rate changes linearly from `start` to `end` (thousandths of a request/s).

    Attributes:
        length: nanoseconds; None = without end, at the rate `start`.
    """

    length: int | None
    start: int
    end: int

    @property
    def amount(self) -> int | None:
        """Return the amount that comes due, in 1/UNIT requests; None = without end."""
        return None if self.length is None else (self.start + self.end) * self.length // 2

    def when(self, amount: int) -> int:
        """Return the nanoseconds from the stage's start until this amount, less than the stage's own, has come due."""
        slope = self.end - self.start
        if slope == 0 or self.length is None:
            return -(-amount // self.start)
        # slope * t^2 + b * t = c, solved in the form that loses no digits whichever sign the slope has.
        b, c = 2 * self.length * self.start, 2 * self.length * amount
        return 2 * c // (b + isqrt(b * b + 4 * slope * c)) if c else 0


class Curve:
    """The rate over time: stages end to end."""

    def __init__(self, stages: Sequence[RateStage]) -> None:
        self._stages: list[RateStage] = []
        self._times: list[int] = []  # when each stage begins
        self._amounts: list[int] = []  # due before each stage
        time = amount = 0
        for stage in stages:
            if stage.amount == 0 and stage.length is not None:
                time += stage.length
                continue
            self._stages.append(stage)
            self._times.append(time)
            self._amounts.append(amount)
            time += stage.length or 0
            amount += stage.amount or 0
        is_endless = any(stage.length is None for stage in stages)
        self.length: int | None = None if is_endless else time
        self.amount: int | None = None if is_endless else amount

    def when(self, amount: int) -> int | None:
        """Return the nanosecond at which this amount has come due; None = never."""
        if self.amount is not None and amount >= self.amount:
            return None
        number = bisect_right(self._amounts, amount) - 1
        return self._times[number] + self._stages[number].when(amount - self._amounts[number])


class Regular:
    """Requests as even as the curve allows; the first is due at once."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        return self._curve.when(n * UNIT)


class Poisson:
    """Poisson arrivals, as of many independent users; `due` is called in order.

    Args:
        chance: uniform in [0, 1), such as `random.Random(seed).random`.
    """

    def __init__(self, curve: Curve, chance: Callable[[], float]) -> None:
        self._curve = curve
        self._chance = chance
        self._amount = 0
        self._drawn = 0

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        while self._drawn <= n:
            self._amount += int(-log(1.0 - self._chance()) * UNIT)
            self._drawn += 1
        return self._curve.when(self._amount)


class Share:
    """One process's share of a schedule: every `count`-th request, from number `index` on."""

    def __init__(self, whole: Pacer, index: int, count: int) -> None:
        self._whole = whole
        self._index = index
        self._count = count

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        return self._whole.due(n * self._count + self._index)


class First:
    """The first `limit` requests of a schedule."""

    def __init__(self, whole: Pacer, limit: int) -> None:
        self._whole = whole
        self._limit = limit

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        return self._whole.due(n) if n < self._limit else None


class Until:
    """The requests of a schedule that are due before a moment."""

    def __init__(self, whole: Pacer, end: int) -> None:
        self._whole = whole
        self._end = end

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        due = self._whole.due(n)
        return None if due is None or due >= self._end else due
