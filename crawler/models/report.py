"""The report of `crawler models`: a table for eighty columns, and the same as JSON.

Runs on: anywhere (pure).
"""

from collections import Counter
from collections.abc import Iterator
from textwrap import wrap

from crawler.core.text import counted, duration
from crawler.models.figures import Comparison, Figures
from crawler.models.sentences import sentence
from crawler.report.indented import indented

SCHEMA = 1
_WIDTH = 80
_MIB = 1024 * 1024
_HEAD = (
    f"{'':<15}{'start':>6}{'':>8}{'pages':>7}{'cores':>6}{'most at once':>19}{'late':>5}{'switches/page':>14}",
    f"{'model':<15}{'s':>6}{'s':>8}{'per s':>7}{'used':>6}{'procs':>6}{'threads':>8}{'MiB':>5}{'ms':>5} waited forced",
)


def models_text(comparison: Comparison) -> str:
    """The table, each row with its sentence, and what it is worth."""
    return "\n".join([*_title(comparison), "", *_HEAD, *_rows(comparison), "", *_notes(comparison)])


def models_json(comparison: Comparison) -> bytes:
    """The same as JSON; times in seconds, sizes in bytes (docs/reference.md)."""
    return indented({"schema": SCHEMA, **as_data(comparison)})


def as_data(comparison: Comparison) -> dict[str, object]:
    """What the JSON of one comparison holds."""
    return {
        "pages": comparison.pages,
        "latency": comparison.latency,
        "parse_cost": comparison.parse_cost,
        "cores": comparison.cores,
        "python": comparison.python,
        "identical": comparison.agree,
        "clients": comparison.clients,
        "models": [_row_json(row, comparison.latency) for row in comparison.rows],
    }


def _row_json(row: Figures, latency: float) -> dict[str, object]:
    return {
        "model": row.model,
        "sentence": sentence(row, latency),
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


def _title(comparison: Comparison) -> Iterator[str]:
    cost = counted(comparison.parse_cost, "time")
    yield (
        f"{counted(comparison.pages, 'page')}, latency {duration(comparison.latency)}, each read {cost}; "
        f"{comparison.python}, {counted(comparison.cores, 'core')}"
    )


def _rows(comparison: Comparison) -> Iterator[str]:
    for row in comparison.rows:
        yield _figures(row).rstrip()
        yield from wrap(sentence(row, comparison.latency), _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _figures(row: Figures) -> str:
    lag = "-" if row.lag is None else f"{row.lag * 1000:.0f}"
    crowd = f"{row.processes:>6}{row.threads:>8}{row.memory / _MIB:>5.0f}"
    if row.ended is not None:
        return f"{row.model:<15}{'-':>6}{'-':>8}{'-':>7}{'-':>6}{crowd}"
    asked = max(row.asked, 1)
    switches = f"{row.voluntary / asked:>7.1f}{row.forced / asked:>7.1f}"
    times = f"{row.start:>6.1f}{row.seconds:>8.2f}{row.rate:>7.0f}{row.cores:>6.2f}"
    return f"{row.model:<15}{times}{crowd}{lag:>5}{switches}"


def _notes(comparison: Comparison) -> Iterator[str]:
    for note in (_results(comparison), _server(comparison), _clients(comparison)):
        if note:
            yield from wrap(note, _WIDTH, subsequent_indent=" " * 9)


def _results(comparison: Comparison) -> str:
    rows = comparison.rows
    if len(rows) == 1:
        return ""
    if comparison.agree:
        return f"Results  identical in all {len(rows)}, files too (sha256 {rows[0].results[:12]}...)"
    usual = Counter((row.results, row.files) for row in rows if row.ended is None).most_common(1)
    odd = [row.model for row in rows if row.ended is not None or (row.results, row.files) != usual[0][0]]
    return f"Results  NOT identical: {', '.join(odd)} came to others than the rest"


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
        f"Server   a process of its own, in no row: {min(shares.values()):.2f} to {shares[most]:.2f} cores, "
        f"most under {most}{busy}"
    )


def _clients(comparison: Comparison) -> str:
    costs = comparison.clients
    if costs is None:
        return ""
    return (
        f"Clients  CPU per request, alone: http.client {costs.blocking * 1e6:.0f} us, the crawler's fetcher "
        f"{costs.asynchronous * 1e6:.0f} us; what differs by so little is the client's doing, not the model's"
    )
