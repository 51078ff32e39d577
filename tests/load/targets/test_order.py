"""load.targets.order: one sequence of targets for the whole test, in file order, shuffled or drawn by weight."""

import random
from array import array
from collections.abc import Iterator
from itertools import islice

import pytest

from crawler.load.targets.order import Alias, at_random, in_turn

DRAWS = 100_000
CHI_SQUARE = {9: 27.877, 4: 18.467}  # quantiles of 0.999, by degrees of freedom


def drawn(alias: Alias, seed: int, rows: int = 1, index: int = 0, processes: int = 1) -> Iterator[int]:
    """A process's share of the draws of a seed."""
    return at_random(alias, random.Random(seed).getrandbits, rows, index, processes)  # noqa: S311


def together(shares: list[Iterator[int]], count: int) -> list[int]:
    """The sequence that the processes send together: one of each in turn."""
    return [next(shares[number % len(shares)]) for number in range(count)]


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7, 8, 9])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_file_s_order_is_that_of_any_number_of_processes(processes: int, rows: int) -> None:
    """Each pass sends each target once, and the k-th use of a target takes row k."""
    shares = [in_turn(None, 4, rows, index, processes) for index in range(processes)]

    sent = together(shares, 4 * rows * 3)

    assert sent == [target * rows + lap % rows for lap in range(rows * 3) for target in range(4)]


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_an_order_is_kept_in_every_pass(processes: int) -> None:
    """The places are those of a permutation."""
    shares = [in_turn(array("I", [2, 0, 1]), 3, 1, index, processes) for index in range(processes)]

    assert together(shares, 9) == [2, 0, 1] * 3


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("weights", [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 1, 100, 0.5, 1]])
def test_weighted_draws_are_in_proportion(processes: int, weights: list[float]) -> None:
    """100,000 draws pass a chi-square test at 0.001, and each process's own draws, too."""
    alias = Alias.of(weights)
    shares = [drawn(alias, 7, 1, index, processes) for index in range(processes)]

    each = [list(islice(share, DRAWS // processes)) for share in shares]

    for draws in [*each, [number for share in each for number in share]]:
        expected = [len(draws) * weight / sum(weights) for weight in weights]
        found = [draws.count(number) for number in range(len(weights))]
        distance = sum((a - b) ** 2 / b for a, b in zip(found, expected, strict=True))
        assert distance < CHI_SQUARE[len(weights) - 1]


def test_a_chi_square_sees_wrong_weights() -> None:
    """The test above would notice a weight that is a tenth too large."""
    alias = Alias.of([1.1, *[1] * 9])
    draws = list(islice(drawn(alias, 7), DRAWS))

    distance = sum((draws.count(number) - DRAWS / 10) ** 2 / (DRAWS / 10) for number in range(10))

    assert distance > CHI_SQUARE[9]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("processes", [2, 3, 300])
def test_weighted_draws_are_those_of_any_number_of_processes(processes: int, rows: int) -> None:
    """The seed alone decides; the k-th use of a target takes row k, wherever it is sent from."""
    alias = Alias.of([1, 5, 2])

    def shares(count: int) -> list[Iterator[int]]:
        return [drawn(alias, 3, rows, index, count) for index in range(count)]

    alone, shared = together(shares(1), 2000), together(shares(processes), 2000)

    assert alone == shared
    uses = [[number % rows for number in alone if number // rows == target] for target in range(3)]
    assert uses == [[use % rows for use in range(len(each))] for each in uses]


def test_another_seed_draws_otherwise() -> None:
    """Two seeds do not give the same sequence."""
    alias = Alias.of([1, 2, 3])

    draws = [list(islice(drawn(alias, seed), 50)) for seed in (1, 2)]

    assert draws[0] != draws[1]
