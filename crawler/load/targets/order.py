"""The order in which targets are sent: one sequence for the whole test, of which each process sends every k-th.

Rules
- In file order and shuffled, a pass sends each target once; every pass has the same order.
- With weights each request is drawn at random, in proportion. A draw costs the same for any number of targets
  (Walker's alias method, with Vose's way to fill its tables).
- With a feed, the k-th use of a target takes row k of the feed, and begins anew behind the last one.
- The sequence follows from the seed alone: it is the same for any number of processes.
Runs on: anywhere (pure): chance comes in as a function.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from math import nextafter

_DRAWS = 256  # at once: they take some 10 us

Bits = Callable[[int], int]
"""`random.Random(seed).getrandbits`."""


def in_turn(places: Sequence[int] | None, count: int, rows: int, index: int, processes: int) -> Iterator[int]:
    """Yield the numbers of a process's share, without end: pass after pass over `count` targets.

    `places` has the targets in the order of a pass; None = 0, 1, 2... Target t has the requests t * rows to
    t * rows + rows - 1.
    """
    lap, at = divmod(index, count)
    laps, step = divmod(processes, count)
    row = lap % rows
    while True:
        target = at if places is None else places[at]
        yield target if rows == 1 else target * rows + row
        at += step
        row += laps
        if at >= count:
            at -= count
            row += 1
        if row >= rows:
            row %= rows


class Alias:
    """Tables of weighted draws: a draw falls on a place, which stands for itself below its threshold, or its alias."""

    def __init__(self, thresholds: Sequence[float], aliases: Sequence[int]) -> None:
        self.thresholds = thresholds
        self.aliases = aliases

    @classmethod
    def of(cls, weights: Sequence[float]) -> "Alias":
        """Return the tables of these weights, each above 0."""
        count = len(weights)
        scale = count / sum(weights)
        shares = array("d", (weight * scale for weight in weights))
        aliases, thresholds = array("I", range(count)), array("d", [1.0]) * count
        small, large = array("I"), array("I")
        for at, share in enumerate(shares):
            (small if share < 1.0 else large).append(at)
        while small and large:
            less, more = small.pop(), large[-1]
            thresholds[less], aliases[less] = shares[less], more
            shares[more] -= 1.0 - shares[less]
            if shares[more] < 1.0:
                small.append(large.pop())
        return cls(thresholds, aliases)  # what is left in small or large has a share of 1, but for rounding


def at_random(alias: Alias, bits: Bits, rows: int, index: int, processes: int) -> Iterator[int]:
    """Yield the numbers of a process's share of weighted draws, without end.

    With more than one row, a process makes the draws of the others, too: it has to know how often each target was used.
    """
    thresholds, aliases = alias.thresholds, alias.aliases
    scale = nextafter(len(thresholds) / (1 << 64), 0)  # so that the largest number does not round up to the end
    if rows == 1:
        for number in _numbers(bits, index, processes):
            place = number * scale
            at = int(place)
            yield at if place - at < thresholds[at] else aliases[at]
    used = array("I", bytes(4 * len(thresholds)))
    turn = processes - index
    for number in _numbers(bits, 0, 1):
        place = number * scale
        at = int(place)
        target = at if place - at < thresholds[at] else aliases[at]
        row = used[target]
        used[target] = 0 if row + 1 == rows else row + 1
        if turn == processes:
            turn = 0
            yield target * rows + row
        turn += 1


def _numbers(bits: Bits, index: int, processes: int) -> Iterator[int]:
    """Yield every `processes`-th of a sequence of random 64-bit numbers, from number `index` on."""
    while True:
        block = memoryview(bits(64 * _DRAWS).to_bytes(8 * _DRAWS, "little")).cast("Q")
        yield from block[index::processes].tolist()
        index = (index - _DRAWS) % processes
