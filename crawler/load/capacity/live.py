"""Progress of a capacity search: each window as a line of a table, and a running line below them on a terminal.

Rule: the running line says what is sent now, and how long the whole search is likely to take still.
Runs on: the loop of the process that shows, a few times a second.
"""

from dataclasses import dataclass, field
from typing import IO, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from crawler.load.capacity.report import HEAD, window_line
from crawler.load.capacity.result import CapacityRow
from crawler.load.capacity.windows import Stage, Window
from crawler.load.progress import Progress

_WORDS = {
    Stage.IDLE: "idle: probes",
    Stage.CEILING: "ceiling: as much as this client can send, to a server that does nothing",
    Stage.CLIMB: "climb: twice the rate, until a window misses",
    Stage.DRAIN: "drain: probes, until the server is as quick as when it was idle",
    Stage.BISECT: "bisect: between the rate that held and the one that missed",
    Stage.CONFIRM: "confirm: five windows or more at each end",
}


@dataclass(slots=True)
class SearchLines:
    """A line per window and one per stage, for logs and pipes."""

    out: IO[str]
    seconds: float = 3600.0
    _stage: Stage | None = None
    _has_head: bool = False

    def begin(self, window: Window, left: float) -> None:
        """Say what begins, once per stage."""
        if window.stage is not self._stage:
            self._stage = window.stage
            self._print(f"{_WORDS[window.stage]}; {_about(left)}")

    def look(self, seconds: float, progress: Progress) -> None:
        """Show nothing."""

    def end(self, row: CapacityRow) -> None:
        """Print the window."""
        if not self._has_head:
            self._has_head = True
            self._print(HEAD)
        self._print(window_line(row))

    def _print(self, line: str) -> None:
        print(line, file=self.out, flush=True)


@dataclass(slots=True)
class SearchTerminal:
    """The windows, and a running line below them; a context manager."""

    console: Console
    seconds: float = 0.25
    _live: Live = field(init=False)
    _window: Window | None = None
    _left: float = 0.0
    _has_head: bool = False

    def __post_init__(self) -> None:
        self._live = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begin(self, window: Window, left: float) -> None:
        """Show what begins."""
        self._window, self._left = window, left
        self.look(0.0, Progress())

    def look(self, seconds: float, progress: Progress) -> None:
        """Show a moment of the window."""
        if self._window is not None:
            line = running_line(self._window, self._left, seconds, progress)
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def end(self, row: CapacityRow) -> None:
        """Print the window above the running line."""
        if not self._has_head:
            self._has_head = True
            self._print(HEAD)
        self._print(window_line(row))

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


def running_line(window: Window, left: float, seconds: float, progress: Progress) -> str:
    """Return the line of a moment: the rate, the time in the window, the answers, and the time that is left."""
    whole = window.settle + window.seconds
    at = "" if window.rate is None else f" at {window.rate:,.6g}/s"
    bad = progress.failed + progress.timed_out
    told = f"{progress.answered:,} ok, {bad:,} failed"
    return (
        f"{window.stage}{at}: {min(seconds, whole):.0f} of {whole:.0f} s, {told}; {_about(left - min(seconds, whole))}"
    )


def _about(seconds: float) -> str:
    """Return an estimate for people: no more exact than it is."""
    if seconds < 60:
        return f"about {max(10, -(-seconds // 10) * 10):.0f} s more"
    return f"about {seconds / 60:.0f} min more"
