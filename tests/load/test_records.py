"""load.records: records that merge without loss."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import fields
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from crawler.load.counts import Table
from crawler.load.records import Answers, Example, LoadFailure, Phase, merge_groups

LAWS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "name": lambda one, _: one,
    "measured": lambda one, _: one,
    "begin": min,
    "end": max,
    "first": lambda one, two: min(one, two, key=lambda example: example.at),
    "last": lambda one, two: max(one, two, key=lambda example: example.at),
    "worst": lambda one, two: max(one, two, key=lambda example: example.took),
}
"""The fields that are not added."""

NUMBERS: Final = st.integers(1, 10**12)
VALUES: Final[dict[object, st.SearchStrategy[Any]]] = {
    str: st.just("p"),
    bool: st.just(True),
    int: NUMBERS,
    Example: st.builds(Example, at=NUMBERS, took=NUMBERS, port=st.none(), detail=st.just("d")),
    Table: st.dictionaries(st.integers(0, 9), NUMBERS, min_size=1, max_size=4).map(lambda d: defaultdict(int, d)),
}


def filled(record: type) -> st.SearchStrategy[Any]:
    """A record with something in every field; a field of a new type is a KeyError."""
    return st.builds(record, **{field.name: VALUES[field.type] for field in fields(record)})


VALUES[Answers] = filled(Answers)
VALUES[dict[str, LoadFailure]] = st.dictionaries(
    st.sampled_from(["status_500", "truncated", "timeout"]), filled(LoadFailure), min_size=1
)
PHASES: Final = filled(Phase)


def law(name: str, one: Any, two: Any) -> Any:
    """The value of a field after merging."""
    if name in LAWS:
        return LAWS[name](one, two)
    if isinstance(one, int):
        return one + two
    if isinstance(one, defaultdict):
        return Counter(one) + Counter(two)
    if isinstance(one, dict):
        return {**one, **two, **{kind: law("", one[kind], two[kind]) for kind in one.keys() & two.keys()}}
    return type(one)(
        **{each.name: law(each.name, getattr(one, each.name), getattr(two, each.name)) for each in fields(one)}
    )


def merged(*shares: Phase) -> Phase:
    """All of them, the arguments left alone."""
    first, *others = deepcopy(shares)
    for other in others:
        first.merge(other)
    return first


def without_ties(phase: Phase) -> Phase:
    """Leave out which of two equally early, late or slow examples is kept."""
    for failure in (*phase.failures.values(), *phase.checks.values()):
        failure.first, failure.last, failure.worst = (
            Example(at=at, took=took, port=None, detail="")
            for at, took in ((failure.first.at, 0), (failure.last.at, 0), (0, failure.worst.took))
        )
    return phase


@given(PHASES, PHASES)
def test_each_field_has_its_law(one: Phase, two: Phase) -> None:
    """Counts and tables are added, times and examples are the first, the last or the worst; no field is forgotten."""
    assert merged(one, two) == law("", one, two)


@given(PHASES, PHASES, PHASES)
def test_shares_merge_in_any_grouping_and_order(one: Phase, two: Phase, three: Phase) -> None:
    """The sum is the same for any number of processes, in any order of their ends."""
    whole = without_ties(merged(one, two, three))

    assert without_ties(merged(merged(one, two), three)) == whole
    assert without_ties(merged(three, merged(one, two))) == whole
    assert without_ties(merged(two, three, one)) == whole


def test_merging_leaves_the_share_alone() -> None:
    """A failure that only one process saw is a copy in the sum."""
    total, share = Phase(name="p"), Phase(name="p")
    share.fail("truncated", Example(at=1, took=1, port=None, detail="d"))

    total.merge(share)
    total.merge(share)

    assert (total.failures["truncated"].count, share.failures["truncated"].count) == (2, 1)


def test_the_examples_of_a_failure_are_its_first_its_last_and_its_worst() -> None:
    """By the moment at which each happened, and by what it took."""
    phase = Phase(name="p")
    for at, took in [(5, 50), (1, 30), (9, 10)]:
        phase.fail("truncated", Example(at=at, took=took, port=None, detail="d"))

    failure = phase.failures["truncated"]

    assert (failure.count, failure.first.at, failure.last.at, failure.worst.took) == (3, 1, 9, 50)
    assert phase.outcomes["failed"] == 3


def test_groups_of_several_processes_meet_by_their_names() -> None:
    """A script's processes may see other groups first, or not at all."""
    one = [Phase(name="a", scheduled=1), Phase(name="b", scheduled=2)]
    other = [Phase(name="b", scheduled=4), Phase(name="c", scheduled=8)]

    merged_groups = merge_groups([one, other], 100, "other")

    assert {group.name: group.scheduled for group in merged_groups} == {"a": 1, "b": 6, "c": 8}


def test_the_rarest_groups_of_many_count_together() -> None:
    """The limit holds for all processes together, and loses nothing."""
    shares = [[Phase(name=f"{part}{number}", scheduled=number) for number in range(3)] for part in "ab"]

    merged_groups = merge_groups([*shares, [Phase(name="other", scheduled=100)]], 3, "other")

    assert [(group.name, group.scheduled) for group in merged_groups] == [("a2", 2), ("b2", 2), ("other", 102)]


def test_one_group_is_the_whole_test() -> None:
    """It needs no record of its own."""
    assert merge_groups([[Phase(name="a")], [Phase(name="a")]], 100, "other") == []


def test_names_of_checks_stay_bounded_when_processes_are_merged() -> None:
    """Two processes with a hundred names each, none in common: those of the second count together."""
    one, other = Phase(name="p"), Phase(name="p")
    example = Example(at=1, took=0, port=None, detail="")
    for number in range(100):
        one.fail_check(f"a{number}", example)
        other.fail_check(f"b{number}", example)

    one.merge(other)

    assert len(one.checks) == 101
    assert one.checks["other checks"].count == 100
