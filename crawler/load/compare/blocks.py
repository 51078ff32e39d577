"""The blocks of a comparison: their order, and the figures of each.

Rules
- Blocks alternate as ABBA or BAAB, by seed, so a drift that is a straight line favours neither side.
- A block in which the client was the limit, or in which more than one request in a hundred failed, says nothing of the
  server's speed.
- Percentiles of a block are taken as they are, however few requests it has: the bootstrap measures their scatter.
Runs on: anywhere (pure): chance comes in as a function.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from crawler.core.histogram import FINE, percentile
from crawler.load.compare.estimates import Chance
from crawler.load.counts import merged
from crawler.load.result import LoadResult, LoadVerdict

FAILING = 0.01
_LEAST = 20  # answers
_BUSY = 0.9  # of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: times in milliseconds, None where there is no such figure.

    Attributes:
        begin_s: seconds after the start of the comparison, or of the run that was saved.
        rate: requests per second that ended.
        errors: the share of requests without a good answer.
        fault: the reason why the block counts for nothing; "" = it counts.
    """

    side: str
    begin_s: float
    seconds: float
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    mean_ms: float | None
    errors: float
    fault: str = ""


class SavedInterval(msgspec.Struct, frozen=True, kw_only=True):
    """A second of a run, as `crawler load --json` saves it."""

    begin_s: float
    seconds: float
    measured: bool
    ok: int
    failed: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu: float | None = None


def order(pairs: int, chance: Chance) -> str:
    """Return the order of blocks, such as "ABBABAAB": pairs of neighbours, one of each side."""
    quads = ["ABBA" if chance() < 0.5 else "BAAB" for _ in range((pairs + 1) // 2)]
    return "".join(quads)[: 2 * pairs]


def block_of(side: str, begin: float, result: LoadResult) -> Block:
    """Return the block that a load test is."""
    times = merged(result.response, result.unanswered)
    count = sum(times.values())
    p50, p99 = percentile(times, 0.5, FINE), percentile(times, 0.99, FINE)
    fault = ""
    if result.error_rate > FAILING or result.verdict is LoadVerdict.NOTHING_OK:
        fault = "failing"
    elif result.verdict is LoadVerdict.CLIENT_BOUND:
        fault = "client-bound"
    elif count < _LEAST:
        fault = "too few answers"
    return Block(
        side=side,
        begin_s=begin,
        seconds=result.seconds,
        rate=result.requests_per_second,
        p50_ms=None if p50 is None else p50 / 1e6,
        p99_ms=None if p99 is None else p99 / 1e6,
        mean_ms=None if result.mean is None else result.mean * 1000,
        errors=result.error_rate,
        fault=fault,
    )


def blocks_of(side: str, intervals: Sequence[SavedInterval], processes: int) -> list[Block]:
    """Return the blocks of a saved run: its measured seconds, without a last one that is shorter."""
    measured = [each for each in intervals if each.measured]
    usual = measured[0].seconds if measured else 0.0
    return [_saved_block(side, each, processes) for each in measured if each.seconds >= 0.99 * usual]


def _saved_block(side: str, each: SavedInterval, processes: int) -> Block:
    ended = each.ok + each.failed
    errors = each.failed / ended if ended else 0.0
    fault = ""
    if errors > FAILING:
        fault = "failing"
    elif each.cpu is not None and each.cpu >= _BUSY * processes:
        fault = "client-bound"
    elif ended < _LEAST:
        fault = "too few answers"
    return Block(
        side=side,
        begin_s=each.begin_s,
        seconds=each.seconds,
        rate=ended / each.seconds,
        p50_ms=each.p50_ms,
        p99_ms=each.p99_ms,
        mean_ms=None,
        errors=errors,
        fault=fault,
    )
