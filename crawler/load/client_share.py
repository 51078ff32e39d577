"""How much of a load test's percentiles may be the client's own: requests that it sent late, answers that it read late.

Rules
- Each percentile is judged by the lateness of the same rank, not by a mean: a few long pauses are in the tail, where
  they happened, and not in the median.
- It is a bound, not a fact: which answers were read late is not known, only how late the loop was all the time, so the
  slowest answers are taken for those that were read the latest.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crawler.core.histogram import FINE, percentile
from crawler.load.quantiles import MAIN_SHARES, quantile
from crawler.load.records import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The client's part of one percentile, at most; nanoseconds.

    Attributes:
        share: of the percentile.
        kind: "service" or "response", the time of which the client's part is the larger one.
        late: how late the client was, by the same percentile.
        time: what was measured.
    """

    share: float
    kind: str
    late: int
    time: int

    @property
    def part(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.late / self.time) if self.time else 0.0


def own_parts(total: Phase, lag: Mapping[int, int], *, is_open: bool) -> list[Own]:
    """The client's part of each percentile that the sample carries.

    An answer is read late by the loop's lag, which is in every service time. In an open loop a request may be sent
    late, too; and where late reading kept connections busy, waiting for them hides it from the response time. So the
    larger of both parts counts.
    """
    parts = []
    for share in MAIN_SHARES:
        read = percentile(lag, share, FINE) or 0
        sent = percentile(total.pacing, share, FINE) or 0
        candidates = [("service", read, quantile(total.service(), share, None if is_open else total.unanswered()))]
        if is_open:
            candidates.append(("response", read + sent, quantile(total.response, share, total.unanswered())))
        found = [Own(share=share, kind=kind, late=late, time=one.value) for kind, late, one in candidates if one]
        if found:
            parts.append(max(found, key=lambda own: own.part))
    return parts
