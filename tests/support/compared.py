"""Blocks of two servers whose true difference is known."""

from collections.abc import Callable, Sequence
from math import exp, log1p, pi, sin, sqrt
from random import Random

from crawler.load.compare.blocks import Block, order

SPREAD = 0.03
Noise = Callable[[Random, int], list[float]]
"""A function that gives so many deviations (logarithms), one for each block in order of time."""


def normal(chance: Random, count: int) -> list[float]:
    """Blocks that do not depend on each other."""
    return [chance.gauss(0, SPREAD) for _ in range(count)]


def correlated(chance: Random, count: int, share: float = 0.5) -> list[float]:
    """Each block has half of its neighbour's deviation."""
    values = [chance.gauss(0, SPREAD)]
    while len(values) < count:
        values.append(share * values[-1] + sqrt(1 - share**2) * chance.gauss(0, SPREAD))
    return values


def drifting(chance: Random, count: int) -> list[float]:
    """Both servers become 30 % slower in the course of the comparison."""
    return [chance.gauss(0, SPREAD) + 0.3 * number / count for number in range(count)]


def waving(chance: Random, count: int) -> list[float]:
    """The machine is slower and quicker in waves, of which some last as long as a few blocks."""
    waves, begin = chance.uniform(0.5, 4), chance.uniform(0, 2 * pi)
    return [chance.gauss(0, SPREAD) + 0.2 * sin(begin + 2 * pi * waves * n / count) for n in range(count)]


def heavy(chance: Random, count: int) -> list[float]:
    """One block in ten meets something that makes it half as slow again, or more."""
    return [chance.gauss(0, SPREAD) + (chance.expovariate(2) if chance.random() < 0.1 else 0) for _ in range(count)]


def block(side: str, begin: float, deviation: float, chance: Random) -> Block:
    """A block that takes so much longer than usual; the p99 has a scatter of its own."""
    return Block(
        side=side,
        begin_s=begin,
        seconds=2.0,
        rate=1000 * exp(-deviation),
        p50_ms=5 * exp(deviation),
        p99_ms=20 * exp(deviation + chance.gauss(0, SPREAD)),
        mean_ms=6 * exp(deviation),
        errors=0.0,
    )


def alternating(noise: Noise, change: float, seed: int, pairs: int = 16) -> tuple[Sequence[Block], Sequence[Block]]:
    """The blocks of A and B, measured in turn; B takes 1 + `change` as long."""
    chance = Random(seed)  # noqa: S311
    sides = order(pairs, chance.random)
    found = [
        block(side, 2.0 * number, deviation + (log1p(change) if side == "B" else 0), chance)
        for number, (side, deviation) in enumerate(zip(sides, noise(chance, len(sides)), strict=True))
    ]
    return [one for one in found if one.side == "A"], [one for one in found if one.side == "B"]


def separate(noise: Noise, change: float, seed: int, count: int = 30) -> tuple[Sequence[Block], Sequence[Block]]:
    """The blocks of two runs, one after the other."""
    chance = Random(seed)  # noqa: S311
    a, b = (
        [block(side, float(n), deviation + more, chance) for n, deviation in enumerate(noise(chance, count))]
        for side, more in (("A", 0.0), ("B", log1p(change)))
    )
    return a, b
