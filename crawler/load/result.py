"""The result of a load test: the records of all processes as one, their figures, and their JSON.

Rules
- A figure that the sample cannot carry is None, never a guess.
- A request without an answer counts at the lower bound of its response time.
- `to_json` is the documented schema (docs/load.md): times in milliseconds, shares from 0 to 1.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Self

import msgspec

from crawler.core.errors import LoadTestFailed
from crawler.core.histogram import FINE, mean, middle
from crawler.load.client_share import client_shares
from crawler.load.counts import Table, merged
from crawler.load.figures import interval_figures, label, login_figures, phase_figures, times
from crawler.load.gates import LoadGate, PercentileInterval, missed, not_below
from crawler.load.intervals import Interval
from crawler.load.quantiles import Quantile, quantile, share_of, wanting
from crawler.load.records import ClientCost, Phase, sum_up
from crawler.version import __version__

SCHEMA = 2


class LoadVerdict(StrEnum):
    """The verdict on the figures: the first that applies."""

    NOTHING_OK = "NOTHING-OK"
    FAILING = "FAILING"
    TOO_SHORT = "TOO-SHORT"
    CLIENT_BOUND = "CLIENT-BOUND"
    RATE_NOT_REACHED = "RATE-NOT-REACHED"
    SERVER_BOUND = "SERVER-BOUND"
    OK = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSetup:
    """The setup of a test: its target, its load and its rules.

    Attributes:
        address: of the server, as it was dialled.
        mode: "closed" or "open" loop.
        rate: requests per second; None = as many as the connections manage, or stages.
        stages: (seconds, rate at its end).
        good: the rule for a good answer, in words.
        allowed_host: the host of another machine that the user allowed (--i-may-test).
        hosts: number of hosts that get requests.
        has_user_stages: the stages give numbers of users.
        may_pause: users think, or run a script that may.
        targets: in words, which requests are sent; None = always the same.
        notes: what else the report says of them.
        shares_machine: the server is on this machine, so client and server compete for its processors.
        allowed_errors, allowed_checks: the largest share of errors, or of failed checks, that a threshold allows;
            None = no threshold names them.
        replay: so many times as fast as the file of targets; None = it is no replay.
        think: the shortest and the longest pause of a user after an answer, in seconds; None = there is none.
        user_cookies: each user keeps its own cookies.
        steps: each user sends all targets in order.
        login, feed, script: names of files; None = there is no such file.
        shuffle: the targets come in a random order.
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
    hosts: int = 1
    has_user_stages: bool = False
    may_pause: bool = False
    targets: str | None = None
    notes: tuple[str, ...] = ()
    allowed_errors: float | None = None
    allowed_checks: float | None = None
    requests_per_connection: int | None = None
    replay: float | None = None
    think: tuple[float, float] | None = None
    user_cookies: bool = False
    steps: bool = False
    login: str | None = None
    feed: str | None = None
    script: str | None = None
    shuffle: bool = False

    @property
    def is_open(self) -> bool:
        """Return whether a schedule decided when to send."""
        return self.mode == "open"

    @property
    def parts(self) -> str:
        """Return the word for the parts of the test: the stages that were told, or a warm-up and what is measured."""
        return "stages" if self.stages else "phases"


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """The result of a load test; times in seconds.

    Attributes:
        verdict: the worth of the figures; `because` is the figure that decided it, `advice` the next step.
        interrupted: the user ended the test early.
        gave_up: the test ended itself, since no connection could be opened.
        aborted_by: the threshold that could not be met any more, which ended the test (--abort).
        groups: the measured requests by group of targets, named by it; empty when there is one group.
        logins: the requests of the log-in, in the warm-up, too; None = there was no log-in.
        intervals: the test second by second, with its warm-up.
        gates: the thresholds of the test, in the order given.
    """

    asked: LoadSetup
    phases: tuple[Phase, ...]
    clients: tuple[ClientCost, ...]
    verdict: LoadVerdict
    because: str
    advice: str = ""
    interrupted: bool = False
    gave_up: bool = False
    aborted_by: str | None = None
    groups: tuple[Phase, ...] = ()
    logins: Phase | None = None
    intervals: tuple[Interval, ...] = ()
    gates: tuple[LoadGate, ...] = ()

    @cached_property
    def total(self) -> Phase:
        """Return the sum of all measured phases."""
        return sum_up(self.phases)

    @cached_property
    def service(self) -> Table:
        """Return the service times, from sending to the end of the answer (nanoseconds)."""
        return self.total.service()

    @cached_property
    def response(self) -> Table:
        """Return the times from the due moment to the end of the answer; a closed loop sends when a request is due."""
        return self.total.response if self.asked.is_open else self.service

    @cached_property
    def unanswered(self) -> Table:
        """Return the lower bounds of the response times of requests without an answer."""
        return self.total.unanswered()

    @cached_property
    def lag(self) -> Table:
        """Return the lags of the clients' event loops."""
        return merged(*(client.lag for client in self.clients))

    @cached_property
    def pauses(self) -> Table:
        """Return the pauses of the clients' garbage collectors."""
        return merged(*(client.pauses for client in self.clients))

    @property
    def cpu_per_request(self) -> float | None:
        """Return the processor time that one answer cost the client, in microseconds; None without an answer."""
        answered = self.total.answered
        return sum(client.cpu_seconds for client in self.clients) * 1e6 / answered if answered else None

    @property
    def seconds(self) -> float:
        """Return the measured time."""
        return self.total.seconds

    @property
    def requests_per_second(self) -> float:
        """Return the requests per second that ended, well or not, within the measured time."""
        return self.total.rate

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Return how many requests were scheduled, and how many ended in each way."""
        return {"scheduled": self.total.scheduled, **self.total.outcomes}

    @property
    def error_rate(self) -> float:
        """Return the share of requests that failed, timed out or were never sent."""
        return error_share(self.total)

    def quantile(self, share: float) -> Quantile | None:
        """Return a percentile of the response time, with its interval; None = the sample cannot carry it."""
        return quantile(self.response, share, self.unanswered)

    def wanting(self, share: float) -> str:
        """Return in words how many more requests a percentile of the response time needs."""
        return wanting(self.response, share, self.unanswered)

    def percentile(self, percent: float) -> float | None:
        """Return a percentile of the response time in seconds, 0 to 100; None = the sample cannot carry it.

        Raises:
            ValueError: there is no such percentile; one such as 0.99 was meant as a share.
        """
        found = self.quantile(share_of(percent))
        return found.value / 1e9 if found else None

    def percentile_interval(self, percent: float) -> PercentileInterval | None:
        """Return a percentile in seconds with its 95 % confidence interval; see `percentile`."""
        return self._interval(share_of(percent))

    def _interval(self, share: float) -> PercentileInterval | None:
        found = self.quantile(share)
        if found is None:
            return None
        return PercentileInterval(
            share=share,
            value=found.value / 1e9,
            low=found.low / 1e9,
            high=found.high / 1e9,
            samples=sum(self.response.values()) + sum(self.unanswered.values()),
            at_least=found.at_least,
            most=found.most / 1e9,
        )

    @property
    def p50(self) -> float | None:
        """Return the median response time in seconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        """Return the response time within which nine of ten requests stay, in seconds."""
        return self.percentile(90)

    @property
    def p99(self) -> float | None:
        """Return the response time within which 99 % stay, in seconds."""
        return self.percentile(99)

    @property
    def p999(self) -> float | None:
        """Return the response time within which 99.9 % stay, in seconds."""
        return self.percentile(99.9)

    @property
    def mean(self) -> float | None:
        """Return the mean response time of the answers in seconds."""
        found = mean(self.response, FINE)
        return None if found is None else found / 1e9

    @property
    def max(self) -> float | None:
        """Return the longest response time in seconds; requests without an answer count at their lower bound."""
        worst = max([*self.response, *self.unanswered], default=None)
        return None if worst is None else middle(worst, FINE) / 1e9

    @property
    def passed(self) -> bool:
        """Return whether each threshold is kept, most answers were good, and the test ran to its end."""
        is_whole = self.total.ok > 0 and not self.interrupted and not self.has_failed
        return is_whole and all(gate.is_kept for gate in self.gates)

    @property
    def has_failed(self) -> bool:
        """Return whether the server failed: no good answer, or too few of them for any praise of their times."""
        return self.verdict in {LoadVerdict.NOTHING_OK, LoadVerdict.FAILING}

    def check(self) -> Self:
        """Return the result if the test has passed.

        Raises:
            LoadTestFailed: it has not; the message has each threshold that was missed, and the verdict.
        """
        if self.passed:
            return self
        verdict = f"{self.verdict} ({self.because})"
        lines = missed(self.gates) or ["was interrupted" if self.interrupted else f"is {verdict}"]
        lines += [f"verdict {verdict}"] if len(lines) > 1 else []
        raise LoadTestFailed(f"the load test of {self.asked.url} {chr(10).join(lines)}", result=self)

    def assert_below(self, percentile: float | str, seconds: float) -> None:
        """Refuse a percentile of the response time, such as 99 or "p99", that is not surely below a limit.

        Raises:
            LoadTestFailed: its 95 % interval is not below the limit, or there are too few requests for it, or the
                server failed, or the test ended early.
            ValueError: there is no such percentile.
        """
        is_named = isinstance(percentile, str) and re.fullmatch(r"p\d+(\.\d+)?", percentile)
        share = share_of(float(str(percentile)[1:]) if is_named else percentile)
        found = self._interval(share)
        problem = f"{label(share)}: {self.wanting(share)}" if found is None else not_below(found, seconds)
        if problem is None and (self.has_failed or self.interrupted or self.aborted_by):
            problem = f"{found}, but {'the server failed' if self.has_failed else 'the test ended early'}"
        if problem is not None:
            told = f"{problem}\nverdict {self.verdict} ({self.because})"
            raise LoadTestFailed(f"the load test of {self.asked.url}: {told}", result=self)

    @property
    def client_share(self) -> dict[str, float]:
        """Return the client's own part of each percentile (p50, p90...), at most, from 0 to 1."""
        shares = client_shares(self.total, self.lag, is_open=self.asked.is_open)
        return {label(each.share): each.part for each in shares}

    def to_json(self) -> str:
        """Return the report as JSON, on one line."""
        return msgspec.json.encode(self.to_dict()).decode()

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {
            "schema": SCHEMA,
            "tool": f"crawler/{__version__}",
            "verdict": str(self.verdict),
            "because": self.because,
            "advice": self.advice,
            "interrupted": self.interrupted,
            **({"aborted_by": self.aborted_by} if self.aborted_by else {}),
            **({"gates": [asdict(gate) for gate in self.gates]} if self.gates else {}),
            "asked": {key: value for key, value in asdict(self.asked).items() if value not in (None, ())},
            **phase_figures(self.total, is_open=self.asked.is_open),
            **({"logins": login_figures(self.logins)} if self.logins else {}),
            "client": {
                "processes": [{"cpu": client.cpu, "cpu_seconds": client.cpu_seconds} for client in self.clients],
                "cpu_us_per_request": self.cpu_per_request,
                "share_at_most": self.client_share,
                "loop_lag_ms": times(self.lag),
                "gc_pauses_ms": times(self.pauses),
            },
            "phases": [phase_figures(phase, is_open=self.asked.is_open) for phase in self.phases],
            "groups": [phase_figures(group, is_open=self.asked.is_open) for group in self.groups],
            "intervals": [interval_figures(interval) for interval in self.intervals],
        }


def check_share(phase: Phase) -> float:
    """Return the share of the checks of scripts that failed, errors of the scripts included."""
    return phase.failed_checks / phase.checked if phase.checked else 0.0


def error_share(phase: Phase) -> float:
    """Return the share of scheduled requests that failed, timed out or were never sent."""
    ended = phase.outcomes
    bad = ended["failed"] + ended["timed_out"] + ended["shed"]
    return bad / phase.scheduled if phase.scheduled else 0.0
