"""The outcome of a load test for a script that must pass or fail: thresholds with their figures, and percentiles.

Rules
- A test has passed if `crawler load` would exit 0: it ran to its end, the server did not fail, and each threshold is
  kept.
- A percentile is below a limit if its whole 95 % interval is. One whose interval holds the limit is undecided, and the
  message says so.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from crawler.core.text import counted
from crawler.load.figures import label


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGate:
    """A threshold after the test: its text, whether it is kept, and the figure or the reason why there is none."""

    threshold: str
    is_kept: bool
    figure: str

    def __str__(self) -> str:
        return f"{self.threshold}: {self.figure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentileInterval:
    """A percentile of the response time and its 95 % confidence interval, in seconds.

    Attributes:
        samples: requests that it rests on.
        at_least: the value is a lower bound, since requests had no answer.
        most: the value had those requests never been answered; infinite = it would be theirs.
    """

    share: float
    value: float
    low: float
    high: float
    samples: int
    at_least: bool = False
    most: float = inf

    def __str__(self) -> str:
        sign = "at least " if self.at_least else ""
        interval = f"95 % interval {_ms(self.low)} to {_ms(self.high)}, {counted(self.samples, 'request')}"
        return f"{label(self.share)} is {sign}{_ms(self.value)} ({interval})"


def not_below(found: PercentileInterval, limit: float) -> str | None:
    """Return in words why a percentile is not below a limit in seconds; None = it is."""
    if found.low >= limit:
        return f"{found}: expected below {_ms(limit)}"
    if found.high >= limit:
        return f"{found}: undecided whether below {_ms(limit)}: test longer, which makes the interval narrower"
    if found.most >= limit:
        return f"{found}, and some requests had no answer: expected below {_ms(limit)}"
    return None


def missed(gates: Sequence[LoadGate]) -> list[str]:
    """Return the lines of a message on the gates that were not kept; empty = all were."""
    lost = [gate for gate in gates if not gate.is_kept]
    if not lost:
        return []
    return [f"missed {len(lost)} of {counted(len(gates), 'threshold')}", *(f"  {gate}" for gate in lost)]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.3f} ms"
