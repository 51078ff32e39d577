"""load.so_far: the verdict of the moment is that of the end, from the few numbers that the processes share."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.load.base_loop import Loop
from crawler.load.board_writer import BoardWriter
from crawler.load.exchange import Request
from crawler.load.intervals import Interval, IntervalLog, Moment
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.progress import Progress, Ranks
from crawler.load.result import LoadSetup, LoadVerdict
from crawler.load.shared_memory import SharedBoard
from crawler.load.so_far import verdict_so_far
from crawler.load.verdict import judge
from support.load_results import load_setup
from support.simulation import REQUEST, Simulation, Targets, simulated


class Run:
    """A simulated test and all that was seen of it through a real board."""

    def __init__(self, folder: Path, latency: Callable[[int, int], int | None], **options: Any) -> None:
        self.seen: list[Progress] = []
        pause = options.pop("pause", 0)

        def disturb(simulation: Simulation, loop: Loop) -> None:
            write = BoardWriter(0, board)

            def watch(running: Loop) -> None:
                write(running)
                self.seen.append(board.progress()[0])

            loop.watch = watch
            for moment in range(1, 12 * SECOND, 20 * MILLISECOND) if pause else ():
                simulation.at(moment, lambda _: simulation.block(pause))

        with SharedBoard.make(folder / "board", 1) as board:
            self.loop, self.server = simulated(latency, disturb=disturb, **options)


def failing(share: float) -> Callable[[int, int], int | None]:
    """A server that hangs up on this share of the requests."""
    return lambda number, _now: -1 if number % 1000 < share * 1000 else 5 * MILLISECOND


def stalling(_number: int, now: int) -> int:
    """A server that stands still from 0.3 to 0.6 of each two seconds."""
    left = 600 * MILLISECOND - now % (2 * SECOND)
    return 5 * MILLISECOND + (left if 0 < left < 300 * MILLISECOND else 0)


@pytest.mark.parametrize(
    ("latency", "options", "verdict"),
    [
        (failing(0.0), {"rate": 200}, LoadVerdict.OK),
        (failing(0.0), {"connections": 2}, LoadVerdict.SERVER_BOUND),
        (stalling, {"rate": 80, "connections": 8}, LoadVerdict.SERVER_BOUND),
        (lambda _n, _now: 100 * MILLISECOND, {"rate": 160, "connections": 8}, LoadVerdict.RATE_NOT_REACHED),
        (failing(0.12), {"rate": 200}, LoadVerdict.FAILING),
        (failing(0.001), {"rate": 200}, LoadVerdict.OK),
        (failing(1.0), {"rate": 200}, LoadVerdict.NOTHING_OK),
        (lambda _n, _now: None, {"rate": 20, "timeout": 60}, LoadVerdict.NOTHING_OK),
        (failing(0.0), {"rate": 5}, LoadVerdict.TOO_SHORT),
        (failing(0.0), {"rate": 200, "pause": 4 * MILLISECOND}, LoadVerdict.CLIENT_BOUND),
        (lambda n, _now: None if n % 5 == 0 else MILLISECOND, {"rate": 100, "timeout": 0.5}, LoadVerdict.FAILING),
    ],
    ids=[
        "ok",
        "closed",
        "waits",
        "too fast",
        "failing",
        "few fail",
        "nothing",
        "no answer",
        "short",
        "client",
        "timeouts",
    ],
)
def test_the_verdict_of_the_moment_is_that_of_the_end(
    latency: Callable[[int, int], int | None], options: dict[str, Any], verdict: LoadVerdict, tmp_path: Path
) -> None:
    """In each class of tests the last look says what the judge says of the whole."""
    run = Run(tmp_path, latency, seconds=10, warmup=1, **options)
    rate = options.get("rate")
    setup = load_setup(rate=rate, connections=options.get("connections", 64), timeout=options.get("timeout", 10))
    setup = replace(setup, arrivals="regular" if rate else None)

    found = verdict_so_far(setup, run.seen[-1])

    client = replace(run.loop.setup.gauge.client, seconds=10.0, cpu_seconds=1.0)  # virtual time took none of its own
    assert judge(setup, run.loop.phases, [client]).verdict is verdict
    assert found is not None
    assert (found.verdict, len(found.because) < 90) == (verdict, True)


def test_counts_since_the_start_never_fall_and_end_at_all(tmp_path: Path) -> None:
    """The warm-up is in them, and the measured seconds are not mixed with it."""
    run = Run(tmp_path, failing(0.1), rate=500, seconds=3, warmup=2, connections=8)

    counts = [(one.due, one.answered, one.failed) for one in run.seen]

    assert counts == sorted(counts)
    assert all(min(after) >= 0 for after in counts)
    assert counts[-1][0] == pytest.approx(2500, abs=30)
    assert counts[-1][2] / (counts[-1][1] + counts[-1][2]) == pytest.approx(300 / 2500, abs=0.01)
    assert run.seen[int(len(run.seen) / 5)].measured == 0


def test_many_groups_are_read_one_by_one_until_all_are(tmp_path: Path) -> None:
    """A walk over forty groups takes two seconds and is not begun anew meanwhile; in the end nothing is missing."""
    names = [f"g{number}" for number in range(40)]
    targets = Targets(requests=[Request(REQUEST, group=number) for number in range(40)], groups=names)

    run = Run(tmp_path, stalling, rate=200, seconds=10, connections=8, targets=targets)

    last = run.seen[-1]
    waited = sum(sum(phase.waiting.values()) for phase in run.loop.phases)
    assert 0 < waited * 0.6 < last.waited <= waited
    assert last.service.p50 == pytest.approx(5 * MILLISECOND, rel=0.02)
    assert sum(before.waited != after.waited for before, after in pairwise(run.seen)) in range(3, 6)


def test_nothing_is_said_before_a_measured_second_has_ended() -> None:
    """There is no verdict on a warm-up."""
    assert verdict_so_far(load_setup(rate=10), Progress(answered=100, due=100)) is None


@pytest.mark.parametrize(
    ("setup", "due"),
    [
        (load_setup(rate=100, arrivals="regular"), 999),
        (load_setup(rate=100, arrivals="regular", requests=300), 299),
        (load_setup(mode="open", arrivals="regular", stages=((4.0, 100.0), (4.0, 100.0), (8.0, 0.0))), 774),
    ],
)
def test_a_schedule_that_is_behind_is_told(setup: LoadSetup, due: int) -> None:
    """Requests that are due and not sent count, by the rate or by the stages: 200 + 400 + 175 after ten seconds."""
    kept, behind = (
        verdict_so_far(setup, Progress(measured=10 * SECOND, sent=sent, ok=sent, times=Ranks(10**7)))
        for sent in (due, int(due * 0.985))
    )

    assert kept is not None
    assert behind is not None
    assert kept.verdict is LoadVerdict.OK
    assert behind.verdict is LoadVerdict.RATE_NOT_REACHED
    assert re.fullmatch(r"98\.[345] % of the schedule was sent", behind.because)


COUNTS = st.integers(0, 3) | st.integers(0, 10**6)
RANKS = st.builds(Ranks, *[st.integers(0, 10**11)] * 4)
SETUPS = st.sampled_from(
    [
        load_setup(),
        load_setup(rate=100, arrivals="regular", allowed_errors=0.5),
        load_setup(mode="open", arrivals="regular", stages=((4.0, 0.0), (1.0, 100.0))),
        load_setup(mode="open", arrivals="replay"),
    ]
)


@given(SETUPS, st.lists(COUNTS, min_size=7, max_size=7), st.lists(RANKS, min_size=4, max_size=4))
def test_every_progress_has_a_verdict(setup: LoadSetup, counts: list[int], ranks: list[Ranks]) -> None:
    """The numbers may be any: an error in the display would end the test."""
    names = ("sent", "ok", "bad", "late", "waited", "limited", "cpu")
    values: dict[str, Any] = dict(zip(("times", "service", "pacing", "lag"), ranks, strict=True))
    values |= zip(names, counts, strict=True)
    progress = Progress(measured=3 * SECOND, **values)

    found = verdict_so_far(setup, progress)

    assert found is not None
    assert found.because


def test_poisson_arrivals_are_not_taken_for_a_lag() -> None:
    """Of a schedule by chance only what was sent is known, until the end."""
    setup = load_setup(rate=100, arrivals="poisson")

    found = verdict_so_far(setup, Progress(measured=10 * SECOND, sent=930, ok=930, times=Ranks(10**7)))

    assert found is not None
    assert found.verdict is LoadVerdict.OK


def test_the_rows_of_processes_become_one() -> None:
    """Counts add up, times are the largest, and the measured time is what all have measured."""
    one = Progress(due=3, ok=2, measured=5, cpu=10, times=Ranks(1, 2, 3, 4), lag=Ranks(p99=9))
    other = Progress(due=4, ok=5, measured=4, cpu=20, times=Ranks(2, 1, 5, 0))

    total = Progress.total([one, other])

    assert (total.due, total.ok, total.measured, total.cpu) == (7, 7, 4, 20)
    assert (total.times, total.lag) == (Ranks(2, 2, 5, 4), Ranks(p99=9))
    assert Progress.of(one.words()) == one


@pytest.mark.parametrize(
    ("lost", "verdict", "because"),
    [(20, "FAILING", "log-in failed, 20 of 20"), (0, "SERVER-BOUND", "the client waited")],
)
def test_a_log_in_that_fails_is_seen_while_the_test_runs(lost: int, verdict: str, because: str) -> None:
    """The display does not praise what users do who are not logged in."""
    seen = Progress(measured=2 * SECOND, sent=5000, ok=5000, logins=20, lost_logins=lost)

    found = verdict_so_far(load_setup(login="login.txt"), Progress.of(Progress.total([seen]).words()))

    assert found is not None
    assert str(found.verdict) == verdict
    assert found.because.startswith(because)


@pytest.mark.parametrize(
    ("sent", "allowed", "verdict"), [(300, None, "FAILING"), (0, None, "FAILING"), (300, 0.3, "SERVER-BOUND")]
)
def test_failed_checks_are_seen_while_the_test_runs(sent: int, allowed: float | None, verdict: str) -> None:
    """A quarter of them, beside requests that were all answered, or before the first of them."""
    second = Interval(begin=0, measured=True, checked=40)
    for _ in range(10):
        second.fail_check("the cart")
    log = IntervalLog()
    log.current = second
    log.close(Moment(now=2 * SECOND, measured=True, scheduled=sent, in_flight=0, users=1, cpu=0.0))
    seen = Progress(measured=2 * SECOND, sent=sent, ok=sent, checked=log.total.checked)
    seen.unmet = sum(log.total.checks.values())

    found = verdict_so_far(load_setup(allowed_checks=allowed), Progress.of(Progress.total([seen]).words()))

    assert found is not None
    assert str(found.verdict) == verdict
    assert (found.because == "25.0 % of the checks") is (verdict == "FAILING")
