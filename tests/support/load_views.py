"""A capacity search and a comparison that have ended, made from a seed: for their pages."""

import random
from math import exp, sin

from crawler.load.page.capacity_page import CapacityRow, CapacityView
from crawler.load.page.compare_page import BlockRow, CompareRow, CompareView

_RATES = (
    *(("climb", 50.0), ("climb", 100.0), ("climb", 200.0), ("climb", 400.0), ("climb", 800.0), ("climb", 1600.0)),
    *(("drain", 100.0), ("bisect", 1131.0), ("bisect", 951.0), ("bisect", 873.0), ("bisect", 911.0)),
    *(("confirm", 873.0), ("confirm", 873.0), ("confirm", 911.0), ("confirm", 911.0), ("confirm", 873.0)),
)


def capacity_view() -> CapacityView:
    """A search that found an interval."""
    chance = random.Random(3)  # noqa: S311
    return CapacityView(
        url="http://127.0.0.1:8000/",
        slo="p99<50ms",
        limit="p99<50ms",
        limit_ms=50,
        low=873,
        high=911,
        because="At 873 requests per second 3 of 3 windows met p99<50ms; at 911 none of 2 did.",
        advice="keep a distance: at 700 per second the p99 is half as long",
        is_found=True,
        rows=[_window(rate, phase, chance) for phase, rate in _RATES],
        setup={"window": "10 s", "connections": "64", "own ceiling": "24,000 requests per second"},
    )


def _window(rate: float, phase: str, chance: random.Random) -> CapacityRow:
    use = rate / 1010
    p99 = 900 * use if use > 1 else 9.07 / (1 - use) * exp(chance.gauss(0, 0.04)) * (0.62 if use > 0.7 else 1)
    return CapacityRow(
        rate=rate,
        p50_ms=180 * use if use > 1 else 2.1 / (1 - use),
        p99_ms=p99,
        error_share=0.04 if use > 1.2 else 0,
        held=p99 < 50,
        verdict="OK" if use < 1 else "RATE-NOT-REACHED",
        phase=phase,
    )


def compare_view() -> CompareView:
    """A comparison whose B is 5 % slower, over a machine that wanders."""
    chance, blocks = random.Random(3), []  # noqa: S311
    for number in range(40):
        side, drift = "ABBABAAB"[number % 8], 1 + 0.05 * sin(number / 6)
        slower = drift * (1.05 if side == "B" else 1)
        values = {
            "p50": 5 * slower * exp(chance.gauss(0, 0.01)),
            "p99": 22 * slower * exp(chance.gauss(0, 0.06)),
            "rate": 900 / slower,
            "mean": 6 * drift,
        }
        blocks.append(BlockRow(side=side, begin_s=2 * number, seconds=2, values=values))
    return CompareView(
        a="http://127.0.0.1:8001/",
        b="http://127.0.0.1:8002/",
        verdict="SLOWER",
        tone="bad",
        because="B's p50 is 5 % longer (95 % interval +4.3 % to +5.7 %), beyond the tolerance of 2 %.",
        advice="look at what changed between A and B",
        tolerance=0.02,
        rows=[
            _metric("p50", "ms", (5.01, 5.26), (1.05, 1.043, 1.057), "worse"),
            _metric("p99", "ms", (22.4, 23.1), (1.03, 0.985, 1.079), "cannot tell"),
            _metric("rate", "/s", (900, 857), (0.952, 0.946, 0.958), "worse"),
            _metric("mean", "ms", (6, 6.02), (1.003, 0.994, 1.012), "no difference"),
            _metric("errors", "%", (None, 0.05), (None, None, None), "cannot tell"),
        ],
        blocks=blocks,
        setup={"blocks": "20 per side of 2 s, ABBA", "seed": "7"},
    )


def _metric(
    name: str,
    unit: str,
    sides: tuple[float | None, float | None],
    ratio: tuple[float | None, float | None, float | None],
    judgement: str,
) -> CompareRow:
    middle, low, high = ratio
    return CompareRow(
        name=name,
        unit=unit,
        a=sides[0],
        b=sides[1],
        ratio=middle,
        low=low,
        high=high,
        smallest_change=None if low is None or high is None else (high - low) * 0.8,
        judgement=judgement,
        sign=judgement if judgement in {"worse", "better"} else "",
    )
