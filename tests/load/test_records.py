"""core.loadfacts: records that merge without loss."""

from collections import Counter
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from crawler.load.records import Example, Phase, Table, note

EXAMPLES = st.builds(
    Example, at=st.integers(0, 10**12), took=st.integers(0, 10**12), port=st.none(), detail=st.just("d")
)


@st.composite
def phases(draw: st.DrawFn) -> Phase:
    """A phase with something of everything."""
    phase = Phase(name="p")
    for table in (phase.response, phase.fresh.whole, phase.reused.split, phase.in_flight, phase.connect):
        for value in draw(st.lists(st.integers(0, 10**11), max_size=5)):
            note(table, value)
    for example in draw(st.lists(EXAMPLES, max_size=4)):
        phase.fail(draw(st.sampled_from(["status_500", "truncated"])), example)
    phase.scheduled = draw(st.integers(0, 100))
    phase.end = draw(st.integers(0, 100))
    return phase


def merged(*shares: Phase) -> Phase:
    """All of them, the arguments left alone."""
    first, *others = deepcopy(shares)
    for other in others:
        first.merge(other)
    return first


def plain(phase: Phase) -> tuple[object, ...]:
    """What must be equal; which of two equally bad examples is kept may differ."""
    tables: list[Table] = [phase.response, phase.fresh.whole, phase.reused.split, phase.in_flight, phase.failed]
    kinds = {kind: (f.count, f.first.at, f.last.at, f.worst.took) for kind, f in phase.failures.items()}
    return [Counter(table) for table in tables], kinds, phase.scheduled, phase.end, phase.outcomes


@given(phases(), phases(), phases())
def test_shares_merge_in_any_grouping_and_order(one: Phase, two: Phase, three: Phase) -> None:
    """However many processes there are, and whichever answers first, the sum is the same."""
    whole = plain(merged(one, two, three))

    assert plain(merged(merged(one, two), three)) == whole
    assert plain(merged(three, merged(one, two))) == whole
    assert plain(merged(two, three, one)) == whole


def test_the_examples_of_a_failure_are_its_first_its_last_and_its_worst() -> None:
    """By the moment at which each happened, and by what it took."""
    phase, other = Phase(name="p"), Phase(name="p")
    for at, took in [(5, 50), (1, 30), (9, 10)]:
        phase.fail("truncated", Example(at=at, took=took, port=None, detail="d"))
    other.fail("truncated", Example(at=7, took=90, port=None, detail="d"))

    failure = merged(phase, other).failures["truncated"]

    assert (failure.count, failure.first.at, failure.last.at, failure.worst.took) == (4, 1, 9, 90)
