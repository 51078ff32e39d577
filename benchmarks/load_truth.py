"""The answers of `crawler capacity` and `crawler compare` where the truth is known, over many seeds.

Run with: python benchmarks/load_truth.py [--searches N] [--comparisons N]
Capacity: the real loops in virtual time against a queue whose percentiles have a formula (D/M/1). The claim is that the
interval holds the true capacity in 19 of 20 searches. Compare: blocks with a true change of 0, 1, 3 and 10 %, under
five kinds of noise. The claims are at most 5 % of false alarms over all metrics together, and that changes above the
stated smallest one are found in 95 of 100 cases. The power is reported.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.tables import Claim, show, verdict
from crawler.load.compare.judging import Rules, judge_blocks
from support.compared import Noise, alternating, correlated, drifting, heavy, normal, separate, waving
from support.queues import exponential_server, knee, searched

_DRAWS = 400


def main() -> int:
    """Measure both; the exit code is 0 when all claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--comparisons", type=int, default=2000)
    options = parser.parse_args()
    return verdict("load_truth", [*_capacity(options.searches), *_compare(options.comparisons)])


def _capacity(count: int) -> Iterator[Claim]:
    rows = []
    for share, limit, window, begin in (
        (0.9, 0.005, 2.0, 500.0),
        (0.9, 0.005, 5.0, 400.0),
        (0.9, 0.01, 5.0, 600.0),
        (0.99, 0.01, 5.0, 50.0),  # the default options
        (0.99, 0.05, 5.0, 50.0),
    ):
        truth = knee(1000, limit, share)
        slo = f"p{share * 100:g}<{limit * 1000:g}ms"
        ends = [
            searched(exponential_server(1000, seed), slo, from_rate=begin, window=window, settle=0.3)[0]
            for seed in range(count)
        ]
        found = [(search.low, search.high) for search in ends if search.low and search.high]
        held = sum(low <= truth <= high for low, high in found) / count
        width = median(high / low for low, high in found)
        high, low = sum(one > truth for one, _ in found), sum(other < truth for _, other in found)
        rows.append((slo, f"{window:g} s", f"{truth:.1f}/s", f"{held * 100:.1f} %", high, low, f"{width:.3f}", ""))
        yield Claim(f"capacity, {slo}, windows of {window:g} s", ">= 95 %", f"{held * 100:.1f} %", held >= 0.95)
    head = ("service level", "window", "truth", "held", "too high", "too low", "high/low", "")
    show(f"load_truth: {count} searches for the capacity of D/M/1 at 1,000/s each", head, rows)


def _compare(count: int) -> Iterator[Claim]:
    rows = []
    for name, noise, pairs in (
        ("independent", normal, True),
        ("correlated", correlated, True),
        ("drift", drifting, True),
        ("waves", waving, True),
        ("heavy tails", heavy, True),
        ("two runs", normal, False),
        ("two runs, correlated", correlated, False),
        ("two runs, heavy tails", heavy, False),
    ):
        cells, able, found, smallest = [], 0, 0, 0.0
        for change in (0.0, 0.01, 0.03, 0.1):
            claimed = 0
            for seed in range(count if not change else count // 4):
                metrics = _intervals(noise, change, seed, pairs=pairs)
                claimed += any(not low <= 1 <= high for low, high, _ in metrics)
                able += sum(least <= change for *_, least in metrics)
                found += sum(least <= change and not low <= 1 <= high for low, high, least in metrics)
                smallest += metrics[0][2] / count if not change else 0
            cells.append(claimed / (count if not change else count // 4))
        rows.append(
            (name, *(f"{cell * 100:.1f} %" for cell in cells), f"{smallest * 100:.1f} %", f"{found}/{able}", "")
        )
        yield Claim(f"compare, {name}: false alarms", "<= 5 %", f"{cells[0] * 100:.1f} %", cells[0] <= 0.05)
        seen = found / able if able else 1.0
        yield Claim(f"compare, {name}: found above the smallest", ">= 95 %", f"{seen * 100:.1f} %", seen >= 0.95)
    head = ("noise", "claims at 0 %", "at 1 %", "at 3 %", "at 10 %", "smallest, p50", "found above it", "")
    show(f"load_truth: {count} comparisons of a server with itself, and a quarter with each change", head, rows)


def _intervals(noise: Noise, change: float, seed: int, *, pairs: bool) -> list[tuple[float, float, float]]:
    """Return the interval of each ratio, and the smallest change that it would have shown."""
    a, b = (alternating if pairs else separate)(noise, change, seed)
    rules = Rules(are_pairs=pairs, is_open=False, tolerance=0.05, draws=_DRAWS)
    judged = judge_blocks(a, b, rules, Random(seed).random)
    return [(metric.low, metric.high, metric.smallest) for metric in judged.metrics if metric.is_ratio]


if __name__ == "__main__":
    sys.exit(main())
