"""load.live: one moment of a load test, shown: the verdict so far before the figures."""

from io import StringIO

import pytest
from rich.console import Console

from crawler.load.live import LoadLines, LoadTerminal
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
