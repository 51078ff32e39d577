"""What a load test found: the records of all processes as one result, its figures, and its JSON.

Rules
- A figure that the sample cannot carry is None, never a guess.
- The response time of a request without an answer is known to be at least so much, and counts so.
- `to_json` is the documented schema (docs/load.md): times in milliseconds, shares from 0 to 1.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property

import msgspec

from crawler.core.histogram import FINE, mean, middle
from crawler.load.client_share import own_parts
from crawler.load.figures import label, phase_figures, times
from crawler.load.quantiles import Quantile, needed, quantile
from crawler.load.records import ClientCost, Phase, Table, merged, sum_up
from crawler.version import __version__

SCHEMA = 1


class LoadVerdict(StrEnum):
    """What the figures are worth; the first that applies."""

    NOTHING_OK = "NOTHING-OK"
    TOO_SHORT = "TOO-SHORT"
    CLIENT_BOUND = "CLIENT-BOUND"
    RATE_NOT_REACHED = "RATE-NOT-REACHED"
    SERVER_BOUND = "SERVER-BOUND"
    OK = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSetup:
    """What the test was to be.

    Attributes:
        address: where connections went.
        mode: "closed", or "open" where a schedule decided.
        rate: requests per second; None = as many as the connections manage, or stages.
        stages: (seconds, rate at its end).
        good: which answers count as good.
        allowed_host: the host that the user said may be tested, though it is not this machine.
        shares_machine: the server is on this machine, so the client takes processor time from it.
    """

    url: str
    address: str
    method: str
    mode: str
    connections: int
    processes: int
    keep_alive: bool
    timeout: float
    grace: float
    cores: int
    good: str
    rate: float | None = None
    arrivals: str | None = None
    seed: int | None = None
    stages: tuple[tuple[float, float], ...] = ()
    duration: float | None = None
    requests: int | None = None
    warmup: float = 0.0
    insecure: bool = False
    allowed_host: str | None = None
    shares_machine: bool = True


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """The result of a load test; times in seconds.

    Attributes:
        verdict: what the figures are worth, `because` the figure that decided it, and `advice` what to do next.
        interrupted: it was ended before its time.
        gave_up: it ended itself, since not one connection could be opened.
    """

    asked: LoadSetup
    phases: tuple[Phase, ...]
    clients: tuple[ClientCost, ...]
    verdict: LoadVerdict
    because: str
    advice: str = ""
    interrupted: bool = False
    gave_up: bool = False

    @cached_property
    def total(self) -> Phase:
        """All measured phases as one."""
        return sum_up(self.phases)

    @cached_property
    def service(self) -> Table:
        """Times from sending to the end of the answer (nanoseconds)."""
        return self.total.service()

    @cached_property
    def response(self) -> Table:
        """Times from the due moment to the end of the answer; in a closed loop a request is due when it is sent."""
        return self.total.response if self.asked.mode == "open" else self.service

    @cached_property
    def unanswered(self) -> Table:
        """Lower bounds of the response times of requests without an answer."""
        return self.total.unanswered()

    @cached_property
    def lag(self) -> Table:
        """How late the event loops were."""
        return merged(*(client.lag for client in self.clients))

    @property
    def seconds(self) -> float:
        """How long was measured."""
        return self.total.seconds

    @property
    def requests_per_second(self) -> float:
        """Requests that ended, well or not, within the measured time."""
        return self.total.rate

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many requests were scheduled, and how they ended."""
        return {"scheduled": self.total.scheduled, **self.total.outcomes}

    @property
    def error_rate(self) -> float:
        """The share of requests that failed, timed out or were never sent."""
        ended = self.total.outcomes
        bad = ended["failed"] + ended["timed_out"] + ended["shed"]
        return bad / self.total.scheduled if self.total.scheduled else 0.0

    def quantile(self, share: float) -> Quantile | None:
        """A percentile of the response time, with its confidence interval; None = the sample cannot carry it."""
        return quantile(self.response, share, self.unanswered)

    def wanting(self, share: float) -> str:
        """What the sample lacks to carry a percentile of the response time."""
        have = sum(self.response.values()) + sum(self.unanswered.values())
        kind = "ok or unanswered" if self.unanswered else "ok"
        return f"{needed(share):,} {kind} requests are needed, {have:,} {'is' if have == 1 else 'are'} here"

    def percentile(self, percent: float) -> float | None:
        """A percentile of the response time in seconds; None = the sample cannot carry it."""
        found = self.quantile(percent / 100)
        return found.value / 1e9 if found else None

    @property
    def p50(self) -> float | None:
        """The median response time in seconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        """The response time that nine of ten requests stay within."""
        return self.percentile(90)

    @property
    def p99(self) -> float | None:
        """The response time that 99 % stay within."""
        return self.percentile(99)

    @property
    def p999(self) -> float | None:
        """The response time that 99.9 % stay within."""
        return self.percentile(99.9)

    @property
    def mean(self) -> float | None:
        """The mean response time of the answers in seconds."""
        found = mean(self.response, FINE)
        return None if found is None else found / 1e9

    @property
    def max(self) -> float | None:
        """The longest response time in seconds, that of unanswered requests (at least) included."""
        worst = max([*self.response, *self.unanswered], default=None)
        return None if worst is None else middle(worst, FINE) / 1e9

    @property
    def client_share(self) -> dict[str, float]:
        """The client's own part of each percentile (p50, p90...), at most, 0 to 1: late sending and late reading."""
        parts = own_parts(self.total, self.lag, is_open=self.asked.mode == "open")
        return {label(own.share): own.part for own in parts}

    def to_json(self) -> str:
        """The report as JSON, on one line."""
        return msgspec.json.encode(self.to_dict()).decode()

    def to_dict(self) -> dict[str, object]:
        """The report as plain values."""
        return {
            "schema": SCHEMA,
            "tool": f"crawler/{__version__}",
            "verdict": str(self.verdict),
            "because": self.because,
            "advice": self.advice,
            "interrupted": self.interrupted,
            "asked": {key: value for key, value in asdict(self.asked).items() if value not in (None, ())},
            **phase_figures(self.total, is_open=self.asked.mode == "open"),
            "client": _client_figures(self),
            "phases": [phase_figures(phase, is_open=self.asked.mode == "open") for phase in self.phases],
        }


def _client_figures(result: LoadResult) -> dict[str, object]:
    return {
        "processes": [{"cpu": client.cpu, "cpu_seconds": client.cpu_seconds} for client in result.clients],
        "cpu_us_per_request": cpu_per_request(result),
        "share_at_most": result.client_share,
        "loop_lag_ms": times(result.lag),
        "gc_pauses_ms": times(merged(*(client.pauses for client in result.clients))),
    }


def cpu_per_request(result: LoadResult) -> float | None:
    """Microseconds of processor time that one request cost this tool."""
    answered = result.total.answered
    return sum(client.cpu_seconds for client in result.clients) * 1e6 / answered if answered else None
