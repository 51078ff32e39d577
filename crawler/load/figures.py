"""The figures of one phase of a load test as plain values, as its JSON shows them (docs/load.md).

Rules
- Times are milliseconds; a percentile that the sample cannot carry is absent, and `not_shown` says what it would need.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping

from crawler.core.histogram import FINE, mean, middle
from crawler.load.quantiles import SHARES, Quantile, needed, quantile
from crawler.load.records import Example, LoadFailure, Phase, Table, merged


def phase_figures(phase: Phase, *, is_open: bool) -> dict[str, object]:
    """All figures of a phase."""
    service = phase.service()
    unanswered = phase.unanswered()
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
        "failures": {kind: _failure_figures(failure) for kind, failure in phase.failures.items()},
        "statuses": {str(status): n for status, n in sorted(_statuses(phase).items())},
        "bytes": phase.bytes,
        "connections": {
            "opened": phase.opened,
            "closed_by_server": phase.closed_by_server,
            "surplus": phase.surplus,
            "connect_ms": times(phase.connect),
            "tls_ms": times(phase.tls),
        },
        "new_connections": _sheet_figures(phase, "fresh"),
        "reused_connections": _sheet_figures(phase, "reused"),
    }


def _statuses(phase: Phase) -> Table:
    failed = {int(kind[7:]): failure.count for kind, failure in phase.failures.items() if kind.startswith("status_")}
    return merged(phase.fresh.statuses, phase.reused.statuses, failed)


def _sheet_figures(phase: Phase, name: str) -> dict[str, object]:
    sheet = getattr(phase, name)
    return {
        "ok": sheet.count,
        "first_byte_ms": times(merged(sheet.whole, sheet.first_byte)),
        "body_ms": times(sheet.body),
    }


def _failure_figures(failure: LoadFailure) -> dict[str, object]:
    examples = {name: _example_figures(getattr(failure, name)) for name in ("first", "last", "worst")}
    return {"count": failure.count, **examples}


def _example_figures(example: Example) -> dict[str, object]:
    return {
        "at_s": example.at / 1e9,
        "took_ms": example.took / 1e6,
        "local_port": example.port,
        "detail": example.detail,
    }


def times(table: Mapping[int, int], bounds: Mapping[int, int] | None = None) -> dict[str, object]:
    """Count, mean, extremes and the percentiles that the sample carries, in milliseconds.

    `bounds`: lower bounds of further values; a percentile above one of them is marked `at_least`.
    """
    both = merged(table, bounds or {})
    if not both:
        return {"count": 0}
    middling = mean(both, FINE) or 0.0
    found = [(share, quantile(table, share, bounds)) for share in SHARES]
    return {
        "count": sum(both.values()),
        "mean": middling / 1e6,
        "min": middle(min(both), FINE) / 1e6,
        "max": middle(max(both), FINE) / 1e6,
        **{label(share): _quantile_figures(one) for share, one in found if one},
        "not_shown": {label(share): needed(share) for share, one in found if not one},
    }


def label(share: float) -> str:
    """How a percentile is called: p50, p99.9."""
    return f"p{round(share * 100, 6):g}"


def percent(share: float) -> str:
    """A share for people, never rounded up to the whole."""
    return f"{share * 100:.0f} %" if share >= 1 else f"{min(share * 100, 99.9):.1f} %"


def _quantile_figures(one: Quantile) -> dict[str, object]:
    figures: dict[str, object] = {"value": one.value / 1e6, "ci95": [one.low / 1e6, one.high / 1e6]}
    return {**figures, "at_least": True} if one.at_least else figures
