"""The table of hosts: per host its pages, its rate limit, its robots.txt and its errors.

Rules
- The table fits into its width, if it has one. A long host name loses its beginning: the end names the owner.
- Errors stand below their host on lines of their own, and so does the time spent on requests without an answer.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crawler.core.frontier_reports import LEAST_IN_VAIN, HostReport
from crawler.core.tables import WIDTH, columns
from crawler.core.text import duration, safe
from crawler.core.urls import Host

_LEAST_NAME = 10
_SHOWN_ERRORS = 2


class HostRow(msgspec.Struct, frozen=True, kw_only=True):
    """One host in `summary.json` and of `crawler hosts --json`.

    Attributes:
        pages_per_second: between its first and its last line; None = fewer than two moments are known.
        delay: seconds between the starts of two requests, as last in force; `cause` names the rule that set it.
        in_flight: the most requests at once; None = the configured number.
        robots: "rules", "closed" (its root is forbidden), "none", or the error status of robots.txt;
            None = robots.txt was never requested. `crawl_delay` is its Crawl-delay, in seconds.
        errors: the most frequent reasons of failed tries, repeated tries included.
        down: the reason for giving the host up; None = it was not given up.
        waiting: the host was tried, has URLs left, and has neither answered nor been given up.
        waited: seconds of requests that got no answer.
        owner: the number of the worker that has the host; None = none has it, UNSET = the run is one process's alone.
    """

    host: str
    done: int
    failed: int
    pending: int
    pages_per_second: float | None
    delay: float | None
    cause: str | None
    in_flight: int | None
    robots: str | None
    crawl_delay: float | None
    errors: dict[str, int]
    down: str | None
    waiting: bool
    waited: float
    owner: int | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def is_troubled(self) -> bool:
        """Return whether the host has errors, was given up, or has not answered yet."""
        return bool(self.errors or self.down or self.waiting)


_Key = Callable[[HostRow], Any]
SORTS: dict[str, _Key] = {
    "pages": lambda row: -(row.done + row.failed),
    "failed": lambda row: -row.failed,
    "pending": lambda row: -row.pending,
    "rate": lambda row: -(row.pages_per_second or 0.0),
    "delay": lambda row: -(row.delay or 0.0),
    "errors": lambda row: (row.down is None, -sum(row.errors.values())),
    "waited": lambda row: -row.waited,
    "host": lambda row: row.host,
}
"""The orders of the table; the sort is stable."""


def host_row(report: HostReport, owners: Mapping[Host, int] | None = None) -> HostRow:
    """Return the row of a host; `owners` are the workers that have hosts, where several share the run."""
    rate, window, robots = report.pages_per_second, report.state.window, None
    if (copy := report.robots) is not None:
        if copy.status < 300:
            robots = "closed" if copy.is_closed else "rules"
        else:
            robots = "none" if copy.status < 500 and copy.status != 429 else str(copy.status)
    return HostRow(
        host=report.host,
        done=report.pages - report.failed,
        failed=report.failed,
        pending=report.pending,
        pages_per_second=None if rate is None else round(rate, 2),
        delay=None if report.state.delay is None else round(report.state.delay, 3),
        cause=report.state.cause,
        in_flight=None if window is None else max(1, int(window)),
        robots=robots,
        crawl_delay=copy.crawl_delay if copy else None,
        errors=dict(list(report.troubles.items())[:_SHOWN_ERRORS]),
        down=report.state.down,
        waiting=report.is_waiting,
        waited=round(report.state.waited, 1),
        owner=msgspec.UNSET if owners is None else owners.get(report.host),
    )


def hosts_text(rows: Sequence[HostRow], width: float = WIDTH) -> list[str]:
    """Return the lines of the table; `width` inf = as wide as its names."""
    if not rows:
        return ["no host has got a request yet"]
    is_shared = any(row.owner is not msgspec.UNSET for row in rows)
    cells = [_HEAD, *map(_cells, rows)]
    if is_shared:
        cells = [(*line, owner) for line, owner in zip(cells, ["worker", *map(_owner, rows)], strict=True)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - sum(widths[1:])
    gaps = len(widths) - 1
    gap = 2 if widths[0] <= room - 2 * gaps else 1
    widths[0] = int(min(widths[0], max(room - gap * gaps, _LEAST_NAME)))
    shown = ((name if len(name) <= widths[0] else f"…{name[1 - widths[0] :]}", *others) for name, *others in cells)
    head, *lines = (columns(line, widths, left=_WORDS, gap=" " * gap) for line in shown)
    return [head, *(text for row, line in zip(rows, lines, strict=True) for text in (line, *_trouble(row, width)))]


_HEAD = ("host", "done", "failed", "pending", "per s", "delay", "limit", "robots")
_WORDS = {0, 5, 7}  # columns that are no figures


def _cells(row: HostRow) -> tuple[str, ...]:
    rate = "-" if row.pages_per_second is None else f"{row.pages_per_second:,.1f}"
    delay = "down" if row.down else "-" if row.delay is None else f"{row.delay:g} s {row.cause or ''}".rstrip()
    return (
        safe(row.host),
        *(f"{n:,}" for n in (row.done, row.failed, row.pending)),
        rate,
        delay,
        str(row.in_flight or "-"),
        (row.robots or "-") + (f" {row.crawl_delay:g} s" if row.crawl_delay else ""),
    )


def _owner(row: HostRow) -> str:
    return str(row.owner or "-")


def _trouble(row: HostRow, width: float) -> list[str]:
    found = [f"down: {row.down}"] if row.down else ["no answer yet"] if row.waiting else []
    if row.waited >= LEAST_IN_VAIN:
        found.append(f"waited {duration(row.waited)} in vain")
    if row.errors:
        found.append("failed tries: " + ", ".join(f"{safe(name)} {n:,}" for name, n in row.errors.items()))
    lines: list[str] = []
    for part in found:
        if lines and len(lines[-1]) + len("; ") + len(part) <= width:
            lines[-1] += f"; {part}"
        else:
            lines.append(f"  {part}")
    return lines
