"""report.trace: the facts of a run as events, and the checker that tells whether they are valid."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.events import GroupDone, Leased, VisitDone, VisitTimes
from crawler.core.leases_and_commits import Totals
from crawler.core.messages import Timing
from crawler.core.metrics import Sample
from crawler.timeline.recorder import Trace
from crawler.timeline.trace_events import About, phases, trace_json
from support.traces import faults

ABOUT = About(command="fetch urls.txt", pid=7, started="2026-01-01T00:00:00.000Z", slots=2)
TIMING = Timing(dns=0.01, connect=0.02, tls=0.03, first_byte=0.1, body=0.04, total=0.2)


def turn(started: float = 0.0, *, number: int = 1, ended: float = 0.5, **fields: Any) -> VisitDone:
    """A turn whose fetch took 0.2 s, whose document waited 0.1 s for process 8, was read for 0.05 s and came back."""
    laps = VisitTimes(started, started + 0.2, started + 0.4, started + ended)
    known: dict[str, Any] = {"timing": TIMING, "outcome": "done", "reason": "ok", "status": 200, "worker": 8}
    read = {"read_at": started + 0.3, "read_seconds": 0.05}
    return VisitDone(id=number, url=f"http://h/{number}", laps=laps, queued=0.02, **{**known, **read, **fields})


def file_of(*facts: VisitDone | GroupDone | Leased | Sample) -> dict[str, Any]:
    """The trace of these facts as a reader of the file has it."""
    trace = Trace(0.0)
    for fact in facts:
        trace(fact)
    found: dict[str, Any] = json.loads(b"".join(trace_json(trace, ABOUT)))
    return found


def rounded(found: VisitDone) -> list[tuple[str, float, float]]:
    """Its phases to the millisecond."""
    return [(name, round(begin, 3), round(end, 3)) for name, begin, end in phases(found)]


def test_the_phases_of_a_turn_follow_each_other() -> None:
    """From the slot taken to the slot free, without a gap."""
    assert rounded(turn()) == [
        ("connection", 0.0, 0.0),
        ("dns", 0.0, 0.01),
        ("connect", 0.01, 0.03),
        ("tls", 0.03, 0.06),
        ("first byte", 0.06, 0.16),
        ("body", 0.16, 0.2),
        ("to a worker", 0.2, 0.3),
        ("in a worker", 0.3, 0.35),
        ("way back", 0.35, 0.4),
        ("inbox", 0.4, 0.5),
    ]


def test_a_fetch_without_an_answer_is_one_phase() -> None:
    """Nobody knows what it waited for; and there is no document."""
    failed = turn(timing=Timing(total=0.2), outcome="failed", status=None, worker=0, read_at=0.0, read_seconds=None)

    assert rounded(failed)[0] == ("asking", 0.0, 0.2)


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0.4, 2), st.sampled_from([0.0, 0.01, 3.0])),
        max_size=40,
        unique_by=lambda x: x[0],
    )
)
def test_whatever_the_moments_the_trace_is_valid(turns: list[tuple[float, float, float]]) -> None:
    """Rows never overlap, phases lie within their turn, and arrows lead forwards, for any overlap of turns."""
    facts = [
        turn(started, number=number, ended=ended, timing=Timing(first_byte=first_byte), worker=100 + number)
        for number, (started, ended, first_byte) in enumerate(turns, 1)
    ]
    groups = [GroupDone(began=10.0, appended=10.1, synced=10.1, committed=10.2, visits=tuple(range(1, len(turns) + 1)))]

    trace = file_of(*facts, *groups)

    assert list(faults(trace)) == []
    assert len([event for event in trace["traceEvents"] if event["name"] == "journal"]) == 2 * len(turns)


def test_a_slot_that_is_free_is_used_again() -> None:
    """Two turns at once need two rows; the third goes to the lowest that is free."""
    trace = file_of(turn(0.0, number=1), turn(0.1, number=2), turn(0.6, number=3))

    rows = [event["tid"] for event in trace["traceEvents"] if event.get("cat") == "turn"]
    assert rows == [2, 3, 2]


def test_the_storage_thread_and_the_curves_are_there() -> None:
    """A group has its steps, a lease its URLs, a sample five curves."""
    group = GroupDone(began=0.1, appended=0.2, synced=0.25, committed=0.4, visits=(1,), finds=3, bytes=9)
    sample = Sample(
        totals=Totals(), at=0.5, seconds=0.5, pages_per_second=0.0, bytes_per_second=0.0,
        fetching=1, waiting=1, queued=3, inbox=4, rss=1024 * 1024, lag=0.005, worst_lag=0.005,
    )  # fmt: skip

    trace = file_of(group, Leased(began=0.0, ended=0.05, urls=9), sample)

    events = trace["traceEvents"]
    spans = {event["name"]: (event["ts"], event["dur"]) for event in events if event["ph"] == "X"}
    assert spans == {
        "lease": (0, 50_000), "group": (100_000, 300_000), "append": (100_000, 100_000),
        "sync": (200_000, 50_000), "commit": (250_000, 150_000),
    }  # fmt: skip
    curves = {event["name"]: event["args"][event["name"]] for event in events if event["ph"] == "C"}
    assert curves == {"in flight": 2, "queued": 3, "inbox": 4, "loop lag (ms)": 5.0, "memory (MiB)": 1.0}
    assert list(faults(trace)) == []


def test_a_turn_whose_group_was_left_out_has_no_arrow() -> None:
    """An arrow without an end would be refused by who draws it."""
    trace = file_of(turn())

    assert [event["name"] for event in trace["traceEvents"] if event["ph"] in "sf"] == ["document"] * 2
    assert trace["otherData"]["stride"] == 1


def test_each_try_leads_to_its_own_group() -> None:
    """A URL that is tried twice has two turns, and two groups that made them safe."""
    groups = [GroupDone(began=at, appended=at, synced=at, committed=at + 0.1, visits=(1,)) for at in (0.6, 1.6)]

    trace = file_of(turn(0.0, outcome="retry"), turn(1.0), *groups)

    arrows = [(event["ph"], event["ts"]) for event in trace["traceEvents"] if event["name"] == "journal"]
    assert arrows == [("s", 400_000), ("f", 600_000), ("s", 1_400_000), ("f", 1_600_000)]
    assert list(faults(trace)) == []


SPAN = {"ph": "X", "name": "a", "cat": "c", "ts": 0, "dur": 10, "pid": 1, "tid": 1}


@pytest.mark.parametrize(
    "events",
    [
        [{**SPAN, "ts": "0"}],
        [{**SPAN, "dur": -1}],
        [{name: value for name, value in SPAN.items() if name != "tid"}],
        [SPAN, {**SPAN, "ts": 5}],
        [{**SPAN, "ph": "s", "id": 1}],
        [{**SPAN, "ph": "C", "args": {"a": "1"}}],
        [{"ph": "M", "name": "thread_name", "pid": 1, "args": {"name": 1}}],
    ],
    ids=["text for a time", "back in time", "no row", "half within", "half an arrow", "text for a number", "no name"],
)
def test_the_checker_sees_what_is_wrong(events: list[dict[str, object]]) -> None:
    """A trace that is not valid is not taken for one."""
    assert list(faults({"displayTimeUnit": "ms", "traceEvents": events}))
