"""Progress of a load test: moving lines on a terminal, one line every few seconds elsewhere.

Rule: the display writes to standard error, from a process that sends no requests, so it does not disturb measuring.
Runs on: the loop of the process that shows, a few times a second.
"""

from dataclasses import dataclass, field
from typing import IO, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from crawler.core.metrics import RecentRate
from crawler.core.text import duration, safe
from crawler.load.plan_now import PlanNow
from crawler.load.progress import Progress
from crawler.load.result import LoadVerdict
from crawler.load.verdict import Judgement

_COLOURS = {
    LoadVerdict.OK: "green",
    LoadVerdict.SERVER_BOUND: "green",
    LoadVerdict.FAILING: "bold red",
    LoadVerdict.NOTHING_OK: "bold red",
}  # the others warn


class LoadTerminal:
    """The moving display on a terminal; a context manager."""

    SECONDS = 0.25

    def __init__(self, console: Console, title: str, planned: float | None, plan: PlanNow = lambda _: "") -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._title = title
        self._planned = planned
        self._plan = plan
        self._rate = RecentRate()

    def __enter__(self) -> Self:
        self._rate.at(0.0, 0)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, seconds: float, progress: Progress, so_far: Judgement | None = None) -> None:
        """Show one moment."""
        of = f" of {duration(self._planned)}" if self._planned else ""
        head = _line(f"{safe(self._title, 60)}  {duration(seconds)}{of}", "bold")
        figures = _lines(self._rate, seconds, progress)
        lines = [_line(plan)] if (plan := self._plan(seconds)) else []
        self._live.update(Group(_verdict(so_far), head, *lines, *map(Text, figures)), refresh=True)


@dataclass(slots=True)
class LoadLines:
    """One line per moment, for logs and pipes; a context manager."""

    out: IO[str]
    plan: PlanNow = lambda _: ""
    _rate: RecentRate = field(default_factory=RecentRate)

    SECONDS = 5.0

    def __enter__(self) -> Self:
        self._rate.at(0.0, 0)
        return self

    def __exit__(self, *_: object) -> None:
        self.out.flush()

    def show(self, seconds: float, progress: Progress, so_far: Judgement | None = None) -> None:
        """Show one moment."""
        plan = self.plan(seconds)
        lines = [_words(so_far), *([plan] if plan else ()), *_lines(self._rate, seconds, progress)]
        print(f"{duration(seconds)}: {'; '.join(lines)}", file=self.out, flush=True)


class LoadSilence:
    """A view that shows nothing (`--quiet`)."""

    SECONDS = 3600.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take nothing down."""

    def show(self, seconds: float, progress: Progress, so_far: Judgement | None = None) -> None:
        """Show nothing."""


def _words(so_far: Judgement | None) -> str:
    """Return the verdict of the moment."""
    if so_far is None:
        return "so far: nothing is measured yet"
    return f"so far: {so_far.verdict} ({so_far.because})"


def _verdict(so_far: Judgement | None) -> Text:
    return _line(_words(so_far), _COLOURS.get(so_far.verdict, "yellow") if so_far else "dim")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _lines(rate: RecentRate, seconds: float, progress: Progress) -> list[str]:
    """Return the figures of one moment, each line short enough for 80 columns."""
    ended = rate.at(seconds, progress.answered + progress.failed + progress.timed_out)
    bad = f"{progress.failed:,} failed, {progress.timed_out:,} timed out, {progress.in_flight:,} in flight"
    return [
        f"{ended:,.0f} requests/s, {progress.answered:,} ok, {bad}",
        f"p50 {_ms(progress.times.p50)}, p99 {_ms(progress.times.p99)}; the client's loop lag {_ms(progress.lag.p99)}",
    ]


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.2f} ms" if nanoseconds else "-"
