"""load.abort: a threshold is lost when nothing that may follow can meet it, and not before."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.histogram import FINE, bucket
from crawler.load.abort import Outlook, Tally, is_lost, most_requests, projected, tally
from crawler.load.config import ShapeConfig
from crawler.load.contradictions import configure_load
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.plan import pacer
from crawler.load.records import Example, Phase
from crawler.load.thresholds import parse_threshold
from support.load_results import load_result

GATES = (
    *("p50<5ms", "p50<=5ms", "p50>5ms", "p90<5ms", "p90>=5ms", "p100<5ms", "p100>5ms", "p0<5ms", "p0>=5ms"),
    *("mean<5ms", "mean>5ms", "max<5ms", "max>=5ms", "errors<10%", "errors<=10%", "errors>10%", "errors>=10%"),
    *("status_500<10%", "status_5xx<=5%", "status_200>50%", "timeout<5%", "rate>=100", "rate<100", "rate>20"),
)
ENDS = ("quick", "slow", "edge", "500", "503", "timeout", "shed")
TIMES = {"quick": MILLISECOND, "slow": 9 * MILLISECOND, "edge": 5 * MILLISECOND}


def phase(ends: list[str], seconds: float = 1.0) -> Phase:
    """A phase in which requests ended so."""
    made = Phase(name="measured", end=round(seconds * SECOND), scheduled=len(ends))
    for end in ends:
        if end in TIMES:
            made.reused.whole[bucket(TIMES[end], FINE)] += 1
            made.reused.statuses[200] += 1
            made.answered += 1
        elif end == "timeout":
            made.timed_out[bucket(2 * MILLISECOND, FINE)] += 1
            made.keep_example("timeout", Example(at=1, took=1, port=None, detail=""))
        elif end == "shed":
            made.shed[bucket(2 * MILLISECOND, FINE)] += 1
        else:
            made.fail(f"status_{end}", Example(at=1, took=1, port=None, detail=""))
            made.answered += 1
    return made


def is_kept(gate: str, ends: list[str]) -> bool:
    """Check the whole test, of one second."""
    return parse_threshold(gate).check(load_result([phase(ends)]))[0]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(GATES),
    st.lists(st.sampled_from(ENDS), max_size=150),
    st.integers(0, 150),
    st.lists(st.sampled_from(ENDS), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_what_is_lost_is_never_kept(gate: str, so_far: list[str], left: int, kinds: list[str], chance: Random) -> None:
    """Try what may follow: all of one kind, or a mixture, and fewer requests than might have come."""
    lost = is_lost(
        parse_threshold(gate),
        tally(parse_threshold(gate), phase(so_far), is_open=False),
        Outlook(left=left, elapsed=0.5, seconds=1.0),
    )
    if lost:
        follows = [chance.choice(kinds) for _ in range(chance.choice([0, left, left // 2]))]
        assert not is_kept(gate, so_far + follows)
        for kind in ENDS:
            assert not is_kept(gate, so_far + [kind] * left)


@pytest.mark.parametrize(
    ("gate", "so_far", "left", "follows"),
    [
        ("errors<10%", ["500"] * 9, 91, "quick"),
        ("errors>10%", ["quick"] * 89, 11, "500"),
        ("status_500<=10%", ["500"] * 10, 90, "slow"),
        ("timeout<5%", ["timeout"] * 4, 96, "500"),
        ("p90<5ms", ["slow"] * 10, 90, "quick"),
        ("p90<5ms", ["500"] * 900, 100, "quick"),
        ("p50>5ms", ["quick"] * 49, 51, "slow"),
        ("max<5ms", ["quick"] * 9, 1, "quick"),
        ("p100>5ms", ["quick"] * 9, 1, "slow"),
        ("mean<5ms", ["slow"] * 40, 60, "quick"),
        ("rate>=100", ["quick"] * 10, 90, "500"),
        ("rate<100", ["quick"] * 99, 1, "timeout"),
    ],
)
def test_what_can_still_be_kept_is_not_lost(gate: str, so_far: list[str], left: int, follows: str) -> None:
    """One request more on the wrong side, where the rest just suffices, and it is lost."""
    threshold = parse_threshold(gate)
    outlook = Outlook(left=left, elapsed=0.5, seconds=1.0)

    assert is_kept(gate, so_far + [follows] * left)
    assert not is_lost(threshold, tally(threshold, phase(so_far), is_open=False), outlook)


@pytest.mark.parametrize(
    ("gate", "so_far", "left"),
    [
        ("errors<10%", ["500"] * 10, 90),
        ("errors>10%", ["quick"] * 90, 10),
        ("status_500<=10%", ["500"] * 11, 89),
        ("timeout<5%", ["timeout"] * 5, 95),
        ("p90<5ms", ["slow"] * 11, 89),
        ("p90<1.5ms", ["timeout"] * 6 + ["shed"] * 5, 89),  # each of 2 ms at least
        ("p99<5ms", ["quick"] * 99, 900),  # 1,000 are needed
        ("p99<5ms", ["quick"] * 99 + ["500"], 900),
        ("p50>5ms", ["quick"] * 50, 50),
        ("max<5ms", ["slow"], 999),
        ("max<5ms", ["timeout"], 999),
        ("mean<5ms", ["slow"] * 60, 40),
        ("rate>=100", ["quick"] * 10, 89),
        ("rate<100", ["quick"] * 100, 5),
    ],
)
def test_what_cannot_be_kept_is_lost(gate: str, so_far: list[str], left: int) -> None:
    """One request sooner it was not sure."""
    threshold = parse_threshold(gate)

    assert is_lost(
        threshold, tally(threshold, phase(so_far), is_open=False), Outlook(left=left, elapsed=0.5, seconds=1.0)
    )


@pytest.mark.parametrize("gate", GATES)
def test_nothing_is_lost_before_it_has_begun(gate: str) -> None:
    """With enough requests to come."""
    threshold = parse_threshold(gate)

    assert not is_lost(threshold, Tally(), Outlook(left=100, elapsed=0.0, seconds=1.0))


def test_without_an_end_in_time_the_rate_can_only_fall() -> None:
    """200 requests that have not ended after three seconds are no 100/s."""
    threshold = parse_threshold("rate>=100")

    assert not is_lost(threshold, Tally(known=100), Outlook(left=100, elapsed=2.0))
    assert is_lost(threshold, Tally(known=100), Outlook(left=100, elapsed=2.1))
    assert not is_lost(parse_threshold("rate<100"), Tally(known=200), Outlook(left=1, elapsed=0.1))


@pytest.mark.parametrize("gate", GATES)
def test_the_tallies_of_processes_add_up(gate: str) -> None:
    """The sum of the shares is the tally of the whole."""
    threshold, chance = parse_threshold(gate), Random(5)  # noqa: S311
    shares = [[chance.choice(ENDS) for _ in range(50)] for _ in range(3)]

    total = Tally()
    for share in shares:
        total = total.plus(tally(threshold, phase(share), is_open=False))

    assert total == tally(threshold, phase([end for share in shares for end in share]), is_open=False)
    assert total.ended == 150


def test_a_closed_loop_counts_while_it_runs() -> None:
    """Its phase knows only at its end how many requests came due."""
    made = phase(["500"] * 3 + ["timeout"] * 2 + ["quick"])
    made.scheduled = 0

    counts = [tally(parse_threshold(gate), made, is_open=False).against for gate in ("errors<1%", "status_5xx<1%")]
    assert counts == [5, 3]


def test_an_open_loop_counts_response_times() -> None:
    """From the due moment on, as the threshold does."""
    made = phase(["quick"] * 10)
    made.response[bucket(9 * MILLISECOND, FINE)] = 10

    assert tally(parse_threshold("p50<5ms"), made, is_open=True).against == 10


def shape(**options: object) -> ShapeConfig:
    """The shape that these options give."""
    return configure_load(options).shape


@pytest.mark.parametrize(
    ("options", "stage", "most"),
    [
        ({"requests": 70}, None, 70),
        ({"duration": 5}, None, None),
        ({"rate": 100, "duration": 5}, None, 500),
        ({"rate": 0.3, "duration": 5}, None, 2),
        ({"rate": 100, "duration": 5, "warmup": 3}, None, 500),
        ({"rate": 100, "requests": 70}, None, 70),
        ({"rate": 100, "requests": 700, "duration": 5}, None, 500),
        ({"stages": "10s:100,1s:100,20s:0"}, None, 1600),
        ({"stages": "10s:100,1s:100,20s:0"}, 1, 101),
    ],
)
def test_the_requests_of_a_test_are_known_where_they_are(
    options: dict[str, object], stage: int | None, most: int | None
) -> None:
    """By their number, or by the area under the rate; a closed loop that a time ends has no such number."""
    assert most_requests(shape(**options), stage) == most


@pytest.mark.parametrize("seed", range(20))
def test_poisson_arrivals_stay_within_their_bound(seed: int) -> None:
    """It is near what comes."""
    planned = shape(rate=500, duration=2, poisson=True, seed=seed)
    due, count = pacer(planned), 0
    while due.due(count) is not None:
        count += 1

    most = most_requests(planned)
    assert most is not None
    assert count <= most < 1.4 * count


def test_a_closed_loop_is_projected_at_twice_its_pace() -> None:
    """Not in its first second or first tenth; more users may bring more."""
    assert projected(100, 0.9, 5.0) is None
    assert projected(100, 9.0, 100.0) is None
    assert projected(100, 2.0, 5.0) == 301
    assert projected(100, 2.0, 5.0, growth=3.0) == 901
    assert projected(100, 6.0, 5.0) == 1
    assert projected(0, 2.0, 5.0) == 1


@pytest.mark.parametrize(
    ("gate", "failed", "lost"), [("checks<1%", 99, False), ("checks<=0%", 1, True), ("checks<=0%", 0, False)]
)
def test_only_a_limit_of_none_is_lost_for_checks(gate: str, failed: int, *, lost: bool) -> None:
    """No plan says how many checks follow."""
    made = Phase(name="measured", end=SECOND, scheduled=1, checked=100)
    for _ in range(failed):
        made.fail_check("the cart", Example(at=1, took=0, port=None, detail=""))
    threshold = parse_threshold(gate)

    so_far = tally(threshold, made, is_open=False)

    assert so_far.against == failed
    assert is_lost(threshold, so_far, Outlook(0, 1.0, 1.0)) is lost
