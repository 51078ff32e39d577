"""The verdict of the moment: what `verdict.judge` would say if a running test ended now.

Strategy: the few numbers that the processes share are turned into records with the same counts and the same
percentiles, and the one judge judges them. So the display never has rules of its own.
Rules
- Only the measured seconds that have ended count. Before the first of them there is no verdict.
- Requests that a schedule held due by now and that were not sent are due all the same: an open loop counts a request
  only once it finds a connection. Where chance or a file decides what is due, only what was sent is known.
Runs on: anywhere (pure).
"""

from itertools import pairwise
from math import ceil

from crawler.core.histogram import FINE, bucket
from crawler.core.reasons import Reason
from crawler.load.counts import Table
from crawler.load.figures import percent
from crawler.load.nanoseconds import SECOND, nanoseconds
from crawler.load.progress import Progress, Ranks
from crawler.load.quantiles import MAIN_SHARES
from crawler.load.records import ClientCost, Example, LoadFailure, Phase
from crawler.load.result import LoadSetup, LoadVerdict, check_share
from crawler.load.verdict import Judgement, judge

_LAGS = 100_000  # a table of lags of any size has the same percentiles


def verdict_so_far(asked: LoadSetup, progress: Progress) -> Judgement | None:
    """Return the verdict on the test until now, with a short reason; None = no measured second has ended."""
    if not progress.measured:
        return None
    phase = _phase(asked, progress)
    client = ClientCost(seconds=1.0, cpu_seconds=progress.cpu / 1e6, lag=_table(_LAGS, progress.lag))
    found = judge(asked, [phase], [client], _logins(progress) if progress.logins else None)
    if found.because.startswith("log-in failed"):
        return found._replace(because=f"log-in failed, {progress.lost_logins:,} of {progress.logins:,}")
    return found._replace(because=_reason(found, phase))


def _reason(found: Judgement, phase: Phase) -> str:
    """Return the figure that decided, in a few words."""
    if found.verdict is LoadVerdict.NOTHING_OK:
        return "no request was ok"
    if found.verdict is LoadVerdict.FAILING:
        failed = sum(failure.count for kind, failure in phase.failures.items() if kind != Reason.CLIENT_LIMIT)
        if failed * 100 < phase.ok + failed or not failed:
            return f"{percent(check_share(phase))} of the checks"
        return f"{percent(failed / (phase.ok + failed))} of the requests"
    if found.verdict is LoadVerdict.RATE_NOT_REACHED:
        return f"{percent(phase.sent / phase.scheduled)} of the schedule was sent"
    return found.because.partition("; ")[0]


def _phase(asked: LoadSetup, progress: Progress) -> Phase:
    """Return a record with the counts and the percentiles of the progress."""
    phase = Phase(name="so far", end=progress.measured, sent=progress.sent)
    phase.scheduled = max(progress.sent, _due(asked, progress.measured))
    phase.answered = progress.ok + progress.bad + progress.late + progress.limited
    phase.reused.whole = _table(progress.ok, progress.service)
    phase.response = _table(progress.ok, progress.times)
    phase.pacing = _table(max(0, progress.sent - progress.waited), progress.pacing)
    phase.waiting = Table(int, {0: progress.waited} if progress.waited else {})
    if not phase.answered:
        phase.in_flight = Table(int, {0: phase.scheduled})
    phase.failed = Table(int, {0: progress.bad + progress.limited})
    phase.timed_out = Table(int, {bucket(nanoseconds(asked.timeout), FINE): progress.late} if progress.late else {})
    kinds = {"failed": progress.bad, "timeout": progress.late, Reason.CLIENT_LIMIT: progress.limited}
    example = Example(at=0, took=0, port=None, detail="no more files or ports")
    phase.failures = {
        kind: LoadFailure(count=count, first=example, last=example, worst=example)
        for kind, count in kinds.items()
        if count
    }
    if progress.unmet:
        phase.checks = {"check": LoadFailure(count=progress.unmet, first=example, last=example, worst=example)}
    phase.checked = progress.checked
    return phase


def _logins(progress: Progress) -> Phase:
    """Return a record with the counts of a log-in; the kinds of its failures are not known yet."""
    found = Phase(name="log-in", scheduled=progress.logins)
    found.reused.whole = Table(int, {0: progress.logins - progress.lost_logins})
    if progress.lost_logins:
        found.failed = Table(int, {0: progress.lost_logins})
        example = Example(at=0, took=0, port=None, detail="")
        found.failures = {"failed": LoadFailure(count=progress.lost_logins, first=example, last=example, worst=example)}
    return found


def _due(asked: LoadSetup, measured: int) -> int:
    """Return how many requests a regular schedule held due in this measured time; 0 = that is not known."""
    seconds = measured / SECOND
    if not asked.is_open or asked.arrivals != "regular":
        return 0
    if asked.rate is not None:
        return max(0, min(int(asked.rate * seconds), asked.requests or 1 << 62) - 1)  # less the one that is being sent
    due = 0.0
    for (_, start), (length, end) in pairwise([(0.0, 0.0), *asked.stages]):
        part = max(0.0, min(seconds, length))
        due += part * (start + (start + (end - start) * part / length)) / 2
        seconds -= length
    return max(0, int(due) - 1)  # less the one that is being sent


def _table(count: int, ranks: Ranks) -> Table:
    """Return a table of this many values that has these percentiles; beyond those that are known it is flat."""
    table, below, value = Table(int), 0, 0
    for share, known in zip(MAIN_SHARES, ranks, strict=True):
        value = max(value, known)
        upto = count if share == MAIN_SHARES[-1] else ceil(round(share * count, 6))
        if upto > below:
            table[bucket(value, FINE)] += upto - below
            below = upto
    return table
