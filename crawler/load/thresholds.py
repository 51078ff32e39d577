"""Thresholds of a load test, such as `p99<50ms` or `errors<0.1%`, and the check whether its result keeps them.

Rules
- Only a known figure passes: a percentile that the sample cannot carry, or of which only a lower bound is known, is not
  below any limit.
- A test that was interrupted, or limited by its client, passes no threshold at all.
Runs on: anywhere (pure).
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from crawler.core.errors import UsageError
from crawler.load.result import LoadResult, LoadVerdict

_WRITTEN = re.compile(r"\s*(p\d{1,2}(?:\.\d{1,4})?|mean|max|errors|rate)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(\S*)\s*")
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_UNITS = {"errors": {"%": 0.01, "": 1.0}, "rate": {"": 1.0, "/s": 1.0}}  # of all other figures: _TIMES
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXPECTED = "such as p99<50ms, mean<=5ms, max<1s, errors<0.1% or rate>=1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One threshold: a figure, a comparison, a limit (seconds, a share, or requests per second)."""

    text: str
    figure: str
    sign: str
    limit: float

    def check(self, result: LoadResult) -> tuple[bool, str]:
        """Return whether the result keeps the threshold, and the figure or the reason why it has none."""
        doubts = ["interrupted"] if result.interrupted else []
        doubts += ["client-bound"] if result.verdict is LoadVerdict.CLIENT_BOUND else []
        value, is_bound = self._value(result)
        if value is None:
            if not result.total.scheduled:
                missing = "nothing was sent"
            else:
                missing = result.wanting(self._share) if self.figure.startswith("p") else "no request was ok"
            return False, "; ".join([missing, *doubts])
        if self.figure == "errors":
            shown = f"{value * 100:.3g} %"
        else:
            shown = f"{value:,.0f}/s" if self.figure == "rate" else f"{value * 1000:.3f} ms"
        shown = f"{'at least ' if is_bound else ''}{shown}"
        is_known = not doubts and not (is_bound and self.sign in {"<", "<="})
        is_kept = is_known and _COMPARE[self.sign](value, self.limit)
        return is_kept, f"{shown}, but {' and '.join(doubts)}" if doubts else shown

    def _value(self, result: LoadResult) -> tuple[float | None, bool]:
        """Return the figure, and whether it is only a lower bound; None = the sample has none."""
        if self.figure == "errors":
            return (result.error_rate, False) if result.total.scheduled else (None, False)
        if self.figure == "rate":
            return result.requests_per_second, False
        if self.figure == "mean":
            return result.mean, bool(result.unanswered)
        if self.figure == "max":
            return result.max, bool(result.unanswered)
        found = result.quantile(self._share)
        return (found.value / 1e9, found.at_least) if found else (None, False)

    @property
    def _share(self) -> float:
        """Return the share of a percentile: 0.999 for p99.9."""
        return float(self.figure[1:]) / 100


def parse_threshold(text: str) -> Threshold:
    """Return a threshold from its text.

    Raises:
        UsageError: the text is no threshold.
    """
    match = _WRITTEN.fullmatch(text)
    scale = match and _UNITS.get(match[1], _TIMES).get(match[4])
    if not match or not scale:
        raise UsageError(f"--threshold {text[:60]!r}: expected a figure, a comparison and a limit, {_EXPECTED}")
    return Threshold(text=text.strip(), figure=match[1], sign=match[2], limit=float(match[3]) * scale)
