"""load.thresholds: what a gate lets pass."""

import re
from dataclasses import replace

import pytest

from crawler.core.errors import UsageError
from crawler.core.histogram import FINE, bucket
from crawler.core.reasons import Reason
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import check_scopes, parse_threshold
from support.load_results import load_result


def result(*, ok: int = 1990, failed: int = 0, unanswered: int = 0, milliseconds: int = 10) -> LoadResult:
    """So many good answers of this latency within a second, and others."""
    phase = Phase(name="measured", end=SECOND, scheduled=ok + failed + unanswered, answered=ok + failed)
    phase.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = ok
    for _ in range(failed):
        phase.fail("status_500", Example(at=1, took=1, port=None, detail="answered with status 500"))
    phase.in_flight[bucket(MILLISECOND, FINE)] = unanswered
    return load_result([phase])


@pytest.mark.parametrize(
    ("gate", "is_kept"),
    [
        ("p99<11ms", True),
        ("p99 < 0.011s", True),
        ("p99<9ms", False),
        ("p50>=9000us", True),
        ("mean<=11ms", True),
        ("max<1s", True),
        ("errors<0.6%", True),
        ("errors<0.5%", False),
        ("errors<0.01", True),
        ("rate>=2000", True),
        ("rate>2001", False),
        ("p99.9<11ms", False),  # 2,000 requests cannot carry it
    ],
)
def test_a_gate_is_kept_or_not(gate: str, is_kept: bool) -> None:
    """1,990 good answers of 10 ms and 10 failures in a second."""
    assert parse_threshold(gate).check(result(failed=10))[0] is is_kept


def test_what_is_only_known_from_below_is_not_below() -> None:
    """Unanswered requests hide the true percentile, whatever the known ones say."""
    hidden = result(unanswered=100)

    is_kept, figure = parse_threshold("p99<100ms").check(hidden)
    assert not is_kept
    assert figure.startswith("at least ")
    assert parse_threshold("p99>5ms").check(hidden)[0]


def test_a_few_requests_in_flight_hide_no_percentile_that_they_cannot_move_so_far() -> None:
    """Fifty of 2,040: the p90 would be 20 ms at the most, and the p99 could be anything."""
    found = result(ok=1800, unanswered=50)
    found.phases[0].reused.whole[bucket(20 * MILLISECOND, FINE)] = 190

    kept = [parse_threshold(gate).check(found)[0] for gate in ("p90<21ms", "p90<19ms", "p99<1s", "p99>5ms")]

    assert kept == [True, False, False, True]
    assert parse_threshold("p90<21ms").check(found)[1] == "at least 9.998 ms"


@pytest.mark.parametrize("change", [{"interrupted": True}, {"aborted_by": "errors<1%"}])
def test_a_test_that_is_worth_nothing_passes_no_gate(change: dict[str, object]) -> None:
    """Neither an interrupted one, nor one that another threshold ended."""
    assert not parse_threshold("errors<100%").check(replace(result(), **change))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("p99<11ms", (True, "9.998 ms")),
        ("mean<=11ms", (True, "9.998 ms")),
        ("errors<1%", (True, "0.503 %")),
        ("status_500<1%", (True, "0.503 %")),
        ("p99<9ms", (False, "9.998 ms, but client-bound")),  # the client may have made it longer
        ("errors<0.1%", (False, "0.503 %, but client-bound")),
        ("p99>5ms", (False, "9.998 ms, but client-bound")),
        ("status_200>99%", (False, "99.5 %, but client-bound")),
        ("rate>=1000", (False, "1,990/s, but client-bound")),
        ("rate<3000", (False, "1,990/s, but client-bound")),  # the client may have made it lower
    ],
)
def test_a_late_client_can_only_miss_upper_limits(gate: str, expected: tuple[bool, str]) -> None:
    """It lengthens times and makes no errors: what holds in spite of it holds, and the rest is undecided."""
    found = replace(result(ok=1980, failed=10), verdict=LoadVerdict.CLIENT_BOUND)
    found.phases[0].reused.statuses[200] = 1980

    assert parse_threshold(gate).check(found) == expected


@pytest.mark.parametrize("gate", ["p99<1s", "errors<5%", "status_503<1%"])
def test_a_machine_that_ran_out_of_files_or_ports_passes_no_gate(gate: str) -> None:
    """The server did not get the requests, so no one knows how it would have taken them."""
    found = result()
    found.phases[0].fail(Reason.CLIENT_LIMIT, Example(at=1, took=1, port=None, detail="EMFILE"))

    is_kept, figure = parse_threshold(gate).check(replace(found, verdict=LoadVerdict.CLIENT_BOUND))

    assert not is_kept
    assert figure.endswith(", but client-bound")


def test_an_end_that_was_early_is_told_behind_the_figure() -> None:
    """The figure stands: it is what the threshold was missed by."""
    found = replace(result(ok=900, failed=100), aborted_by="errors<5%")

    assert parse_threshold("errors<5%").check(found) == (False, "10 %; the test ended early")
    assert parse_threshold("p99.9<1s").check(found)[1].endswith("are here; the test ended early")


@pytest.mark.parametrize(
    ("gate", "figure"),
    [
        ("p99<50ms", "1,000 ok requests are needed, 400 are here; interrupted; client-bound"),
        ("p50<50ms", "9.998 ms, but interrupted and client-bound"),
        ("errors<1%", "0 %, but interrupted and client-bound"),
    ],
)
def test_a_missed_gate_names_all_that_stands_in_its_way(gate: str, figure: str) -> None:
    """The figure that the sample lacks comes first: a test without the other faults would lack it, too."""
    poor = replace(result(ok=400), interrupted=True, verdict=LoadVerdict.CLIENT_BOUND)

    assert parse_threshold(gate).check(poor) == (False, figure)


def test_the_missing_requests_are_counted_as_the_percentiles_count_them() -> None:
    """Failed ones do not help a percentile; unanswered ones do."""
    assert parse_threshold("p90<1s").check(result(ok=1, failed=500))[1] == "100 ok requests are needed, 1 is here"
    waiting = parse_threshold("p90<1s").check(result(ok=50, unanswered=40))[1]
    assert waiting == "100 ok or unanswered requests are needed, 90 are here"
    assert parse_threshold("mean<1s").check(result(ok=0, failed=500))[1] == "no request was ok"


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<", "p99<50ms!", "{a}<5ms", "p99{<5ms", "p99{}<5ms", "<5ms", "speed<5", "status_600<1%"]
)
def test_what_is_no_gate_is_refused(text: str) -> None:
    """The message has the text."""
    with pytest.raises(UsageError, match=f"^--threshold {re.escape(repr(text))}: "):
        parse_threshold(text)


@pytest.mark.parametrize(("text", "better"), [("p0.99<5ms", "p99"), ("p0.5<5ms", "p50"), ("p0.999<5ms", "p99.9")])
def test_a_share_is_no_percentile(text: str, better: str) -> None:
    """Never another one in its place."""
    with pytest.raises(UsageError, match=f"is a share: write {better}$"):
        parse_threshold(text)


@pytest.mark.parametrize(
    ("gate", "is_kept"),
    [
        ("p100<11ms", True),
        ("p100<9ms", False),
        ("p0>9ms", True),
        ("p0.0<9ms", False),
        ("status_500<=0.5%", True),
        ("status_500<0.5%", False),
        ("status_5xx<0.5%", False),
        ("status_503<0.1%", True),
        ("status_200>99%", True),
        ("status_2xx>99.6%", False),
        ("timeout<0.1%", True),
    ],
)
def test_extremes_and_statuses_are_figures_too(gate: str, is_kept: bool) -> None:
    """1,990 answers of 10 ms with status 200, and 10 with status 500."""
    found = result(failed=10)
    found.phases[0].reused.statuses[200] = 1990

    assert parse_threshold(gate).check(found)[0] is is_kept


def staged() -> LoadResult:
    """Three stages, of 10, 20 and 30 ms, the first and the last of one name, and two groups of targets."""
    parts = []
    for number, (name, milliseconds) in enumerate((("to 100/s", 10), ("to 900/s", 20), ("to 100/s", 30))):
        part = Phase(name=name, begin=number * SECOND, end=(number + 1) * SECOND, scheduled=1000, answered=1000)
        part.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = 1000
        parts.append(part)
    groups = [replace(parts[0], name="GET /users/{id}"), replace(parts[2], name="front page")]
    return replace(load_result(parts), groups=tuple(groups))


@pytest.mark.parametrize(
    ("gate", "figure"),
    [
        ("p99{stage 1}<15ms", "9.998 ms"),
        ("p99{to 900/s}<25ms", "19.997 ms"),
        ("p99 {stage 3} < 40ms", "30.007 ms"),
        ("p99{GET /users/{id}}<15ms", "9.998 ms"),
        ("mean{ front page }<40ms", "30.007 ms"),
        ("rate{stage 2}>=1000", "1,000/s"),
        ("errors{front page}<1%", "0 %"),
    ],
)
def test_a_scope_names_a_stage_or_a_group_of_targets(gate: str, figure: str) -> None:
    """By its number or by its name in the report, which may hold braces and signs."""
    assert parse_threshold(gate).check(staged()) == (True, figure)


@pytest.mark.parametrize("scope", ["stage 4", "stage 0", "to 5/s", "GET /", "to 100/s"])
def test_a_scope_that_names_nothing_or_too_much_is_missed(scope: str) -> None:
    """The figure is a list of what there is."""
    is_kept, told = parse_threshold(f"p50{{{scope}}}<1s").check(staged())

    assert not is_kept
    assert told == (
        "no such stage or target; there are: stage 1 (to 100/s), stage 2 (to 900/s), stage 3 (to 100/s), "
        "GET /users/{id}, front page"
    )


def test_a_test_of_one_part_has_no_scopes() -> None:
    """Its one phase is the whole."""
    told = (False, "no such stage or target; the test has no stages and one target: leave out the braces")

    assert parse_threshold("p50{measured}<1s").check(result()) == told
    assert parse_threshold("p50{stage 1}<1s").check(result()) == told


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (
            "stage 4",
            r"no stage or target is named 'stage 4'; there are: stage 1 \(to 1/s\), stage 2 \(to 9/s\), stage 3",
        ),
        ("to 1/s", "'to 1/s' names 2 stages: write stage 1 or stage 3"),
        ("GET /", "no stage or target is named 'GET /'"),
        ("2xx", "times are those of the good answers: --expect-status chooses them, and status_2xx<1% limits"),
        ("503", "status_503<1% limits their share"),
    ],
)
def test_a_scope_that_names_nothing_is_refused_before_the_test(scope: str, said: str) -> None:
    """The message lists what there is."""
    with pytest.raises(UsageError, match=said):
        check_scopes([parse_threshold(f"p99{{{scope}}}<1s")], ["to 1/s", "to 9/s", "to 1/s"], ["home"])


def test_scopes_that_name_one_thing_pass() -> None:
    """So do thresholds of the whole test."""
    gates = map(parse_threshold, ["p99<1s", "p99{stage 3}<1s", "p99{to 9/s}<1s", "p99{home}<1s"])

    check_scopes(gates, ["to 1/s", "to 9/s", "to 1/s"], ["home"])


def test_a_message_names_ten_scopes() -> None:
    """Of a hundred targets."""
    with pytest.raises(UsageError, match=r"there are: g0, g1, .*, g9 and 90 more$"):
        check_scopes([parse_threshold("p99{x}<1s")], (), [f"g{number}" for number in range(100)])


@pytest.mark.parametrize(
    ("gate", "is_kept", "figure"),
    [("checks<6%", True, "5 %"), ("checks<5%", False, "5 %"), ("checks{stage 2}<1%", False, "no check was made")],
)
def test_checks_are_a_share_of_their_own(gate: str, is_kept: bool, figure: str) -> None:
    """Five of a hundred checks of the first stage, beside requests that were all answered; the second made none."""
    first, second = (Phase(name=name, end=SECOND, scheduled=10, answered=10) for name in ("to 1/s", "to 2/s"))
    first.checked = 100
    first.reused.whole[bucket(MILLISECOND, FINE)] = second.reused.whole[bucket(MILLISECOND, FINE)] = 10
    for _ in range(5):
        first.fail_check("the cart", Example(at=1, took=0, port=None, detail="user 0: the cart"))

    assert parse_threshold(gate).check(load_result([first, second])) == (is_kept, figure)
