"""models.gil_report: the figures decide the sentences about the GIL."""

import pytest

from crawler.models.gil_figures import GilFacts, Lateness, Speed
from crawler.models.gil_report import gains, gil_text, holds


def rows(*late: float, call: float | None = None) -> list[Lateness]:
    """One work at the three switch intervals, so late in milliseconds."""
    intervals = (0.0005, 0.005, 0.05)
    return [
        Lateness(work="w", interval=interval, median=ms / 1000, worst=ms / 500, call=call)
        for interval, ms in zip(intervals, late, strict=True)
    ]


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (rows(0.7, 5.2, 50), "hands the GIL over when the switch interval ends, and no sooner"),
        (rows(0.1, 0.1, 0.1), "does not keep the heartbeat waiting for as long as the switch interval"),
        (rows(12, 15, 60, call=0.021), "holds the GIL to its end: a call takes 21 ms, and the heartbeat waits for it"),
        (
            rows(0.1, 0.08, 0.09, call=0.013),
            "lets go of the GIL: a call takes 13 ms, and the heartbeat is 0.09 ms late",
        ),
        (  # of a busy machine, with one interval at which the work had come to a halt
            rows(14, 31, 0.26, call=0.065),
            "holds the GIL to its end: a call takes 65 ms, and the heartbeat waits for it",
        ),
    ],
)
def test_lateness_tells_who_holds_the_gil(measured: list[Lateness], said: str) -> None:
    """Late by the switch interval, by a whole call, or hardly at all."""
    assert holds(measured) == said


def test_the_report_says_what_more_threads_and_processes_bring() -> None:
    """The best of each kind against one thread, and a free-threaded build by name."""
    speeds = [("threads", 1, 2.0), ("threads", 2, 1.9), ("processes", 1, 2.1), ("processes", 2, 1.0)]
    facts = GilFacts(
        python="CPython 3.13.0",
        build="free-threaded",
        enabled=False,
        cores=2,
        speeds=tuple(Speed(kind=kind, count=n, seconds=s, cores=1.0) for kind, n, s in speeds),
        lateness=(*rows(0.7, 5.2, 50),),
    )

    assert gains(facts) == (
        "Than one thread, more threads are at best 1.1 times as quick, more processes are at best 2.0 times as quick; "
        "there are 2 cores."
    )
    assert gil_text(facts).startswith("CPython 3.13.0, free-threaded build, without a GIL; 2 cores\n")
    assert max(map(len, gil_text(facts).splitlines())) <= 80
