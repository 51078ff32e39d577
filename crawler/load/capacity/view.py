"""The page of a capacity search (`--html`): its result as the view that `page/capacity_page.py` draws.

Rules
- The window of the client's own ceiling has no rate, so it stands in the setup and not among the windows.
- The chart is that of the p99, so only a limit of the p99 is drawn in it.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping

from crawler.load.capacity.report import load_text
from crawler.load.capacity.result import CapacityResult, CapacityRow
from crawler.load.capacity.search import CEILING_SHARE, Ending
from crawler.load.capacity.windows import Outcome
from crawler.load.page.capacity_page import CapacityRow as Row
from crawler.load.page.capacity_page import CapacityView, capacity_page
from crawler.load.thresholds import parse_threshold

_FOUND = {Ending.FOUND, Ending.HOLDS_THROUGHOUT}
_HELD = {Outcome.HELD: True, Outcome.MISSED: False}


def page_of(result: CapacityResult, about: Mapping[str, str]) -> str:
    """Return the page of a search; `about` says what made it, and when."""
    return capacity_page(view_of(result, about))


def view_of(result: CapacityResult, about: Mapping[str, str]) -> CapacityView:
    """Return the view of a search."""
    p99 = [limit for limit in map(parse_threshold, result.slo) if limit.figure == "p99"]
    lowest = min(p99, key=lambda limit: limit.limit, default=None)
    missed = result.at_least is not None and not result.is_met
    return CapacityView(
        url=result.asked.url,
        slo=", ".join(result.slo),
        limit=lowest.text if lowest else "",
        limit_ms=lowest.limit * 1000 if lowest else None,
        low=result.low,
        high=result.high,
        because=f"{result.verdict}: {result.because}",
        advice=result.advice,
        is_found=result.verdict in _FOUND and not missed,
        rows=[_row(row, row.rate) for row in result.rows if row.rate is not None],
        setup=dict(_setup(result)) | dict(about),
    )


def _row(row: CapacityRow, rate: float) -> Row:
    return Row(
        rate=rate,
        p50_ms=row.p50_ms,
        p99_ms=row.p99_ms,
        error_share=row.errors,
        held=_HELD.get(Outcome(row.outcome)) if row.outcome else None,
        verdict=_verdict(row),
        phase=row.stage,
    )


def _verdict(row: CapacityRow) -> str:
    """Return the verdict with its first reason; a few probes are no test that has one."""
    if not row.outcome:
        return ""
    return row.verdict if row.outcome == Outcome.HELD else f"{row.verdict}: {row.because.partition('; ')[0]}"


def _setup(result: CapacityResult) -> Iterator[tuple[str, str]]:
    asked = result.asked
    yield "target", f"{asked.method} {asked.url} at {asked.address}"
    if asked.targets is not None:
        yield "requests", asked.targets
    yield "load", load_text(result)
    if result.at_least is not None:
        yield "demanded", f"{result.at_least:,.12g} requests/s: {'kept' if result.is_met else 'MISSED'}"
    if result.ceiling is not None:
        share = f"{CEILING_SHARE * 100:.0f} %"
        to_null = f"{result.ceiling:,.0f} requests/s to a server that does nothing"
        yield "client", f"{to_null}; the search goes up to {share} of that"
    if result.idle_ms is not None:
        yield "idle", f"p50 {result.idle_ms:,.3g} ms"
    yield "good", asked.good
