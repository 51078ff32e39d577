"""The progress of a capacity search, as a user sees it."""

import io

import pytest
from load.capacity.test_result import row
from rich.console import Console

from crawler.load.capacity.live import SearchLines, SearchTerminal, running_line
from crawler.load.capacity.windows import Stage, Window
from crawler.load.progress import Progress

CLIMB = Window(stage=Stage.CLIMB, rate=400.0, seconds=5.0, settle=1.0)


def test_the_running_line_tells_the_window_and_the_time_that_is_left() -> None:
    """The rate, the seconds of this window, the answers, and an estimate that shrinks as the window goes on."""
    line = running_line(CLIMB, 240.0, 3.0, Progress(answered=1180, failed=15, timed_out=5))

    assert line == "climb at 400/s: 3 of 6 s, 1,180 ok, 20 failed; about 4 min more"
    assert running_line(CLIMB, 46.0, 6.5, Progress()).endswith("about 40 s more")


@pytest.mark.parametrize("left", [0.0, -5.0])
def test_an_estimate_that_has_run_out_promises_nothing(left: float) -> None:
    """It says ten seconds, and neither zero nor a negative number."""
    assert running_line(CLIMB, left, 0.0, Progress()).endswith("about 10 s more")


def test_a_log_has_a_line_for_each_stage_and_each_window() -> None:
    """A stage is told when it begins, with the time that is left, and the head of the table once."""
    out = io.StringIO()
    lines = SearchLines(out)

    for window in (CLIMB, CLIMB):
        lines.begin(window, 240.0)
        lines.look(1.0, Progress())
        lines.end(row(400.0, "missed", 90.0, why="p99 90 ms"))

    told = out.getvalue().splitlines()
    assert told[0] == "climb: twice the rate, until a window misses; about 4 min more"
    assert told[1].startswith("Window")
    assert [line.endswith("missed: p99 90 ms") for line in told[2:]] == [True, True]


def test_a_terminal_keeps_the_windows_and_takes_the_running_line_away() -> None:
    """The table stays in the scrollback."""
    out = io.StringIO()

    with SearchTerminal(Console(file=out, force_terminal=True, width=80)) as view:
        view.begin(CLIMB, 240.0)
        view.look(2.0, Progress(answered=10))
        view.end(row(400.0, "held", 2.0))

    assert "climb at 400/s: 2 of 6 s, 10 ok, 0 failed" in out.getvalue()
    assert out.getvalue().count("Window") == 1
