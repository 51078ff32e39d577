"""Thresholds of a load test, such as `p99<50ms`, `errors{to 1000/s}<1%` or `status_503<0.1%`, and their check.

Rules
- Only a known figure passes: a percentile that the sample cannot carry is not below any limit, nor is one that would be
  above it had the requests without an answer never been answered.
- A test that was interrupted, or ended by another threshold, passes no threshold at all.
- A late client only lengthens times, and makes no errors. So an upper limit on a time or a share that is kept by a
  test that its client limited is kept; the others of such a test are undecided, and pass as little as where the client
  ran out of files or ports.
- A scope in braces names one stage (`stage 2`, or its name in the report) or one group of targets. One that names
  nothing is refused before the test.
- Shares are of all requests that came due; that of `checks` is of all checks of a script, its errors included. Times
  are of good answers alone, so they have no scope by status.
Runs on: anywhere (pure).
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from crawler.core.errors import UsageError
from crawler.core.histogram import FINE, mean, middle
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.load.counts import merged
from crawler.load.gates import LoadGate
from crawler.load.quantiles import quantile, share_of, wanting
from crawler.load.records import Phase
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.threshold_faults import fault_of

_WRITTEN = re.compile(
    r"\s*(p(?:100|\d{1,2}(?:\.\d{1,4})?)|mean|max|errors|checks|rate|timeout|status_[1-5](?:\d\d|xx))\s*"
    r"(?:\{(.+)\}\s*)?(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(\S*)\s*"
)
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_SHARES = {"%": 0.01, "": 1.0}
_RATES = {"": 1.0, "/s": 1.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_STAGE = re.compile(r"stage ([1-9]\d{0,3})")
_NAMED = 10  # scopes in a message
_EXACT = 1.002  # times a figure: what is within is shown as known


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One threshold: a figure, a comparison, a limit (seconds, a share, or requests per second).

    Attributes:
        scope: a stage or a group of targets, as it was written; None = the whole test.
    """

    text: str
    figure: str
    sign: str
    limit: float
    scope: str | None = None

    @property
    def is_share(self) -> bool:
        """Return whether the figure is a share of the requests, or of the checks."""
        return _is_share(self.figure)

    @property
    def is_upper(self) -> bool:
        """Return whether the limit is an upper one."""
        return self.sign in {"<", "<="}

    @property
    def share(self) -> float | None:
        """Return the share of a percentile, 0.999 for p99.9; None = the figure is another one."""
        return share_of(float(self.figure[1:])) if re.fullmatch(r"p[\d.]+", self.figure) else None

    def holds(self, value: float) -> bool:
        """Return whether this value is on the right side of the limit."""
        return _COMPARE[self.sign](value, self.limit)

    def check(self, result: LoadResult) -> tuple[bool, str]:
        """Return whether the result keeps the threshold, and the figure or the reason why it has none."""
        doubts = ["interrupted"] if result.interrupted else []
        doubts += ["client-bound"] if result.verdict is LoadVerdict.CLIENT_BOUND else []
        early = ["the test ended early"] if result.aborted_by else []
        part = part_of(self.scope, result.total, result.phases, result.groups)
        if part is None:
            return False, "; ".join([f"no such stage or target; {_list(_scopes(result))}", *doubts, *early])
        value, most = self._value(part, is_open=result.asked.is_open)
        if value is None:
            missing = self._missing(part, is_open=result.asked.is_open)
            return False, "; ".join([missing, *doubts, *early])
        if self.is_share:
            shown = f"{value * 100:.3g} %"
        else:
            shown = f"{value:,.0f}/s" if self.figure == "rate" else f"{value * 1000:.3f} ms"
        shown = f"{'at least ' if most > _EXACT * value else ''}{shown}"
        holds = self.holds(most if self.is_upper else value)
        if holds and doubts == ["client-bound"] and self._holds_in_spite_of_the_client(result):
            doubts = []
        told = "; ".join([f"{shown}, but {' and '.join(doubts)}" if doubts else shown, *early])
        return holds and not doubts and not early, told

    def _holds_in_spite_of_the_client(self, result: LoadResult) -> bool:
        """Return whether a client that is late, or has no time left, can only have made the figure worse."""
        return self.is_upper and self.figure != "rate" and Reason.CLIENT_LIMIT not in result.total.failures

    def _value(self, part: Phase, *, is_open: bool) -> tuple[float | None, float]:
        """Return the figure, and the most that it can be; None = the sample has none."""
        if self.is_share:
            whole = part.checked if self.figure == "checks" else part.scheduled
            share = counted_bad(self, part) / whole if whole else None
            return share, share or 0.0
        if self.figure == "rate":
            return part.rate, part.rate
        table, bounds = part.response if is_open else part.service(), part.unanswered()
        if self.share is not None:
            one = quantile(table, self.share, bounds)
            return (one.value / 1e9, one.most / 1e9) if one else (None, inf)
        if self.figure == "mean":
            found = mean(table, FINE)
        else:
            longest = max(merged(table, bounds), default=None)
            found = None if longest is None else middle(longest, FINE)
        return (None, inf) if found is None else (found / 1e9, inf if bounds else found / 1e9)

    def _missing(self, part: Phase, *, is_open: bool) -> str:
        if self.figure == "checks":
            return "no check was made"
        if not part.scheduled:
            return "nothing was sent"
        if self.share is None:
            return "no request was ok"
        return wanting(part.response if is_open else part.service(), self.share, part.unanswered())


def with_gates(result: LoadResult, thresholds: Iterable[Threshold]) -> LoadResult:
    """Return the result with each threshold and whether it is kept."""
    found = [(gate.text, *gate.check(result)) for gate in thresholds]
    gates = [LoadGate(threshold=text, is_kept=is_kept, figure=figure) for text, is_kept, figure in found]
    return replace(result, gates=tuple(gates))


def counted_bad(threshold: Threshold, part: Phase) -> int:
    """Return the number of requests, or of checks, that a threshold of a share counts."""
    if threshold.figure == "checks":
        return part.failed_checks
    ended = part.outcomes
    if threshold.figure == "errors":
        return ended["failed"] + ended["timed_out"] + ended["shed"]
    if threshold.figure == "timeout":
        return ended["timed_out"]
    wanted = threshold.figure.removeprefix("status_").rstrip("x")
    good = merged(part.fresh.statuses, part.reused.statuses)
    failed = {kind.removeprefix("status_"): one.count for kind, one in part.failures.items() if "status_" in kind}
    told = [*((str(status), count) for status, count in good.items()), *failed.items()]
    return sum(count for status, count in told if status.startswith(wanted))


def parse_threshold(text: str) -> Threshold:
    """Return a threshold from its text.

    Raises:
        UsageError: the text is no threshold.
    """
    match = _WRITTEN.fullmatch(text)
    figure, scope, sign, number, unit = match.groups() if match else ("", None, "", "", "")
    scale = (_SHARES if _is_share(figure) else _RATES if figure == "rate" else _TIMES).get(unit)
    is_bare = _is_share(figure) and not unit and float(number) >= 1  # errors<1, where 1 % was meant
    if not match or not scale or is_bare:
        raise UsageError(f"--threshold {safe(text, 60)!r}: {safe(fault_of(text), 300)}")
    if figure.startswith("p0.") and float(figure[1:]):
        raise UsageError(f"--threshold {safe(text, 60)!r}: {figure[1:]} is a share: write p{float(figure[1:]) * 100:g}")
    return Threshold(
        text=text.strip(), figure=figure, sign=sign, limit=float(number) * scale, scope=scope.strip() if scope else None
    )


def _is_share(figure: str) -> bool:
    return figure in {"errors", "timeout", "checks"} or figure.startswith("status_")


def check_scopes(gates: Iterable[Threshold], stages: Sequence[str], groups: Sequence[str]) -> None:
    """Raise a UsageError if a scope names nothing, or more than one thing.

    Args:
        gates: the thresholds of the test.
        stages: names of the measured phases, in order; empty = the test has one.
        groups: names of the groups of targets; empty = there is one.
    """
    for gate in gates:
        scope = gate.scope
        if scope is None:
            continue
        same = [f"stage {number}" for number, name in enumerate(stages, 1) if name == scope]
        if len(same) + (scope in groups) > 1:
            raise UsageError(
                f"--threshold {gate.text!r}: {scope!r} names {len(same)} stages: write {' or '.join(same)}"
            )
        known = [f"stage {number}" for number in range(1, len(stages) + 1)]
        if re.fullmatch(r"[1-5](xx|\d\d)", scope) and scope not in groups:
            hint = f"--expect-status chooses them, and status_{scope}<1% limits their share"
            raise UsageError(f"--threshold {gate.text!r}: times are those of the good answers: {hint}")
        if not same and scope not in groups and scope not in known:
            told = [*(f"{number} ({name})" for number, name in zip(known, stages, strict=True)), *groups]
            raise UsageError(f"--threshold {gate.text!r}: no stage or target is named {scope!r}; {_list(told)}")


def part_of(scope: str | None, total: Phase, phases: Sequence[Phase], groups: Sequence[Phase]) -> Phase | None:
    """Return the part of a test that a scope names; None = it names none, or several."""
    if scope is None:
        return total
    stages = [phase for phase in phases if phase.measured]
    number = stage_of(scope, [phase.name for phase in stages])
    if number is not None:
        return stages[number]
    found = [group for group in groups if group.name == scope]
    return found[0] if len(found) == 1 and all(stage.name != scope for stage in stages) else None


def stage_of(scope: str, names: Sequence[str]) -> int | None:
    """Return the number, from 0, of the stage that a scope names; None = it is none, or the test has no stages."""
    if len(names) < 2:
        return None
    if names.count(scope) == 1:
        return names.index(scope)
    number = _STAGE.fullmatch(scope)
    return int(number[1]) - 1 if number and int(number[1]) <= len(names) else None


def _scopes(result: LoadResult) -> list[str]:
    stages = [phase.name for phase in result.phases if phase.measured]
    numbered = [f"stage {number} ({name})" for number, name in enumerate(stages, 1)]
    return [*(numbered if len(stages) > 1 else ()), *(group.name for group in result.groups)]


def _list(names: Sequence[str]) -> str:
    if not names:
        return "the test has no stages and one target: leave out the braces"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are: {', '.join(safe(name, 60) for name in names[:_NAMED])}{more}"
