"""load.tally_walk: the counts of many records, read a few at a time."""

from collections.abc import Sequence

import pytest

from crawler.load.abort import Tally, tally
from crawler.load.records import Phase, added
from crawler.load.tally_walk import Records, TallyWalk
from crawler.load.thresholds import Threshold, parse_threshold

GATES = [parse_threshold(text) for text in ("p99<5ms", "errors<10%", "mean{GET /7}<1s", "errors{stage 2}<1%")]


def record(ok: int, failed: int, *, name: str = "measured", measured: bool = True) -> Phase:
    """The record of a group with so many requests, in a bucket of its own."""
    made = Phase(name=name, measured=measured)
    made.reused.whole[5000 + ok] = ok
    made.failed[4000] = failed
    return made


def walked(walk: TallyWalk, records: Records, groups: Sequence[str], current: int) -> tuple[int, list[int]]:
    """The looks of a walk until it has words, and these."""
    for looks in range(1, 50):
        if (words := walk.step(records, groups, current)) is not None:
            return looks, words
    raise AssertionError("no words in fifty looks")


def counts(gate: Threshold, cells: Sequence[Phase], whole: Sequence[Phase]) -> list[int]:
    """The words of a threshold, from records that were merged."""
    ended = sum(sum(cell.outcomes.values()) for cell in whole)
    return [*tally(gate, added(cells, "all"), is_open=False), ended]


@pytest.mark.parametrize(("groups", "looks"), [(1, 1), (7, 7), (20, 20), (21, 11), (100, 20)])
def test_a_walk_reads_a_few_records_with_each_look(groups: int, looks: int) -> None:
    """A hundred groups take twenty looks, a second, and few groups no longer than their number."""
    cells = [record(number, 1) for number in range(groups)]

    found, words = walked(TallyWalk(GATES[:1], is_open=False), [cells], ["g"] * groups, 0)

    assert found == looks
    assert words == counts(GATES[0], cells, cells)


def test_the_counts_are_those_of_merged_records() -> None:
    """Of the whole test, of a group in all stages, and of a stage with all groups; the warm-up counts in none."""
    names = [f"GET /{number}" for number in range(30)]
    records = [
        [record(3, 3, name="warm-up", measured=False) for _ in names],
        [record(number, 2, name="one") for number in range(30)],
        [record(50 + number, number, name="two") for number in range(30)],
    ]
    walk = TallyWalk(GATES, is_open=False)

    _, words = walked(walk, records, names, 2)

    whole = [*records[1], *records[2]]
    parts = [whole, whole, [records[1][7], records[2][7]], records[2]]
    assert words == [word for gate, part in zip(GATES, parts, strict=True) for word in counts(gate, part, whole)]


def test_a_phase_that_ended_long_ago_keeps_its_counts() -> None:
    """It is not read any more, and still counts."""
    records = [[record(10, 1, name=name)] for name in ("one", "two", "three")]
    walk = TallyWalk(GATES[1:2], is_open=False)
    walked(walk, records, [""], 0)

    records[0][0].failed[4000] = 100
    _, words = walked(walk, records, [""], 2)

    assert words == [3, 30, 0, 3, 0, 33]


def test_a_walk_begins_once_a_second() -> None:
    """After its words there are no others for the rest of twenty looks, however few records there are."""
    walk, records = TallyWalk(GATES[:1], is_open=False), [[record(1, 0)]]

    told = [walk.step(records, [""], 0) is not None for _ in range(60)]

    assert [number for number, is_told in enumerate(told) if is_told] == [0, 20, 40]


def test_before_the_first_measured_phase_there_are_no_words() -> None:
    """The first look at it has some at once."""
    walk, records = TallyWalk(GATES[:1], is_open=False), [[record(5, 5, measured=False)], [record(1, 1)]]

    before = [walk.step(records, [""], current) for current in (-1, 0, 0)]

    assert before == [None] * 3
    assert walk.step(records, [""], 1) == [*Tally(0, 1, 0, 1, 0), 2]
