"""The verdict on a load test: the worth of its figures, the one figure that decides it, and the next step.

Rules, in this order
- NOTHING-OK: no request was answered well, so nothing is known of good answers.
- FAILING: of the requests that ended, one in a hundred or more got no good answer in time, and no threshold allows as
  many. The times are those of the others, so no praise of them counts. Where this machine ran out of files or ports it
  is to blame itself (CLIENT-BOUND). Fewer failures, and those that are allowed, are told behind any other verdict.
  The checks of scripts and the requests of a log-in are judged in the same way, apart from the requests. A log-in that
  failed is told first, and its next step given: users who are not logged in measure something else.
- TOO-SHORT: under a second (0.99 s are enough), or under 100 requests that ended, well or not: only the median means
  anything. A schedule that was for the most part not sent is no short test, but a rate that was not reached.
- CLIENT-BOUND: this tool was the limit, or part of it. It had no processor time left, its own lateness is a twentieth
  of the median or the p90 or half of the p99 or the p99.9, or this machine ran out of files or ports.
- RATE-NOT-REACHED: under 99 % of the due requests were sent in time to count.
- SERVER-BOUND: the client had time to spare and waited for the server. A closed loop always does, unless its users
  think for a tenth of their time; an open loop does if more than one request in a hundred found every connection busy.
- OK: the server took the load.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crawler.core.histogram import FINE, middle
from crawler.core.reasons import Reason
from crawler.core.text import counted
from crawler.load.client_share import client_shares
from crawler.load.counts import merged
from crawler.load.figures import label, percent
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import ClientCost, LoadFailure, Phase, sum_up
from crawler.load.result import LoadSetup, LoadVerdict, check_share, error_share

_SECONDS = 1.0
_ALMOST = 0.99  # of it: `-n 300 --rate 300` ends a gap before the second
_ANSWERS = 100
_FAILING = 0.01  # of the requests that ended: the example of an error budget in the guides of most load testers
CPU_LIMIT = 0.9  # of a core, in any process
_BULK = 0.05  # of the p50 and the p90
_TAIL = 0.5  # of the p99 and the p99.9: above one half, the tail describes the client rather than the server
_LATE = MILLISECOND // 10  # a smaller lateness decides nothing, whatever its share
_REACHED = 0.99
_MOSTLY = 0.5
_WAITED = 0.01
_ALL_TIME = 0.9  # of the users' time
_KINDS = 3  # of failures


class Judgement(NamedTuple):
    """A verdict, the figure that decided it, and the next step."""

    verdict: LoadVerdict
    because: str
    advice: str


def judge(
    asked: LoadSetup, phases: Sequence[Phase], clients: Sequence[ClientCost], logins: Phase | None = None
) -> Judgement:
    """Return the first verdict that applies; `logins` are the requests of a log-in."""
    found = _judged(asked, sum_up(phases), clients)
    if logins is None or not (failed := failed_logins(logins)):
        return found
    is_lost = _failed_share(logins) >= _FAILING
    is_allowed = asked.allowed_errors is not None and error_share(logins) <= asked.allowed_errors
    if is_allowed or not is_lost:
        return found._replace(because=f"{found.because}; {failed}")
    verdict = found.verdict if found.verdict is LoadVerdict.NOTHING_OK else LoadVerdict.FAILING
    return Judgement(verdict, f"{failed}; {found.because}", _login_remedy(asked, logins))


def _judged(asked: LoadSetup, total: Phase, clients: Sequence[ClientCost]) -> Judgement:
    checks = _failed_checks(total)
    if (failing := _nothing_ok(asked, total) or _failing(asked, total)) is not None:
        return failing._replace(because=f"{failing.because}; {checks}") if checks else failing
    if (failing := _checks_failing(asked, total)) is not None:
        return failing
    found = (
        (None if _is_mostly_unsent(asked, total) else _too_short(asked, total))
        or _client_bound(asked, total, clients)
        or (_rate_not_reached(total) if asked.is_open else None)
        or _server_bound(asked, total, clients)
        or _ok(total, clients)
    )
    failures = _failures(total)
    if asked.allowed_errors is not None and _failed_share(total) >= _FAILING:
        failures += f" (--threshold allows {asked.allowed_errors * 100:.4g} % of errors)"
    if asked.allowed_checks is not None and check_share(total) >= _FAILING:
        checks += f" (--threshold allows {asked.allowed_checks * 100:.4g} %)"
    return found._replace(because="; ".join(filter(None, [found.because, failures, checks])))


def _nothing_ok(asked: LoadSetup, total: Phase) -> Judgement | None:
    if total.ok or not total.scheduled:
        return None
    counts = {kind: failure.count for kind, failure in total.failures.items()}
    counts |= {name.replace("_", " "): total.outcomes[name] for name in ("shed", "in_flight")}
    most = sorted(((count, kind) for kind, count in counts.items() if count), reverse=True)[:_KINDS]
    because = f"no request was ok: {', '.join(f'{count:,} {kind}' for count, kind in most)}"
    return Judgement(LoadVerdict.NOTHING_OK, because, _remedy(asked, most[0][1], total))


def _failing(asked: LoadSetup, total: Phase) -> Judgement | None:
    is_allowed = asked.allowed_errors is not None and error_share(total) <= asked.allowed_errors
    if _failed_share(total) < _FAILING or is_allowed:
        return None
    kind = max(_blamed(total).items(), key=lambda item: item[1].count)[0]
    advice = f"{_remedy(asked, kind, total)}; a --threshold such as errors<5% allows some"
    return Judgement(LoadVerdict.FAILING, _failures(total), advice)


def _checks_failing(asked: LoadSetup, total: Phase) -> Judgement | None:
    share = check_share(total)
    if share < _FAILING or (asked.allowed_checks is not None and share <= asked.allowed_checks):
        return None
    most = max(total.checks.values(), key=lambda check: check.count)
    advice = f"see the script: {most.first.detail}; a --threshold such as checks<5% allows some"
    return Judgement(LoadVerdict.FAILING, _failed_checks(total), advice)


def _blamed(total: Phase) -> dict[str, LoadFailure]:
    """Return the failures that are not this machine's own, by kind."""
    return {kind: failure for kind, failure in total.failures.items() if kind != Reason.CLIENT_LIMIT}


def _failed_share(total: Phase) -> float:
    """Return the share of the requests that ended without a good answer, of all that ended."""
    failed = sum(failure.count for failure in _blamed(total).values())
    return failed / (total.ok + failed) if failed else 0.0


def _failures(total: Phase) -> str:
    """Return the failures in words, such as: 5.0 % failed, the first at 0.52 s, most by status_500 (500 requests)."""
    return _in_words(_blamed(total), _failed_share(total), "requests")


def _failed_checks(total: Phase) -> str:
    """Return the checks that failed in words, such as: 5.0 % of the checks failed, the first after 0.52 s: ..."""
    return _in_words(total.checks, check_share(total), "checks")


def failed_logins(logins: Phase) -> str:
    """Return the requests of a log-in that failed in words, such as: log-in failed: status_401, 20 of 20; "" = none."""
    failures = _blamed(logins)
    if not failures:
        return ""
    kind = max(failures, key=lambda name: failures[name].count)
    count = sum(failure.count for failure in failures.values())
    return f"log-in failed: {'mostly ' if len(failures) > 1 else ''}{kind}, {count:,} of {logins.scheduled:,}"


def _login_remedy(asked: LoadSetup, logins: Phase) -> str:
    """Return the next step for a log-in that failed: an answer speaks of what was sent, its lack of the server."""
    failures = _blamed(logins)
    kind = max(failures, key=lambda name: failures[name].count)
    if not kind.startswith("status_"):
        return _remedy(asked, kind, logins)
    row = "" if asked.feed is None else f", filled in from {asked.feed}"
    return f"mend the log-in first: see what {asked.login} sends{row}, and the server's log"


def _in_words(failures: Mapping[str, LoadFailure], share: float, of: str) -> str:
    if not failures:
        return ""
    kind, most = max(failures.items(), key=lambda item: item[1].count)
    first = min(failure.first.at for failure in failures.values())
    commonest = f"{'mostly ' if len(failures) > 1 else ''}{kind}, {counted(most.count, 'time')}"
    shown = percent(share) if share >= 0.001 else f"{share * 100:.1g} %"
    return f"{shown} of the {of} failed, the first after {first / 1e9:.2f} s: {commonest}"


def _remedy(asked: LoadSetup, kind: str, total: Phase) -> str:
    """Return the next step for failures of this kind."""
    if kind == Reason.TLS_FAILED and any(sign in total.failures[kind].first.detail for sign in _NO_TLS):
        return "this server speaks http: write http://"
    found = (text for prefix, text in _REMEDIES if kind.startswith(prefix))
    return next(found, "see Outcome, and the server's log").format(address=asked.address)


_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")  # the words of the TLS library for an answer that is no TLS
_REMEDIES = (
    (Reason.CONNECT_REFUSED, "nothing listens at {address}: is the server running?"),
    ("status_", "see the server's log; --expect-status says which statuses are good answers"),
    ("unexpected_body", "see what the server answers; --expect-body is not in it"),
    ("tls_", "--ca-file trusts the authority of the server's certificate, --insecure any certificate"),
    ("timeout", "the server was too slow: a lower rate or -c, or a longer --timeout"),
    ("in flight", "the server was too slow: a lower rate or -c, or a longer test"),
    ("shed", "the server was too slow: a lower rate, more connections (-c), or a longer test"),
)


def _is_mostly_unsent(asked: LoadSetup, total: Phase) -> bool:
    """Return whether the test was long enough by its schedule, most of which was not sent in time."""
    return asked.is_open and total.scheduled >= _ANSWERS and _sent_share(total) < _MOSTLY


def _too_short(asked: LoadSetup, total: Phase) -> Judgement | None:
    advice = f"{_longer(asked, total)}; a p99 needs {counted(1000, 'request')}"
    if not total.scheduled:
        return Judgement(LoadVerdict.TOO_SHORT, "nothing was sent", advice)
    ended = total.ok + sum(failure.count for failure in total.failures.values())  # also after the end of a phase
    if ended < _ANSWERS:
        because = f"{counted(ended, 'answer')}; at least {_ANSWERS} are needed"
        return Judgement(LoadVerdict.TOO_SHORT, because, advice)
    if total.seconds < _ALMOST * _SECONDS:
        because = f"measured for {total.seconds:.2f} s; at least {_SECONDS:.0f} s is needed"
        return Judgement(LoadVerdict.TOO_SHORT, because, advice)
    return None


def _longer(asked: LoadSetup, total: Phase) -> str:
    """Return how to make the test longer, by the option that ended it."""
    if asked.arrivals == "replay":
        return "test longer: a longer file, or a slower factor such as --replay=0.5"
    if asked.requests is not None and (asked.duration is None or total.scheduled >= asked.requests):
        return f"test longer: more requests than -n {asked.requests}"
    if asked.stages:
        return "test longer: longer --stages"
    return f"test longer, such as -d {10 if asked.duration is None or asked.duration < 10 else asked.duration * 10:g}"


def _client_bound(asked: LoadSetup, total: Phase, clients: Sequence[ClientCost]) -> Judgement | None:
    if (failure := total.failures.get(Reason.CLIENT_LIMIT)) is not None:
        because = f"this machine ran out: {failure.first.detail}, {counted(failure.count, 'time')}"
        advice = "fewer connections (-c), keep-alive, or a higher limit (ulimit -n)"
        return Judgement(LoadVerdict.CLIENT_BOUND, because, advice)
    cpu = max(client.cpu for client in clients)
    if cpu >= CPU_LIMIT:
        advice = "more processes (-t 2) where cores are free, a lower rate, or an idler machine"
        return Judgement(LoadVerdict.CLIENT_BOUND, f"the client used {percent(cpu)} of a core", advice)
    lag = merged(*(client.lag for client in clients))
    for one in client_shares(total, lag, is_open=asked.is_open):
        if one.late >= _LATE and one.part >= (_BULK if one.share <= 0.9 else _TAIL):
            part = f"{percent(one.part)} of the {one.kind} time's {label(one.share)}"
            because = f"up to {part} is the client's own: {one.late / 1e6:.2f} of {one.time / 1e6:.2f} ms"
            advice = "an idler machine, a lower rate or -c, or more processes (-t 2)"
            if one.time < _LATE / _BULK:
                advice += "; against answers this short the time that a client takes to wake up always shows"
            return Judgement(LoadVerdict.CLIENT_BOUND, because, advice)
    return None


def _rate_not_reached(total: Phase) -> Judgement | None:
    if _sent_share(total) >= _REACHED:
        return None
    shed = total.outcomes["shed"]
    afterwards = (total.scheduled - total.sent - shed) / total.scheduled
    because = (
        f"of {counted(total.scheduled, 'scheduled request')} {percent(_sent_share(total))} were sent in time,"
        f" {percent(afterwards)} in the grace after the end, {percent(shed / total.scheduled)} never"
    )
    return Judgement(
        LoadVerdict.RATE_NOT_REACHED, because, "a lower rate, or more connections (-c) if the server is idle"
    )


def _server_bound(asked: LoadSetup, total: Phase, clients: Sequence[ClientCost]) -> Judgement | None:
    if asked.may_pause and (share := _waiting_share(asked, total)) < _ALL_TIME:
        because = f"the users waited for answers {percent(share)} of their time; {_spare(clients)}"
        return Judgement(LoadVerdict.OK, because, "the server serves these users; more of them show where it bends")
    if not asked.is_open:
        advice = f"this is the server's limit at -c {asked.connections}; try others to see whether it has more"
        return Judgement(LoadVerdict.SERVER_BOUND, f"the client waited for the server; {_spare(clients)}", advice)
    waited = sum(total.waiting.values())
    if waited <= _WAITED * total.sent:
        return None
    because = f"{percent(waited / total.sent)} of the requests that were sent had waited for a free connection"
    advice = f"a lower rate, or more connections than -c {asked.connections} if the server can use them"
    return Judgement(LoadVerdict.SERVER_BOUND, because, advice)


def _waiting_share(asked: LoadSetup, total: Phase) -> float:
    """Return the share of their time in which the users of a closed loop waited for answers."""
    tables = (total.service(), total.failed, total.timed_out, total.in_flight)
    waited = sum(middle(number, FINE) * count for table in tables for number, count in table.items()) / 1e9
    if asked.has_user_stages:
        steps = zip(asked.stages, (0.0, *(users for _, users in asked.stages)), strict=False)
        there = sum(seconds * (before + users) / 2 for (seconds, users), before in steps)
    else:
        there = asked.connections * total.seconds
    return min(1.0, waited / there) if there else 0.0


def _ok(total: Phase, clients: Sequence[ClientCost]) -> Judgement:
    because = f"{percent(_sent_share(total))} of the schedule was sent in time; {_spare(clients)}"
    return Judgement(LoadVerdict.OK, because, "the server takes this rate; a higher one shows where it bends")


def _sent_share(total: Phase) -> float:
    """Return the share of the due requests that were sent before the end of the test."""
    return total.sent / total.scheduled if total.scheduled else 0.0


def _spare(clients: Sequence[ClientCost]) -> str:
    return f"the client used {percent(max(client.cpu for client in clients))} of a core"
