"""The report of `crawler models`: a table for a terminal, and the same figures as JSON.

Runs on: anywhere (pure).
"""

from collections import Counter

from crawler.core.tables import columns, paragraph
from crawler.core.text import counted, duration
from crawler.models.figures import Comparison, Figures
from crawler.models.sentences import sentence
from crawler.report.indented import indented

SCHEMA = 1
_MIB = 1024 * 1024
_WIDTHS = (15, 6, 8, 7, 6, 6, 8, 5, 5, 7, 7)
_HEAD = (
    columns(("", "start", "", "pages", "cores", "most at once", "late", "switches/page"), (15, 6, 8, 7, 6, 19, 5, 14)),
    columns(("model", "s", "s", "per s", "used", "procs", "threads", "MiB", "ms", "waited", "forced"), _WIDTHS),
)


def models_text(comparison: Comparison) -> str:
    """Return the table, each row with its sentence, and notes on results, server and clients."""
    title = (
        f"{counted(comparison.pages, 'page')}, latency {duration(comparison.latency)}, "
        f"each read {counted(comparison.parse_cost, 'time')}; "
        f"{comparison.python}, {counted(comparison.cores, 'core')}"
    )
    rows = [
        line
        for row in comparison.rows
        for line in (_figures(row), *paragraph(sentence(row, comparison.latency), "    "))
    ]
    notes = {"Results": _results(comparison), "Server": _server(comparison)}
    if costs := comparison.clients:
        notes["Clients"] = (
            f"CPU per request, alone: http.client {costs.blocking * 1e6:.0f} us, the crawler's fetcher "
            f"{costs.asynchronous * 1e6:.0f} us; what differs by so little is the client's doing, not the model's"
        )
    shown = [line for head, note in notes.items() if note for line in paragraph(note, f"{head:<9}")]
    return "\n".join([title, "", *_HEAD, *rows, "", *shown])


def models_json(comparison: Comparison) -> bytes:
    """Return the comparison as JSON; times in seconds, sizes in bytes (docs/reference.md)."""
    return indented({"schema": SCHEMA, **as_data(comparison)})


def as_data(comparison: Comparison) -> dict[str, object]:
    """Return one comparison as JSON values."""
    return {
        "pages": comparison.pages,
        "latency": comparison.latency,
        "parse_cost": comparison.parse_cost,
        "cores": comparison.cores,
        "python": comparison.python,
        "identical": comparison.agree,
        "clients": comparison.clients,
        "models": [
            {
                "model": row.model,
                "sentence": sentence(row, comparison.latency),
                "start": row.start,
                "seconds": row.seconds,
                "pages": row.pages,
                "pages_per_second": row.rate,
                "cpu": row.cpu,
                "cores_used": row.cores,
                "cores_missed": row.missed,
                "processes": row.processes,
                "threads": row.threads,
                "memory": row.memory,
                "loop_lag": row.lag,
                "switches": {"voluntary": row.voluntary, "forced": row.forced},
                "server_cpu": row.server_cpu,
                "failures": row.failures,
                "ended": row.ended,
                "results": row.results,
                "files": row.files,
            }
            for row in comparison.rows
        ],
    }


def _figures(row: Figures) -> str:
    sizes = (f"{row.processes}", f"{row.threads}", f"{row.memory / _MIB:.0f}")
    if row.ended is not None:
        return columns((row.model, "-", "-", "-", "-", *sizes), _WIDTHS[:8])
    times = (f"{row.start:.1f}", f"{row.seconds:.2f}", f"{row.rate:.0f}", f"{row.cores:.2f}")
    lag = "-" if row.lag is None else f"{row.lag * 1000:.0f}"
    finished = max(row.finished, 1)
    switches = (f"{row.voluntary / finished:.1f}", f"{row.forced / finished:.1f}")
    return columns((row.model, *times, *sizes, lag, *switches), _WIDTHS)


def _results(comparison: Comparison) -> str:
    rows = comparison.rows
    if len(rows) == 1:
        return ""
    if comparison.agree:
        return f"identical in all {len(rows)}, files too (sha256 {rows[0].results[:12]}...)"
    usual = Counter((row.results, row.files) for row in rows if row.ended is None).most_common(1)
    odd = [row.model for row in rows if row.ended is not None or (row.results, row.files) != usual[0][0]]
    return f"NOT identical: {', '.join(odd)} came to others than the rest"


def _server(comparison: Comparison) -> str:
    shares = {
        row.model: row.server_cpu / row.seconds
        for row in comparison.rows
        if row.server_cpu is not None and row.seconds and row.ended is None
    }
    if not shares:
        return ""
    most = max(shares, key=shares.__getitem__)
    busy = ": it may be what limits that row" if shares[most] > 0.8 else ""
    return (
        f"a process of its own, in no row: {min(shares.values()):.2f} to {shares[most]:.2f} cores, "
        f"most under {most}{busy}"
    )
