"""The figures of one phase of a load test as plain values, in the schema of its JSON (docs/load.md).

Rule: times are milliseconds; a percentile that the sample cannot carry is absent, and `not_shown` gives the number of
values that it needs. A percentile of one interval is None unless a value lies beyond it: p99 needs 100 answers.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping

from crawler.core.histogram import FINE, mean, middle, percentile
from crawler.load.counts import merged
from crawler.load.intervals import Interval
from crawler.load.quantiles import SHARES, needed, quantile
from crawler.load.records import Answers, LoadFailure, Phase


def phase_figures(phase: Phase, *, is_open: bool) -> dict[str, object]:
    """Return all figures of a phase."""
    service = phase.service()
    unanswered = phase.unanswered()
    failed = {int(kind[7:]): failure.count for kind, failure in phase.failures.items() if kind.startswith("status_")}
    statuses = merged(phase.fresh.statuses, phase.reused.statuses, failed)
    failures = {
        kind: {"count": failure.count}
        | {
            name: {
                "at_s": example.at / 1e9,
                "took_ms": example.took / 1e6,
                "local_port": example.port,
                "detail": example.detail,
            }
            for name, example in (("first", failure.first), ("last", failure.last), ("worst", failure.worst))
        }
        for kind, failure in phase.failures.items()
    }
    return {
        "name": phase.name,
        "measured": phase.measured,
        "seconds": phase.seconds,
        "requests_per_second": phase.rate,
        "outcomes": {"scheduled": phase.scheduled, **phase.outcomes},
        "conservation_law_holds": phase.is_whole,
        "response_ms": times(phase.response if is_open else service, unanswered),
        "service_ms": times(service),
        "pacing_ms": times(phase.pacing),
        "waiting_ms": times(phase.waiting),
        "sent_late": phase.late,
        "failed_ms": times(phase.failed),
        "failures": failures,
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "checked": phase.checked,
        "checks": {name: _check_figures(check) for name, check in phase.checks.items()},
        "bytes": phase.bytes,
        "connections": {
            "opened": phase.opened,
            "closed_by_server": phase.closed_by_server,
            "surplus": phase.surplus,
            "asked_again": phase.asked_again,
            "connect_ms": times(phase.connect),
            "tls_ms": times(phase.tls),
        },
        "new_connections": _answer_figures(phase.fresh),
        "reused_connections": _answer_figures(phase.reused),
    }


def login_figures(logins: Phase) -> dict[str, object]:
    """Return the figures of the requests of a log-in."""
    failures = {kind: failure.count for kind, failure in logins.failures.items()}
    return {"requests": logins.scheduled, "ok": logins.ok, "failures": failures}


def _check_figures(check: LoadFailure) -> dict[str, object]:
    examples = (("first", check.first), ("last", check.last))
    return {"count": check.count} | {
        name: {"at_s": example.at / 1e9, "detail": example.detail} for name, example in examples
    }


def _answer_figures(answers: Answers) -> dict[str, object]:
    return {
        "ok": answers.count,
        "first_byte_ms": times(merged(answers.whole, answers.first_byte)),
        "body_ms": times(answers.body),
    }


def times(table: Mapping[int, int], bounds: Mapping[int, int] | None = None) -> dict[str, object]:
    """Return count, mean, extremes and the percentiles that the sample carries, in milliseconds.

    `bounds` are lower bounds of further values; a percentile above one of them is marked `at_least`.
    """
    both = merged(table, bounds or {})
    if not both:
        return {"count": 0}
    found = [(share, quantile(table, share, bounds)) for share in SHARES]
    shown = {
        label(share): {"value": one.value / 1e6, "ci95": [one.low / 1e6, one.high / 1e6]}
        | ({"at_least": True} if one.at_least else {})
        for share, one in found
        if one
    }
    return {
        "count": sum(both.values()),
        "mean": (mean(both, FINE) or 0.0) / 1e6,
        "min": middle(min(both), FINE) / 1e6,
        "max": middle(max(both), FINE) / 1e6,
        **shown,
        "not_shown": {label(share): needed(share) for share, one in found if not one},
    }


def interval_figures(interval: Interval) -> dict[str, object]:
    """Return the figures of one interval; every row has the same keys, and None is what is not known."""
    seconds = interval.length / 1e9
    return {
        "begin_s": interval.begin / 1e9,
        "seconds": seconds,
        "measured": interval.measured,
        "scheduled": interval.scheduled,
        "ok": interval.ok,
        "failed": interval.failed,
        "failures": dict(sorted(interval.failures.items())),
        "checks": dict(sorted(interval.checks.items())),
        **{f"{label(share)}_ms": _ms(interval_percentile(interval.times, share)) for share in (0.5, 0.9, 0.99)},
        "max_ms": _ms(most(interval.times)),
        "in_flight": interval.in_flight,
        "users": interval.users,
        "lag_p99_ms": _ms(interval_percentile(interval.lag, 0.99)),
        "cpu": round(interval.cpu_seconds / seconds, 4) if seconds else None,
    }


def interval_percentile(coarse: Mapping[int, int], share: float) -> int | None:
    """Return a percentile of an interval's times; None = no value lies beyond it."""
    return percentile(coarse, share) if sum(coarse.values()) * (1 - share) >= 1 - 1e-9 else None


def most(coarse: Mapping[int, int]) -> int | None:
    """Return the largest of an interval's times."""
    return middle(max(coarse)) if coarse else None


def _ms(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def label(share: float) -> str:
    """Return the name of a percentile: p50, p99.9."""
    return f"p{round(share * 100, 6):g}"


def percent(share: float) -> str:
    """Return a share as text, never rounded up to 100 %."""
    return f"{share * 100:.0f} %" if share >= 1 else f"{min(share * 100, 99.9):.1f} %"
