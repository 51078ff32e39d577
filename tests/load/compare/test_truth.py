"""Comparisons of servers whose true difference is known."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from crawler.load.compare.blocks import Block, block_of, order
from crawler.load.compare.judging import Judged, Rules, judge_blocks
from crawler.load.compare.result import CompareVerdict, Judgement
from crawler.load.nanoseconds import SECOND
from support.compared import Noise, alternating, correlated, drifting, heavy, normal, separate, waving
from support.load_results import load_result
from support.simulation import simulated


def judged(
    noise: Noise, change: float, seed: int, *, pairs: bool = True, tolerance: float = 0.0, draws: int = 100
) -> Judged:
    """The judgement on blocks with this true change; few draws, since it is the blocks that scatter."""
    a, b = (alternating if pairs else separate)(noise, change, seed)
    rules = Rules(are_pairs=pairs, is_open=False, tolerance=tolerance, draws=draws)
    return judge_blocks(a, b, rules, Random(seed).random)  # noqa: S311


def claims(found: Judged) -> int:
    """The number of metrics whose interval does not hold "no change"."""
    return sum(not metric.low <= 1 <= metric.high for metric in found.metrics if metric.is_ratio)


def test_false_alarms_are_at_most_one_in_twenty_over_all_metrics() -> None:
    """1,000 comparisons of a server with itself: in at most 50 does any metric claim a change, at no tolerance."""
    alarms = sum(claims(judged(normal, 0, seed)) > 0 for seed in range(1000))

    assert alarms <= 50


@pytest.mark.parametrize(
    ("noise", "pairs"),
    [(correlated, True), (drifting, True), (waving, True), (heavy, True), (correlated, False), (heavy, False)],
)
def test_no_kind_of_noise_makes_more_false_alarms(noise: Noise, *, pairs: bool) -> None:
    """Neighbours that depend on each other, drift, waves and heavy tails: at most 5 % of 200 comparisons."""
    alarms = sum(claims(judged(noise, 0, seed, pairs=pairs)) > 0 for seed in range(200))

    assert alarms <= 10


def busy(blocks: Sequence[Block], chance: Random) -> list[Block]:
    """The blocks of a busy machine: in every seventh the client is late, so its p99 and its rate are the client's."""
    return [
        replace(block, late=("p99_ms", "rate"), p99_ms=(block.p99_ms or 0) * 3, rate=block.rate * 0.9)
        if chance.random() < 0.15
        else block
        for block in blocks
    ]


def test_blocks_with_a_late_client_raise_no_false_alarms() -> None:
    """In 1,000 comparisons of a server with itself at most 50 claims; all judge the median, and most the p99."""
    alarms = tails = 0
    for seed in range(1000):
        a, b = (busy(side, Random(seed + number)) for number, side in enumerate(alternating(normal, 0, seed)))  # noqa: S311
        rules = Rules(are_pairs=True, is_open=False, tolerance=0.0, draws=100)
        found = judge_blocks(a, b, rules, Random(seed).random)  # noqa: S311
        alarms += claims(found) > 0
        tails += any(metric.name == "p99" for metric in found.metrics)
        assert found.metrics[0].name == "p50"

    assert alarms <= 50
    assert 500 < tails < 1000


@pytest.mark.parametrize("change", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("pairs", [True, False])
def test_a_change_above_the_smallest_is_found_in_95_of_100(change: float, *, pairs: bool) -> None:
    """A comparison that states to see such a change sees it."""
    able = found = 0
    for seed in range(100):
        for metric in judged(normal, change, seed, pairs=pairs).metrics:
            if metric.is_ratio and metric.smallest <= change:
                able += 1
                found += not metric.low <= 1 <= metric.high

    assert found >= 0.95 * able
    assert able > 150 or change < 0.1  # blocks that scatter by 3 % cannot promise to see 1 %


def test_a_change_beyond_the_tolerance_is_a_regression() -> None:
    """25 % against a tolerance of 5 %, and the other way round an improvement."""
    worse, better = judged(normal, 0.25, 1, tolerance=0.05), judged(normal, -0.2, 1, tolerance=0.05)

    assert (worse.verdict, better.verdict) == (CompareVerdict.REGRESSION, CompareVerdict.IMPROVEMENT)
    assert worse.because.startswith("p50 2")
    assert [metric.judgement for metric in worse.metrics[:3]] == [Judgement.REGRESSION] * 3


def test_no_difference_is_said_only_when_it_would_have_been_seen() -> None:
    """At a tolerance of 10 % these blocks can tell, at one of 2 % they cannot."""
    wide, narrow = judged(normal, 0, 1, tolerance=0.1), judged(normal, 0, 1, tolerance=0.02)

    assert wide.verdict is CompareVerdict.NO_DIFFERENCE
    assert "would have been seen" in wide.because
    assert narrow.verdict is CompareVerdict.UNDECIDED


@pytest.mark.parametrize(("change", "verdict"), [(0.0, "NO-DIFFERENCE"), (0.1, "REGRESSION")])
def test_the_real_loops_in_virtual_time_are_compared(change: float, verdict: str) -> None:
    """A closed loop of four users on a worker of about a millisecond, in blocks of a second; B takes 10 % longer."""
    chance = Random(4)  # noqa: S311
    sides = []
    for number, side in enumerate(order(16, chance.random)):
        free, mean = [0], 1e6 * (1 + change * (side == "B"))

        def latency(_: int, now: int, free: list[int] = free, mean: float = mean) -> int:
            free[0] = max(free[0], now) + round(mean * chance.uniform(0.5, 1.5))
            return free[0] - now

        loop, _ = simulated(latency, seconds=1.0, connections=4, warmup=0.1)
        result = load_result(loop.phases, loop.setup.gauge.client.lag, connections=4)
        sides.append(block_of(side, number * SECOND / 1e9, result))

    rules = Rules(are_pairs=True, is_open=False, tolerance=0.05, draws=500)
    a, b = ([block for block in sides if block.side == side] for side in "AB")
    found = judge_blocks(a, b, rules, chance.random)

    assert found.verdict == verdict
    assert all(metric.low <= 1 + change <= metric.high for metric in found.metrics if metric.name == "p50")
