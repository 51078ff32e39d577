"""The client's own part of a load test's percentiles: requests that it sent late, answers that it read late.

Rules
- Each percentile is compared with the lateness of the same rank, not with a mean: a few long pauses belong to the tail,
  where they happened, and not to the median.
- The part is an upper bound. The event loop's lag is known, but not which answers it delayed; so the slowest answers
  are taken for those that were read the latest.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crawler.core.histogram import FINE, percentile
from crawler.load.quantiles import MAIN_SHARES, quantile
from crawler.load.records import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientShare:
    """The client's part of one percentile, at most; nanoseconds.

    Attributes:
        share: the percentile, such as 0.99.
        kind: "service" or "response": the time of which the client's part is the larger one.
        late: the client's lateness at this percentile.
        time: the measured time at this percentile.
    """

    share: float
    kind: str
    late: int
    time: int

    @property
    def part(self) -> float:
        """Return the client's part of the measured time, from 0 to 1."""
        return min(1.0, self.late / self.time) if self.time else 0.0


def client_shares(total: Phase, lag: Mapping[int, int], *, is_open: bool) -> list[ClientShare]:
    """Return the client's part of each percentile that the sample carries.

    The loop's lag delays the reading of answers, so it is in every service time. In an open loop requests may be sent
    late, too. There, late reading also keeps connections busy, and the response time counts that as waiting; so the
    larger of both parts counts.
    """
    shares = []
    for share in MAIN_SHARES:
        read = percentile(lag, share, FINE) or 0
        sent = percentile(total.pacing, share, FINE) or 0
        times = [("service", read, quantile(total.service(), share, None if is_open else total.unanswered()))]
        if is_open:
            times.append(("response", read + sent, quantile(total.response, share, total.unanswered())))
        found = [ClientShare(share=share, kind=kind, late=late, time=time.value) for kind, late, time in times if time]
        if found:
            shares.append(max(found, key=lambda one: one.part))
    return shares
