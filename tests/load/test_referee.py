"""load.referee: tests that end early, in virtual time, and those that do not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crawler.load.base_loop import Loop
from crawler.load.contradictions import configure_load
from crawler.load.loop_setup import Span
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.plan import spans
from crawler.load.records import Phase
from crawler.load.referee import Referee, TallyBoard
from crawler.load.tally_walk import Records, TallyWalk
from crawler.load.thresholds import parse_threshold
from support.simulation import ANSWER, Server, Simulation, Wire, simulated

Share = tuple[Sequence[Phase], Sequence[Phase]]
"""The phases of one process, and the groups of its only phase, if it has any."""

ERROR = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"


def referee(*gates: str, **options: object) -> Referee:
    """The referee of a test with these thresholds and options."""
    config = configure_load({"threshold": list(gates), **options})
    return Referee(
        gates=config.gate.gates(), shape=config.shape, spans=tuple(spans(config.shape)), is_open=config.is_open
    )


class HalfFailing(Server):
    """A server that takes 5 ms, and fails every second request."""

    def take(self, wire: Wire, data: bytes) -> None:
        """Answer in turn."""
        answer = ERROR if self.received % 2 else ANSWER
        self.received += 1
        self.simulation.at(self.simulation.now() + 5 * MILLISECOND, lambda _: wire.deliver(answer))


def counts(judge: Referee, records: Records, groups: Sequence[str]) -> list[int]:
    """The words of a process whose records are all read at once."""
    walk, words = TallyWalk(judge.gates, is_open=judge.is_open), [0] * 6 * len(judge.gates)
    for current in range(len(records)):
        for _ in range(20):
            words = walk.step(records, groups, current) or words
    return words


def ended(judge: Referee, **options: object) -> tuple[float, str | None]:
    """The seconds that a test against this server lasts, and the threshold that ended it."""
    found: list[str] = []

    def watch(loop: Loop) -> None:
        gate = judge.lost([counts(judge, loop.records, loop.group_names)], (loop.now() - loop.origin) / SECOND)
        if gate is not None and not found:
            found.append(gate.text)
            loop.stop()

    def disturb(_: Simulation, loop: Loop) -> None:
        loop.watch = watch

    loop, _ = simulated(lambda _n, _now: None, connections=2, disturb=disturb, **options)  # type: ignore[arg-type]
    return loop.phases[-1].end / SECOND, found[0] if found else None


@pytest.fixture(autouse=True)
def half_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every simulated server fail every second request."""
    monkeypatch.setattr("support.simulation.Server", HalfFailing)


def test_an_open_loop_ends_when_its_schedule_can_save_nothing() -> None:
    """Of 1,000 requests 100 may not fail: at 100/s the hundredth failure is the 200th request."""
    seconds, gate = ended(referee("rate>=1", "errors<10%", rate=100, duration=10), rate=100.0, seconds=10.0)

    assert gate == "errors<10%"
    assert seconds == pytest.approx(2.0, abs=0.1)


def test_a_number_of_requests_says_as_much() -> None:
    """Two users at 5 ms each: 200 requests, of which 100 failed, take half a second."""
    seconds, gate = ended(referee("errors<10%", requests=1000), seconds=None, requests=1000)

    assert gate == "errors<10%"
    assert seconds == pytest.approx(0.5, abs=0.1)


def test_a_closed_loop_by_time_is_waited_for() -> None:
    """After t of 10 s, 200 t have failed of 400 t + 800 (10 - t) + 64 at twice the pace: a tenth of these at 3.36 s."""
    seconds, gate = ended(referee("errors<10%", duration=10), seconds=10.0)

    assert gate == "errors<10%"
    assert seconds == pytest.approx(3.36, abs=0.1)


@pytest.mark.parametrize(
    ("gate", "options", "simulation"),
    [
        ("errors<60%", {"rate": 100, "duration": 10}, {"rate": 100.0, "seconds": 10.0}),
        ("p50<10ms", {"rate": 100, "duration": 10}, {"rate": 100.0, "seconds": 10.0}),
        ("errors<60%", {"duration": 10}, {"seconds": 10.0}),
        ("rate>=99", {"rate": 100, "duration": 10}, {"rate": 100.0, "seconds": 10.0}),
    ],
)
def test_a_test_that_can_pass_goes_on(gate: str, options: dict[str, object], simulation: dict[str, object]) -> None:
    """To its end."""
    seconds, by = ended(referee(gate, **options), **simulation)

    assert seconds == pytest.approx(10.0, abs=0.01)
    assert by is None


def phase(name: str, *, ok: int = 0, failed: int = 0) -> Phase:
    """A phase that runs, with so many requests that have ended."""
    made = Phase(name=name)
    made.reused.whole[5000] = ok
    made.failed[5000] = failed
    return made


def judged(judge: Referee, elapsed: float, *processes: Share) -> str | None:
    """The threshold that is lost by the counts of these processes."""
    rows = [
        counts(judge, [groups] if groups else [[one] for one in phases], [one.name for one in groups] or [""])
        for phases, groups in processes
    ]
    gate = judge.lost(rows, elapsed)
    return None if gate is None else gate.text


def test_the_counts_of_all_processes_decide() -> None:
    """Each has half of what is too much."""
    judge = referee("errors<10%", requests=100)
    one: Share = ([phase("measured", ok=5, failed=5)], [])

    assert judged(judge, 1.0, one) is None
    assert judged(judge, 1.0, one, one) == "errors<10%"


def test_a_stage_is_judged_by_itself() -> None:
    """100 requests come due in each of two plateaus; failures in another stage do not count."""
    judge = referee("errors{stage 3}<10%", stages="1s:100,1s:100,1s:100")
    first, second, third = phase("to 100/s", failed=50), phase("to 100/s", failed=50), phase("to 100/s", failed=10)

    assert judged(judge, 1.9, ([first, second, phase("to 100/s")], [])) is None
    assert judged(judge, 2.5, ([first, second, third], [])) is None  # of 101: one may be of its border
    third.failed[5000] = 11
    assert judged(judge, 2.5, ([first, second, third], [])) == "errors{stage 3}<10%"


def test_a_group_may_get_all_that_is_left() -> None:
    """Ten of its requests failed, and 90 of the whole test are left."""
    judge = referee("errors{GET /a}<10%", requests=200)

    def with_others(ok: int) -> str | None:
        groups = [phase("GET /a", failed=10), phase("GET /b", ok=ok)]
        return judged(judge, 1.0, ([phase("measured", ok=ok, failed=10)], groups))

    assert with_others(99) is None
    assert with_others(100) == "errors{GET /a}<10%"


def test_more_users_may_bring_more_requests() -> None:
    """Stages of users: ten on average so far, and a hundred to come."""
    alone, growing = (referee("errors<10%", stages=stages) for stages in ("10s:10u,10s:10u", "10s:10u,10s:100u"))
    so_far: Share = ([phase("to 10 users", ok=500, failed=500), phase("to 100 users")], [])

    assert judged(alone, 12.0, so_far) == "errors<10%"
    assert judged(growing, 12.0, so_far) is None


def test_the_warm_up_does_not_count() -> None:
    """Neither its failures nor its time."""
    judge = referee("errors<10%", rate=100, duration=1, warmup=5)
    warmup = phase("warm-up", failed=500)
    warmup.measured = False

    assert judged(judge, 4.0, ([warmup, phase("measured")], [])) is None
    assert judged(judge, 5.5, ([warmup, phase("measured", failed=9)], [])) is None
    assert judged(judge, 5.5, ([warmup, phase("measured", failed=10)], [])) == "errors<10%"


def test_a_replay_has_as_many_requests_as_its_file() -> None:
    """Its times are no matter."""
    judge = Referee(
        gates=(parse_threshold("errors<10%"),),
        shape=configure_load({}).shape,
        spans=(Span(name="measured", begin=0, end=5 * SECOND),),
        is_open=True,
        replayed=100,
    )

    assert judged(judge, 1.0, ([phase("measured", failed=9)], [])) is None
    assert judged(judge, 1.0, ([phase("measured", failed=10)], [])) == "errors<10%"


def test_the_board_keeps_the_words_of_each_process(tmp_path: Path) -> None:
    """It begins with zeros, also where another test has left its words."""
    words: Callable[[int], list[int]] = lambda first: list(range(first, first + 12))  # noqa: E731
    path = tmp_path / "board"

    with TallyBoard.make(path, gates=2, processes=2) as board, TallyBoard.beside(path, 2) as other:
        other.tell(1, words(100))
        board.tell(0, words(1))
        assert board.rows() == other.rows() == [words(1), words(100)]
    with TallyBoard.make(path, gates=1, processes=3) as board:
        assert board.rows() == [[0] * 6] * 3
