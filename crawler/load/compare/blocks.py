"""The blocks of a comparison: their order, and the figures of each.

Rules
- Blocks alternate as ABBA or BAAB, by seed, so a drift that is a straight line favours neither side.
- A block in which more than one request in a hundred failed says nothing of the server's speed; its errors count.
- A client that had no processor time left, or ran out of files or ports, spoils the whole block. One that was late
  spoils what that can explain: the rate, and each time of which its own part is as large as the verdict of a load test
  (CLIENT-BOUND) allows, a twentieth of the median and the mean, half of the p99.
- Percentiles of a block are taken as they are, however few requests it has: the bootstrap measures their scatter.
Runs on: anywhere (pure): chance comes in as a function.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import Meta

from crawler.core.histogram import FINE, mean, percentile
from crawler.core.reasons import Reason
from crawler.load.compare.estimates import Chance
from crawler.load.counts import Table, merged
from crawler.load.result import LoadResult, LoadVerdict

FAILED, CLIENT, FEW = "failing", "client-bound", "too few answers"
FAILING = 0.01
LATE = {"p50_ms": 0.05, "mean_ms": 0.05, "p99_ms": 0.5}
"""The client's part of a time, from 0 to 1, from which on it spoils the time."""
_LEAST = 20  # answers
BUSY = 0.9  # of a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: times in milliseconds, None where there is no such figure.

    Attributes:
        begin_s: seconds after the start of the comparison, or of the run that was saved.
        rate: requests per second that ended.
        errors: the share of requests without a good answer.
        fault: the reason why the block counts for nothing, or ("failing") only for the errors; "" = it counts.
        late: the metrics of which the client's own part is too large.
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
    late: tuple[str, ...] = ()

    def fault_of(self, metric: str) -> str:
        """Return the reason why a metric of the block counts for nothing; "" = it counts."""
        if self.fault == FAILED and metric == "errors":
            return ""
        return self.fault or (CLIENT if metric in self.late else "")


class SavedInterval(msgspec.Struct, frozen=True, kw_only=True):
    """A second of a run, as `crawler load --json` saves it."""

    begin_s: Annotated[float, Meta(ge=0)]
    seconds: Annotated[float, Meta(gt=0)]
    measured: bool
    ok: Annotated[int, Meta(ge=0)]
    failed: Annotated[int, Meta(ge=0)]
    p50_ms: Annotated[float, Meta(gt=0)] | None = None
    p99_ms: Annotated[float, Meta(gt=0)] | None = None
    cpu: Annotated[float, Meta(ge=0)] | None = None


def order(pairs: int, chance: Chance) -> str:
    """Return the order of blocks, such as "ABBABAAB": pairs of neighbours, one of each side."""
    quads = ["ABBA" if chance() < 0.5 else "BAAB" for _ in range((pairs + 1) // 2)]
    return "".join(quads)[: 2 * pairs]


def block_of(side: str, begin: float, result: LoadResult) -> Block:
    """Return the block that a load test is."""
    times = merged(result.response, result.unanswered)
    count = sum(times.values())
    p50, p99 = percentile(times, 0.5, FINE), percentile(times, 0.99, FINE)
    fault, late = "", tuple[str, ...]()
    if Reason.CLIENT_LIMIT in result.total.failures or max(client.cpu for client in result.clients) >= BUSY:
        fault = CLIENT
    elif result.error_rate > FAILING or result.verdict is LoadVerdict.NOTHING_OK:
        fault = FAILED
    elif result.verdict is LoadVerdict.CLIENT_BOUND:
        late = _spoilt(result, times)
    if not fault and count < _LEAST:
        fault = FEW
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
        late=late,
    )


def _spoilt(result: LoadResult, times: Table) -> tuple[str, ...]:
    """Return the metrics that a late client can explain."""
    tables = [result.lag, *([result.total.pacing] if result.asked.is_open else [])]
    late = {"p50_ms": 0.0, "p99_ms": 0.0, "mean_ms": 0.0}
    for table in tables:
        late["p50_ms"] += percentile(table, 0.5, FINE) or 0
        late["p99_ms"] += percentile(table, 0.99, FINE) or 0
        late["mean_ms"] += mean(table, FINE) or 0
    took = {
        "p50_ms": percentile(times, 0.5, FINE),
        "p99_ms": percentile(times, 0.99, FINE),
        "mean_ms": mean(times, FINE),
    }
    spoilt = [name for name, time in took.items() if time and late[name] / time >= LATE[name]]
    return (*spoilt, "rate")


def blocks_of(side: str, intervals: Sequence[SavedInterval], processes: int, late: tuple[str, ...] = ()) -> list[Block]:
    """Return the blocks of a saved run: its measured seconds, without a last one that is shorter.

    `late` are the metrics that its client spoilt.
    """
    measured = [each for each in intervals if each.measured]
    usual = measured[0].seconds if measured else 0.0
    found = (_saved_block(side, each, processes) for each in measured if each.seconds >= 0.99 * usual)
    return [replace(block, late=late) for block in found]


def _saved_block(side: str, each: SavedInterval, processes: int) -> Block:
    ended = each.ok + each.failed
    errors = each.failed / ended if ended else 0.0
    fault = ""
    if errors > FAILING:
        fault = FAILED
    elif each.cpu is not None and each.cpu >= BUSY * processes:
        fault = CLIENT
    elif ended < _LEAST:
        fault = FEW
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
