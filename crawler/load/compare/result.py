"""The result of a comparison: a verdict, an interval for each metric, the blocks behind them, and their JSON.

Rule: `to_dict` is the documented schema (docs/load.md): times in milliseconds, shares from 0 to 1.
Runs on: anywhere (pure).
"""

from dataclasses import asdict, dataclass
from enum import StrEnum

import msgspec

from crawler.load.compare.blocks import Block
from crawler.version import __version__

SCHEMA = 1


class CompareVerdict(StrEnum):
    """The verdict on a comparison."""

    REGRESSION = "REGRESSION"
    IMPROVEMENT = "IMPROVEMENT"
    NO_DIFFERENCE = "NO-DIFFERENCE"
    UNDECIDED = "UNDECIDED"
    WORTHLESS = "WORTHLESS"


_ADVICE = {
    CompareVerdict.REGRESSION: "B is worse beyond the tolerance",
    CompareVerdict.IMPROVEMENT: "B is better beyond the tolerance",
    CompareVerdict.NO_DIFFERENCE: "a smaller change than the smallest above may still be there",
    CompareVerdict.UNDECIDED: "more blocks (--blocks 40), or an idler machine",
    CompareVerdict.WORTHLESS: "mend that first: an idler machine, a lower rate or -c against CLIENT-BOUND; failures as "
    "`crawler load` shows them",
}


class Judgement(StrEnum):
    """The judgement on one metric."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NO_DIFFERENCE = "no difference"
    WORSE = "worse"
    BETTER = "better"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of both sides.

    Attributes:
        is_ratio: `change`, `low` and `high` are ratios B to A; False = differences B - A.
        is_better_high: a higher value is better.
        a, b: the trimmed means of the blocks.
        low, high: the interval; those of all metrics hold together with 95 %.
        smallest: the smallest change that such a comparison finds in 95 of 100 cases (0.03 = 3 %).
        blocks: values behind the interval, after those that depend on each other were merged.
        correlation: of neighbouring values that was left.
    """

    name: str
    unit: str
    is_ratio: bool
    is_better_high: bool
    a: float
    b: float
    change: float
    low: float
    high: float
    smallest: float
    judgement: Judgement
    blocks: int
    correlation: float

    @property
    def in_words(self) -> str:
        """Return the interval in words: `p99 4.1 to 8.9 % higher`."""
        low, high = (self.low - 1, self.high - 1) if self.is_ratio else (self.low, self.high)
        unit = "%" if self.is_ratio else "points"
        if low >= 0:
            return f"{self.name} {low * 100:.1f} to {high * 100:.1f} {unit} higher"
        if high <= 0:
            return f"{self.name} {-high * 100:.1f} to {-low * 100:.1f} {unit} lower"
        return f"{self.name} between {-low * 100:.1f} {unit} lower and {high * 100:.1f} {unit} higher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A metric that could not be judged, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison of A and B.

    Attributes:
        because: the figure that decided the verdict.
        a, b: the URLs, or the files.
        load: the load in words.
        tolerance: 0.05 = 5 %.
        are_pairs: the blocks of A and B alternated; False = two runs at different times.
        blocks: all blocks of both, in order of time, the first ones included.
        interrupted: the user ended it early.
        unjudged: metrics that could not be judged.
    """

    verdict: CompareVerdict
    because: str
    a: str
    b: str
    load: str
    tolerance: float
    are_pairs: bool
    metrics: tuple[Metric, ...]
    blocks: tuple[Block, ...]
    interrupted: bool = False
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def advice(self) -> str:
        """Return the next step."""
        if self.interrupted and self.verdict is CompareVerdict.WORTHLESS:
            return "let it run to its end, or take fewer and shorter blocks (--blocks 10, --block 1)"
        return _ADVICE[self.verdict]

    def to_json(self) -> str:
        """Return the result as JSON, on one line."""
        return msgspec.json.encode(self.to_dict()).decode()

    def to_dict(self) -> dict[str, object]:
        """Return the result as plain values."""
        facts = asdict(self)
        return {
            "schema": SCHEMA,
            "tool": f"crawler/{__version__}",
            "kind": "compare",
            **facts,
            "verdict": str(self.verdict),
            "advice": self.advice,
        }

    def text(self) -> str:
        """Return the report for a terminal of 80 columns."""
        from crawler.load.compare.report import compare_text  # noqa: PLC0415 - the report reads this class

        return compare_text(self)
