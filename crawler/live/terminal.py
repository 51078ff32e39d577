"""A run shown while it works: a display that moves on a terminal, a plain line every few seconds elsewhere.

Rules
- Everything goes to standard error; standard output belongs to data.
- What a server sent is never shown raw.
Runs on: the loop, a few times a second; one refresh costs a millisecond or two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crawler.core.metrics import Sample
from crawler.core.text import duration, safe, size


class TerminalView:
    """The moving display on a terminal; a context manager."""

    SECONDS = 0.25

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def sample(self, sample: Sample) -> None:
        """Show one moment."""
        self._live.update(_panel(self._title, sample), refresh=True)

    def note(self, text: str) -> None:
        """Say something once; it stays above the display."""
        self._live.console.print(Text(safe(text)), highlight=False)


@dataclass(slots=True)
class PlainView:
    """One line per moment, for logs and pipes; a context manager."""

    out: IO[str]

    SECONDS = 5.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.out.flush()

    def sample(self, sample: Sample) -> None:
        """Show one moment."""
        self.note(plain_line(sample))

    def note(self, text: str) -> None:
        """Say something once."""
        print(safe(text), file=self.out, flush=True)


class SilentView:
    """Shows nothing (`--quiet`); what happens once is still said by `note`, a callable."""

    SECONDS = 3600.0

    def __init__(self, note: Callable[[str], None] = lambda _: None) -> None:
        self.note = note

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""

    def sample(self, sample: Sample) -> None:
        """Show nothing."""


def plain_line(sample: Sample) -> str:
    """One moment as one line."""
    totals = sample.totals
    errors = _errors(sample)
    parts = [
        f"{totals.done:,} done, {totals.failed:,} failed, {totals.pending:,} pending",
        f"{sample.in_flight:,} in flight, {sample.queued:,} queued",
        f"{sample.pages_per_second:,.0f} pages/s, {size(sample.bytes_per_second)}/s, {size(totals.bytes)} in all",
        f"memory {size(sample.rss)}, loop lag {sample.lag * 1000:.0f} ms",
    ]
    return f"{duration(sample.seconds)}: " + "; ".join(parts + ([errors] if errors else []))


def _panel(title: str, sample: Sample) -> Group:
    totals = sample.totals
    finished = totals.discovered - totals.pending
    head = Table.grid(expand=True)
    head.add_column(ratio=1, no_wrap=True)
    head.add_column(justify="right")
    head.add_row(Text(safe(title), style="bold"), Text(duration(sample.seconds), style="dim"))
    lines: list[RenderableType] = [
        head,
        ProgressBar(total=max(1, totals.discovered), completed=finished),
        Text.assemble(
            (f"{totals.done:,} done", "green"), "  ",
            (f"{totals.failed:,} failed", "red" if totals.failed else "dim"), "  ",
            (f"{sum(totals.skipped.values()):,} skipped", "dim"), "  ",
            f"{totals.pending:,} pending",
        ),
        Text(
            f"{sample.pages_per_second:,.0f} pages/s  {size(sample.bytes_per_second)}/s"
            f"  {sample.in_flight:,} in flight  {sample.queued:,} queued  {size(totals.bytes)} in all"
        ),
    ]  # fmt: skip
    if errors := _errors(sample):
        lines.append(Text(errors, style="yellow"))
    lines.append(
        Text(
            f"memory {size(sample.rss)}  loop lag {sample.lag * 1000:.0f} ms (worst {sample.worst_lag * 1000:.0f} ms)",
            style="dim",
        )
    )
    return Group(*lines)


def _errors(sample: Sample) -> str:
    totals = sample.totals
    kinds = sorted(totals.failures.items(), key=lambda item: -item[1])[:5]
    shown = [f"{name} {n:,}" for name, n in kinds]
    if totals.retries:
        shown.append(f"retries {totals.retries:,}")
    return "  ".join(shown)
