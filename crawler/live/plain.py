"""The progress of a run without a display: a line every few seconds, or nothing.

Rules
- Progress goes to standard error; standard output belongs to data.
- Text that a server sent is made safe before it is shown.
Runs on: the loop, a few times a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Self

from crawler.core.metrics import Sample
from crawler.core.text import duration, safe, size


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
    errors = "  ".join(frequent_errors(sample))
    parts = [
        f"{totals.done:,} done, {totals.failed:,} failed, {totals.pending:,} pending",
        f"{sample.fetching:,} fetching, {sample.waiting:,} dialling, {sample.queued:,} queued",
        f"{sample.pages_per_second:,.0f} pages/s, {size(sample.bytes_per_second)}/s, {size(totals.bytes)} in all",
        f"memory {size(sample.rss)}, loop lag {sample.lag * 1000:.0f} ms",
    ]
    return f"{duration(sample.seconds)}: " + "; ".join(parts + ([errors] if errors else []))


def frequent_errors(sample: Sample) -> list[str]:
    """Return the counts of the most frequent errors, and of the retries."""
    totals = sample.totals
    kinds = sorted(totals.failures.items(), key=lambda item: -item[1])[:5]
    shown = [f"{name} {n:,}" for name, n in kinds]
    return [*shown, f"retries {totals.retries:,}"] if totals.retries else shown
