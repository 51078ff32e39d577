"""The hosts of a run as its operator sees them: what each brought, how gently it is asked, and what troubles it.

Rules
- The table fits into its width, where it has one; a long name loses its beginning, since its end says whose it is.
- Trouble stands below its host, on lines of its own, and so does what it cost to wait for answers that never came.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.core.stored import LEAST_IN_VAIN, HostReport, HostRobots
from crawler.core.text import duration, safe

WIDTH = 80
_LEAST_NAME = 10
_SHOWN_ERRORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host in `summary.json` and of `crawler hosts --json`.

    Attributes:
        pages_per_second: between its first and its last line; None = there are no two moments.
        delay: seconds between the starts of two requests, as last in force; `cause` is what decided it, in a word.
        in_flight: requests at once at the most; None = as many as configured.
        robots: "rules", "closed" (its root is forbidden), "none", or the status because of which nothing is known;
            None = it was never asked for. `crawl_delay` is what it asks for, in seconds.
        errors: the most frequent reasons of failed tries, those that were repeated too.
        down: why it was given up; None = it was not.
        waiting: it was tried, has URLs left, and has neither answered nor been given up.
        waited: seconds that requests to it took without an answer.
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

    @property
    def is_troubled(self) -> bool:
        """There is something to tell besides figures."""
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
"""What a table may be sorted by; hosts that are alike in it stay as they were."""


def host_row(report: HostReport) -> HostRow:
    """What is shown of a host."""
    rate, window = report.pages_per_second, report.state.window
    return HostRow(
        host=report.host,
        done=report.pages - report.failed,
        failed=report.failed,
        pending=report.pending,
        pages_per_second=None if rate is None else round(rate, 2),
        delay=None if report.state.delay is None else round(report.state.delay, 3),
        cause=report.state.cause,
        in_flight=None if window is None else max(1, int(window)),
        robots=_robots(report.robots),
        crawl_delay=report.robots.crawl_delay if report.robots else None,
        errors=dict(list(report.troubles.items())[:_SHOWN_ERRORS]),
        down=report.state.down,
        waiting=report.is_waiting,
        waited=round(report.state.waited, 1),
    )


def _robots(robots: HostRobots | None) -> str | None:
    if robots is None:
        return None
    if robots.status < 300:
        return "closed" if robots.is_closed else "rules"
    return "none" if robots.status < 500 and robots.status != 429 else str(robots.status)


def hosts_text(rows: Sequence[HostRow], width: float = WIDTH) -> list[str]:
    """The table: a head, and for each host a line, and more if it has trouble; inf = as wide as its names."""
    if not rows:
        return ["no host was asked for anything"]
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - sum(widths[1:])
    gaps = len(widths) - 1
    gap = 2 if widths[0] <= room - 2 * gaps else 1
    widths[0] = int(min(widths[0], max(room - gap * gaps, _LEAST_NAME)))
    head, *lines = (_line(row, widths, " " * gap) for row in cells)
    return [head, *(text for row, line in zip(rows, lines, strict=True) for text in (line, *_trouble(row, width)))]


_HEAD = ("host", "done", "failed", "pending", "per s", "delay", "limit", "robots")
_LEFT = {0, 5, 7}  # columns of words; figures stand at the right of theirs


def _cells(row: HostRow) -> tuple[str, ...]:
    rate = "-" if row.pages_per_second is None else f"{row.pages_per_second:,.1f}"
    delay = "-" if row.delay is None else f"{row.delay:g} s {row.cause or ''}".rstrip()
    return (
        safe(row.host),
        *(f"{n:,}" for n in (row.done, row.failed, row.pending)),
        rate,
        delay,
        str(row.in_flight or "-"),
        (row.robots or "-") + (f" {row.crawl_delay:g} s" if row.crawl_delay else ""),
    )


def _line(cells: Iterable[str], widths: Sequence[int], gap: str) -> str:
    placed = (_placed(number, *cell) for number, cell in enumerate(zip(cells, widths, strict=True)))
    return gap.join(placed).rstrip()


def _placed(number: int, text: str, width: int) -> str:
    text = text if len(text) <= width else "…" + text[len(text) - width + 1 :]
    return text.ljust(width) if number in _LEFT else text.rjust(width)


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
