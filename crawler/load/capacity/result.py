"""The result of a capacity search: the interval of the capacity, the windows it rests on, and their JSON.

Rule: `to_dict` is the documented schema (docs/load.md): rates in requests per second, times in milliseconds, shares
from 0 to 1, None where the sample does not carry a figure.
Runs on: anywhere (pure).
"""

from dataclasses import asdict, dataclass

import msgspec

from crawler.load.capacity.search import CEILING_SHARE, Ending, Search
from crawler.load.capacity.windows import JUDGING, Outcome, Seen, Window
from crawler.load.quantiles import Quantile
from crawler.load.result import LoadSetup
from crawler.version import __version__

SCHEMA = 1
_WAITED, _AS_IDLE = 0.01, 1.2
_ADVICE = {
    Ending.NOTHING_OK: "see what is wrong with the server",
    Ending.FAILING: "see what is wrong with the server",
    Ending.FOUND: "run `crawler load --rate` at the lower end for longer before you promise it",
    Ending.HOLDS_THROUGHOUT: "the limit is higher: raise --to",
    Ending.NEVER_HOLDS: "a lower --from, or a looser --slo",
    Ending.CLIENT_BOUND: "more processes (-t 2) where cores are free, an idler machine, or a --to that is enough",
    Ending.DOES_NOT_RECOVER: "the server stays overloaded although the load is gone: look for retries, full queues and "
    "timeouts that are longer than the --slo; a longer --drain shows whether it recovers at all",
    Ending.UNSTEADY: "an idler machine, or longer windows (--window)",
    Ending.INTERRUPTED: "this is what was known until then",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """One window: its rate, what was seen in it, and its outcome.

    Attributes:
        rate: requests per second; None = as many as the client could send.
        outcome: "held", "missed" or "client-bound"; "" = the window judges no rate.
        because: the figures that decided it. why: the reason of a miss that tells the most, in a few words.
        answered: requests per second that ended.
        service_ms: the median service time. waited: the share of the requests that found every connection busy.
        errors: the share of requests without a good answer.
    """

    stage: str
    rate: float | None
    seconds: float
    outcome: str
    verdict: str
    because: str
    answered: float
    p50_ms: float | None
    p99_ms: float | None
    service_ms: float | None
    waited: float
    errors: float
    why: str = ""


def row_of(window: Window, seen: Seen) -> CapacityRow:
    """Return the row of a window."""
    is_judged = window.stage in JUDGING
    return CapacityRow(
        stage=str(window.stage),
        rate=window.rate,
        seconds=window.seconds,
        outcome=str(seen.outcome) if is_judged else "",
        verdict=str(seen.verdict),
        because=seen.because if is_judged else seen.said,
        answered=seen.answered,
        p50_ms=_milliseconds(seen.p50),
        p99_ms=_milliseconds(seen.p99),
        service_ms=_milliseconds(seen.service),
        waited=seen.waited,
        errors=seen.errors,
        why=seen.why if is_judged and seen.outcome is not Outcome.HELD else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityResult:
    """The capacity of a server: between `low` and `high` requests per second.

    Attributes:
        verdict: the end of the search; `because` is the figure that decided it, `advice` the next step.
        remedy: the next step that fits what was seen; "" = the one that fits every such verdict.
        low: the highest rate that held; None = none did. high: the lowest above it that did not; None = none is known.
        slo: the limits that had to hold.
        at_least: the rate that was demanded.
        ceiling: requests per second that this client can send on this machine; None = not measured.
        idle_ms: the median response time of the idle server.
        asked: the setup of the first window, with the target and the connections.
        rows: the windows, in order.
    """

    verdict: Ending
    because: str
    low: float | None
    high: float | None
    slo: tuple[str, ...]
    at_least: float | None
    ceiling: float | None
    idle_ms: float | None
    asked: LoadSetup
    rows: tuple[CapacityRow, ...]
    remedy: str = ""

    @property
    def advice(self) -> str:
        """Return the next step."""
        if self.is_connection_bound:
            return (
                f"more connections than -c {self.asked.connections}: at {self.high:,.12g}/s they were all busy, and "
                "the server answered as quickly as when it was idle"
            )
        return self.remedy or _ADVICE[self.verdict]

    @property
    def is_met(self) -> bool:
        """Return whether the service level holds at the demanded rate; at the lowest one, if none was demanded."""
        return self.low is not None and self.low >= (self.at_least or 0)

    @property
    def is_connection_bound(self) -> bool:
        """Return whether the connections were the limit: at `high` requests waited, and the server was no slower."""
        return any(
            row.waited > _WAITED and row.service_ms and self.idle_ms and row.service_ms <= _AS_IDLE * self.idle_ms
            for row in self.rows
            if row.outcome == Outcome.MISSED and row.rate == self.high
        )

    def to_json(self) -> str:
        """Return the result as JSON, on one line."""
        return msgspec.json.encode(self.to_dict()).decode()

    def to_dict(self) -> dict[str, object]:
        """Return the result as plain values."""
        asked = asdict(self.asked)
        return {
            "schema": SCHEMA,
            "tool": f"crawler/{__version__}",
            "kind": "capacity",
            "verdict": str(self.verdict),
            "because": self.because,
            "advice": self.advice,
            "low": self.low,
            "high": self.high,
            "slo": list(self.slo),
            "at_least": self.at_least,
            "is_met": self.is_met,
            "ceiling": self.ceiling,
            "ceiling_share": CEILING_SHARE,
            "idle_ms": self.idle_ms,
            "asked": {
                key: asked[key]
                for key in (
                    "url",
                    "address",
                    "method",
                    "connections",
                    "processes",
                    "keep_alive",
                    "arrivals",
                    "seed",
                    "timeout",
                    "good",
                    "targets",
                )
                if asked[key] is not None
            },
            "windows": [asdict(row) for row in self.rows],
        }

    def text(self, *, has_windows: bool = True) -> str:
        """Return the report for a terminal of 80 columns; `has_windows`: with the table of windows."""
        from crawler.load.capacity.report import capacity_text  # noqa: PLC0415 - the report reads this class

        return capacity_text(self, has_windows=has_windows)


def result_of(
    search: Search, asked: LoadSetup, slo: tuple[str, ...], at_least: float | None, rows: list[CapacityRow]
) -> CapacityResult:
    """Return what a search has found so far."""
    return CapacityResult(
        verdict=search.ending,
        because=search.because,
        low=search.low,
        high=search.high,
        slo=slo,
        at_least=at_least,
        ceiling=search.ceiling,
        idle_ms=_milliseconds(search.idle.p50) if search.idle else None,
        asked=asked,
        rows=tuple(rows),
        remedy=search.advice,
    )


def _milliseconds(time: Quantile | None) -> float | None:
    return None if time is None else time.value / 1e6
