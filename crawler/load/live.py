"""A load test shown while it runs: lines that move on a terminal, one every few seconds elsewhere.

Rules
- Everything goes to standard error, from a process that sends nothing itself: showing does not disturb measuring.
Runs on: the loop of the process that shows, a few times a second.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from crawler.core.text import duration, safe

_WINDOW = 3.0  # seconds


class Sums(Protocol):
    """What the display wants to know of a moment: sums, and times in nanoseconds (0 = not known)."""

    answered: int
    failed: int
    timed_out: int
    in_flight: int
    lag: int
    p50: int
    p99: int


@dataclass(slots=True)
class _Rate:
    """Requests per second over the last few seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    def at(self, seconds: float, count: int) -> float:
        self._seen.append((seconds, count))
        while len(self._seen) > 2 and seconds - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (seconds - then) if seconds > then else 0.0


class LoadTerminal:
    """The moving display on a terminal; a context manager."""

    SECONDS = 0.25

    def __init__(self, console: Console, title: str, planned: float | None) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._title = title
        self._planned = planned
        self._rate = _Rate()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, seconds: float, sums: Sums) -> None:
        """Show one moment."""
        rate = self._rate.at(seconds, sums.answered + sums.failed)
        of = f" of {duration(self._planned)}" if self._planned else ""
        head = Text(f"{safe(self._title, 60)}  {duration(seconds)}{of}", "bold", no_wrap=True, overflow="ellipsis")
        self._live.update(Group(head, *(Text(line, no_wrap=True) for line in _lines(rate, sums))), refresh=True)


@dataclass(slots=True)
class LoadLines:
    """One line per moment, for logs and pipes; a context manager."""

    out: IO[str]
    _rate: _Rate = field(default_factory=_Rate)

    SECONDS = 5.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.out.flush()

    def show(self, seconds: float, sums: Sums) -> None:
        """Show one moment."""
        rate = self._rate.at(seconds, sums.answered + sums.failed)
        print(f"{duration(seconds)}: {'; '.join(_lines(rate, sums))}", file=self.out, flush=True)


class LoadSilence:
    """Shows nothing (`--quiet`)."""

    SECONDS = 3600.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""

    def show(self, seconds: float, sums: Sums) -> None:
        """Show nothing."""


LoadView = LoadTerminal | LoadLines | LoadSilence
Shown = Callable[[float, Sums], None]


def _lines(rate: float, sums: Sums) -> list[str]:
    bad = f"{sums.failed:,} failed, {sums.timed_out:,} timed out, {sums.in_flight:,} in flight"
    return [
        f"{rate:,.0f} requests/s, {sums.answered:,} ok, {bad}",
        f"p50 {_ms(sums.p50)}, p99 {_ms(sums.p99)}; the client's loop lag {_ms(sums.lag)}",
    ]


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.2f} ms" if nanoseconds else "-"
