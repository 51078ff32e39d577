"""The progress of a run: a moving display on a terminal, a plain line every few seconds elsewhere.

Rules
- Progress goes to standard error; standard output belongs to data.
- Text that a server sent is made safe before it is shown.
Runs on: the loop, a few times a second; one refresh costs a millisecond or two.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Self

from rich.console import Console, ConsoleOptions, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crawler.core.metrics import Sample
from crawler.core.text import duration, safe, size


class TerminalView:
    """A moving display on a terminal; a context manager."""

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
        """Show a sample."""
        self._live.update(_panel(self._title, sample), refresh=True)

    def note(self, text: str) -> None:
        """Print a line once; it stays above the display."""
        self._live.console.print(Text(safe(text)), highlight=False)


@dataclass(slots=True)
class PlainView:
    """A line per sample, for logs and pipes; a context manager."""

    out: IO[str]

    SECONDS = 5.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.out.flush()

    def sample(self, sample: Sample) -> None:
        """Show a sample."""
        self.note(plain_line(sample))

    def note(self, text: str) -> None:
        """Print a line once."""
        print(safe(text), file=self.out, flush=True)


class SilentView:
    """No display (`--quiet`); `note`, a callable, still prints single events."""

    SECONDS = 3600.0

    def __init__(self, note: Callable[[str], None] = lambda _: None) -> None:
        self.note = note

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def sample(self, sample: Sample) -> None:
        """Do nothing."""


def plain_line(sample: Sample) -> str:
    """Return a sample as one line."""
    totals = sample.totals
    errors = "  ".join(_errors(sample))
    parts = [
        f"{totals.done:,} done, {totals.failed:,} failed, {totals.pending:,} pending",
        f"{sample.fetching:,} fetching, {sample.waiting:,} dialling, {sample.queued:,} queued",
        f"{sample.pages_per_second:,.0f} pages/s, {size(sample.bytes_per_second)}/s, {size(totals.bytes)} in all",
        f"memory {size(sample.rss)}, loop lag {sample.lag * 1000:.0f} ms",
    ]
    return f"{duration(sample.seconds)}: " + "; ".join(parts + ([errors] if errors else []))


def _panel(title: str, sample: Sample) -> Group:
    """Return the display. Its last line is short: a terminal echoes `^C` behind it, which must not wrap."""
    totals = sample.totals
    head = Table.grid(expand=True)
    head.add_column(ratio=1, no_wrap=True)
    head.add_column(justify="right", no_wrap=True)
    head.add_row(Text(safe(title), "bold"), Text(duration(sample.seconds), "dim"))
    bar = Table.grid(expand=True)  # a bar alone would not end its line
    bar.add_row(ProgressBar(total=max(1, totals.discovered), completed=totals.discovered - totals.pending))
    return Group(
        head,
        bar,
        _Flow(
            Text(f"{totals.done:,} done", "green"),
            Text(f"{totals.failed:,} failed", "red" if totals.failed else "dim"),
            Text(f"{sum(totals.skipped.values()):,} skipped", "dim"),
            Text(f"{totals.pending:,} pending"),
        ),
        _Flow(
            Text(f"{sample.pages_per_second:,.0f} pages/s"),
            Text(f"{size(sample.bytes_per_second)}/s"),
            Text(f"{sample.fetching:,} fetching"),
            Text(f"{sample.waiting:,} dialling"),
            Text(f"{sample.queued:,} queued"),
            Text(f"{size(totals.bytes)} in all"),
        ),
        _Flow(*(Text(error, "yellow") for error in _errors(sample))),
        _Flow(
            Text(f"memory {size(sample.rss)}", "dim"),
            Text(f"loop lag {sample.lag * 1000:.0f} ms (worst {sample.worst_lag * 1000:.0f} ms)", "dim"),
        ),
    )


class _Flow:
    """Short texts side by side, as many as fit on a line; none is broken."""

    def __init__(self, *parts: Text) -> None:
        self._parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        line = Text()
        for part in self._parts:
            if line and line.cell_len + len("  ") + part.cell_len > options.max_width:
                yield line
                line = Text()
            line += Text("  ") + part if line else part
        if line:
            yield line


def _errors(sample: Sample) -> list[str]:
    """Return the counts of the most frequent errors, and of the retries."""
    totals = sample.totals
    kinds = sorted(totals.failures.items(), key=lambda item: -item[1])[:5]
    shown = [f"{name} {n:,}" for name, n in kinds]
    return [*shown, f"retries {totals.retries:,}"] if totals.retries else shown
