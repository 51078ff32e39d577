"""The progress of a run as a moving display on a terminal.

Rules
- The rules of `plain.py` hold here, too.
- Only a run on a terminal imports this file: rich takes a tenth of a run's start.
Runs on: the loop, a few times a second; one refresh costs a millisecond or two.
"""

from collections.abc import Iterator
from typing import Self

from rich.console import Console, ConsoleOptions, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crawler.core.metrics import Sample
from crawler.core.text import duration, safe, size
from crawler.live.plain import frequent_errors


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
        _Flow(*(Text(error, "yellow") for error in frequent_errors(sample))),
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
