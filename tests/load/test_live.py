"""load.live: one moment of a load test, shown: the verdict so far before the figures."""

from io import StringIO

import pytest
from rich.console import Console

from crawler.load.contradictions import configure_load
from crawler.load.live import LoadLines, LoadTerminal
from crawler.load.plan_now import plan_now
from crawler.load.progress import Progress, Ranks
from crawler.load.result import LoadVerdict
from crawler.load.verdict import Judgement

FAILING = Judgement(LoadVerdict.FAILING, "12.4 % of the requests", "look")
MOMENT = Progress(answered=90, failed=10, timed_out=4, in_flight=4, times=Ranks(p50=1_500_000))


def test_a_line_tells_the_verdict_the_rate_and_the_sums() -> None:
    """The rate counts every request that ended; a percentile that is not known is a dash."""
    out = StringIO()

    with LoadLines(out) as view:
        view.show(2.0, MOMENT)
        view.show(4.0, MOMENT, FAILING)

    first, second = out.getvalue().splitlines()
    assert first == (
        "2.0 s: so far: nothing is measured yet; 52 requests/s, 90 ok, 10 failed, 4 timed out, 4 in flight; "
        "p50 1.50 ms, p99 -; the client's loop lag -"
    )
    assert second.startswith("4.0 s: so far: FAILING (12.4 % of the requests); 26 requests/s, ")


@pytest.mark.parametrize(
    ("options", "seconds", "words"),
    [
        ({"stages": "10s:100,20s:1100,5s:0"}, 20.0, "stage 2 of 3: target 600/s, to 1,100/s"),
        ({"stages": "10s:100,20s:1100,5s:0"}, 0.0, "stage 1 of 3: target 0/s, to 100/s"),
        ({"stages": "10s:100"}, 10.5, "the grace after the last stage"),
        ({"stages": "10s:10u,60s:40u"}, 29.9, "stage 2 of 2: 20 users, to 40"),
        ({"rate": 1500, "warmup": 5, "duration": 10}, 4.9, "warm-up: target 1,500/s"),
        ({"rate": 1500, "warmup": 5, "duration": 10}, 5.0, "target 1,500/s"),
        ({"rate": 1500, "warmup": 5, "duration": 10}, 15.2, "the grace after the end"),
        ({"connections": 8, "requests": 100}, 99.0, "8 users"),
        ({"targets": "a.log", "replay": "2"}, 9.0, "replay at 2 times the pace of the file"),
    ],
)
def test_the_plan_of_a_moment_is_told(options: dict[str, object], seconds: float, words: str) -> None:
    """The stage with its straight line, the rate, or the users: what was asked for."""
    assert plan_now(configure_load(options))(seconds) == words


def test_the_display_has_the_plan_behind_the_verdict() -> None:
    """A log has it within its line, a terminal in a line of its own."""
    log, screen = StringIO(), StringIO()
    plan = plan_now(configure_load({"stages": "10s:100"}))

    with LoadLines(log, plan) as lines, LoadTerminal(Console(file=screen, force_terminal=True), "t", 10, plan) as view:
        lines.show(5.0, MOMENT)
        view.show(5.0, MOMENT)

    assert "nothing is measured yet; stage 1 of 1: target 50/s, to 100/s; 2" in log.getvalue()
    assert "stage 1 of 1: target 50/s, to 100/s" in screen.getvalue()


@pytest.mark.parametrize("width", [80, 40])
def test_a_terminal_shows_the_verdict_first(width: int) -> None:
    """It is the first line, whole, and no line is wider than the terminal."""
    out = StringIO()

    with LoadTerminal(
        Console(file=out, force_terminal=True, color_system=None, width=width), "load http://h/", 10
    ) as view:
        view.show(2.0, MOMENT, FAILING)
        shown = out.getvalue()

    lines = [line for line in shown.replace("\x1b[?25l", "").replace("\r", "").split("\n") if line.strip()]
    texts = [line.split("\x1b[2K")[-1].rstrip() for line in lines]
    assert texts[0] == "so far: FAILING (12.4 % of the requests)"
    assert texts[1].startswith("load http://h/")
    assert "10 failed" in shown
    assert max(map(len, texts)) <= width
