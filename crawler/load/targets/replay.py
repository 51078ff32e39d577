"""The times of a file as a schedule: the first request is due at once, the others as long after it as in the file.

Rules
- Gaps are kept, however long they are; the factor divides every time, so 2 is twice as fast.
- A file whose times are all whole seconds does not know more, and would send each second's requests as one burst. They
  are spread evenly within their second, in the order of the file.
- Requests of the same moment keep the order of the file.
Runs on: anywhere (pure).
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction

from crawler.core.errors import UsageError
from crawler.load.nanoseconds import SECOND

_TOO_LONG = 100 * 365 * 86400 * SECOND
_PLACE = 24  # bits: more than there are requests in a store


class Replay:
    """The schedule of a replay."""

    def __init__(self, dues: Sequence[int]) -> None:
        self._dues = dues
        self.count = len(dues)

    @property
    def length(self) -> int:
        """Return the nanoseconds from the start to the last request."""
        return self._dues[-1]

    def before(self, end: int) -> int:
        """Return the number of requests that are due before this moment."""
        return bisect_left(self._dues, end)

    def due(self, n: int) -> int | None:
        """Return the nanosecond after the start at which request n is due; None = the schedule has ended."""
        return self._dues[n] if n < self.count else None


def time_order(moments: "array[int]") -> "array[int] | None":
    """Return the numbers of the requests in the order of their moments; None = they are in order."""
    if all(map(int.__le__, moments, memoryview(moments)[1:])):
        return None
    first = min(moments)
    # One number of moment and place takes a third of the memory that places with keys of their own would take.
    packed = sorted((moment - first) << _PLACE | place for place, moment in enumerate(moments))
    return array("I", (number & ((1 << _PLACE) - 1) for number in packed))


def is_coarse(moments: Sequence[int]) -> bool:
    """Return whether two requests share a moment and all moments are whole seconds."""
    return not any(moment % SECOND for moment in moments) and len(set(moments)) < len(moments)


def spread(moments: "array[int]") -> None:
    """Spread the requests of each second evenly within it; the moments are in order."""
    first, count = 0, len(moments)
    while first < count:
        second, last = moments[first], first + 1
        while last < count and moments[last] == second:
            last += 1
        among = last - first
        for number in range(1, among):
            moments[first + number] = second + number * SECOND // among
        first = last


def offsets(moments: "array[int]", factor: float) -> None:
    """Turn moments, in order, into nanoseconds after the first one, divided by the factor.

    Raises:
        UsageError: the last one would be too far away for a number of 64 bits.
    """
    ratio = Fraction(str(factor))
    first = moments[0]
    if (moments[-1] - first) * ratio.denominator // ratio.numerator >= _TOO_LONG:
        raise UsageError(f"--replay={factor:g}: the test would last longer than 100 years: check the file's times")
    for number, moment in enumerate(moments):
        moments[number] = (moment - first) * ratio.denominator // ratio.numerator
