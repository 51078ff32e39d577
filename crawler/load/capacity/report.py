"""The report of a capacity search as text, for 80 columns: the interval first, then the windows behind it.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator

from crawler.core.tables import columns, paragraph
from crawler.core.text import safe
from crawler.load.capacity.plot import knee_plot
from crawler.load.capacity.result import CapacityResult, CapacityRow
from crawler.load.capacity.search import CEILING_SHARE

_INDENT = 13
_WIDTHS = (8, 10, 11, 9, 9, 8, 25)


def capacity_text(result: CapacityResult, *, has_windows: bool = True) -> str:
    """Return the report; without the windows where the display has just shown them in the same place."""
    slo = ", ".join(result.slo)
    lines = [
        *_row("Capacity", f"{interval_text(result)} ({slo})"),
        *_row("Verdict", f"{result.verdict} ({result.because})"),
    ]
    lines += _row("Next", result.advice)
    if result.at_least is not None:
        lines += _row("Gate", f"{'kept  ' if result.is_met else 'MISSED'} at least {result.at_least:,.12g}/s")
    asked = result.asked
    lines += _row("Target", safe(f"{asked.method} {asked.url} at {asked.address}", 300))
    if asked.targets is not None:
        lines += _row("", safe(asked.targets, 300))
    lines += _row("Load", load_text(result))
    if result.ceiling is not None:
        share = f"{CEILING_SHARE * 100:.0f} %"
        text = f"this client can send {result.ceiling:,.0f} requests/s on this machine (to a server that does nothing)"
        lines += _row("Client", f"{text}; the search goes up to {share} of that")
    if result.idle_ms is not None:
        lines += _row("Idle", f"p50 {result.idle_ms:,.3g} ms")
    return "\n".join([*lines, *(_windows(result) if has_windows else ()), *knee_plot(result)])


def load_text(result: CapacityResult) -> str:
    """Return the load of all windows in words."""
    asked = result.asked
    arrivals = f"Poisson, seed {asked.seed}" if asked.arrivals == "poisson" else "constant gaps"
    processes = "1 process" if asked.processes == 1 else f"{asked.processes} processes"
    return f"open loop, {arrivals}, up to {asked.connections:,} connections, {processes}"


def interval_text(result: CapacityResult) -> str:
    """Return the interval in words."""
    if result.low is None:
        return "not known" if result.high is None else f"below {result.high:,.12g} requests/s"
    if result.high is None:
        return f"at least {result.low:,.12g} requests/s"
    return f"{result.low:,.12g} to {result.high:,.12g} requests/s"


def window_line(row: CapacityRow) -> str:
    """Return a window as one line of the table."""
    cells = (
        row.stage,
        "most" if row.rate is None else f"{row.rate:,.6g}/s",
        f"{row.answered:,.{1 if row.answered < 1000 else 0}f}/s",
        _ms(row.p50_ms),
        _ms(row.p99_ms),
        f"{row.errors * 100:.{1 if 0 < row.errors < 0.1 else 0}f} %",
        f"  {row.outcome}{': ' if row.why else ''}{row.why}",
    )
    return columns(cells, _WIDTHS, left=(0, 6))


HEAD = columns(("Window", "rate", "answered", "p50, ms", "p99, ms", "errors", "  outcome"), _WIDTHS, left=(0, 6))


def _row(title: str, text: str) -> list[str]:
    return paragraph(text, f"{title:<{_INDENT}}")


def _windows(result: CapacityResult) -> Iterator[str]:
    if result.rows:
        yield HEAD
        yield from map(window_line, result.rows)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.{3 if value < 10 else 2 if value < 100 else 1}f}"
