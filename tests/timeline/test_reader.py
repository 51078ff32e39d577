"""report.timeline and what draws it: a trace read back, as a picture and as a page."""

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UsageError
from crawler.core.events import GroupDone, Leased, VisitDone, VisitTimes
from crawler.core.messages import Timing
from crawler.timeline.page import timeline_page
from crawler.timeline.picture import tick_step, timeline_svg
from crawler.timeline.reader import MOST_ROWS, Timeline, read_timeline
from crawler.timeline.recorder import Trace
from crawler.timeline.trace_events import About, trace_json
from crawler.timeline.words import KINDS, legend, sentences

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u2028\u2029",
    "]]>&amp;",
    "\ufffe",
    "{{script}}",
]


def turn(number: int, started: float, **fields: Any) -> VisitDone:
    """A turn of 0.2 s whose document process 8 read."""
    laps = VisitTimes(started, started + 0.1, started + 0.15, started + 0.2)
    known: dict[str, Any] = {"url": f"http://h/{number}", "outcome": "done", "reason": "ok", "worker": 8}
    known |= {"read_at": started + 0.12, "read_seconds": 0.01}
    known |= {"timing": Timing(first_byte=0.05, body=0.01)}
    return VisitDone(id=number, laps=laps, queued=0.0, **{**known, **fields})


def written(*facts: VisitDone | GroupDone | Leased, command: str = "fetch", most: int = 40_000) -> bytes:
    """The file of a trace of these facts."""
    trace = Trace(0.0, most=most)
    for fact in facts:
        trace(fact)
    about = About(command=command, pid=7, started="2026-01-01T00:00:00.000Z", slots=2)
    return b"".join(trace_json(trace, about))


def timeline(*facts: VisitDone | GroupDone | Leased, command: str = "fetch", most: int = 40_000) -> Timeline:
    """The same, read back."""
    return read_timeline(written(*facts, command=command, most=most), "t.json")


def data_of(page: str) -> dict[str, Any]:
    """Return the data of a page, found as a browser finds it: the element ends at the first `</script`."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_trace_is_read_back_as_rows() -> None:
    """Slots, workers and the storage thread, each bar with its steps, and each turn with its group."""
    group = GroupDone(began=0.5, appended=0.6, synced=0.7, committed=0.8, visits=(1, 2), finds=3, bytes=4)

    found = timeline(turn(1, 0.0), turn(2, 0.1), turn(3, 0.2), group, Leased(began=0.0, ended=0.1, urls=5))

    assert [[bar.told.url for bar in row.bars] for row in found.slots] == [["http://h/1", "http://h/3"], ["http://h/2"]]
    assert [bar.group for row in found.slots for bar in row.bars] == [500_000, None, 500_000]
    assert [len(row.bars) for row in found.workers] == [3]
    assert [bar.name for bar in found.storage.bars] == ["lease", "group"]
    assert found.storage.bars[1].steps == [
        ("append", 500_000, 600_000), ("sync", 600_000, 700_000), ("commit", 700_000, 800_000),
    ]  # fmt: skip
    assert found.storage.busy(400_000, 800_000) == 0.75


def test_the_words_are_decided_by_the_figures() -> None:
    """The concurrency of a run; the gaps of a long one."""
    (short,) = sentences(timeline(turn(1, 0.0), turn(2, 0.0)))
    assert short.endswith("they would take 400 ms: 2.0 ran beside each other on average.")
    long = timeline(*(turn(number, float(number)) for number in range(200)), most=200)
    assert list(sentences(long)) == ["A long run: one in 64 stretches of 250 ms was kept, and the others are shaded."]


def test_every_step_has_a_colour_and_a_meaning() -> None:
    """Every step of a trace is in the table, and in the legend if it occurs."""
    group = GroupDone(began=0.5, appended=0.6, synced=0.7, committed=0.8)
    times = Timing(dns=0.01, connect=0.01, tls=0.01, first_byte=0.01, body=0.01)
    facts = [turn(1, 0.0, timing=times), turn(2, 0.0, worker=0), turn(3, 0.0, timing=Timing(), outcome="failed")]

    found = timeline(*facts, group, Leased(began=0.0, ended=0.1, urls=5))

    assert {name for _, names in legend(found) for name in names} == set(KINDS)


def test_the_picture_is_one_file_for_light_and_dark() -> None:
    """Well-formed, self-contained, with every colour that occurs, and small."""
    facts = [turn(number, number / 100) for number in range(1000)]

    picture = timeline_svg(timeline(*facts))

    root = ET.fromstring(picture)  # noqa: S314 - it is ours
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "").replace("http://h/", "")
    assert len(picture) < 150_000


def test_a_stretch_of_the_run_can_be_drawn() -> None:
    """The picture omits the rest of the run; a stretch within a gap is shaded all over."""
    facts = [turn(number, float(number)) for number in range(200)]
    whole, part = timeline_svg(timeline(*facts)), timeline_svg(timeline(*facts), 10.0, 11.0)

    assert len(part) < len(whole)
    assert "10.4 s" in part
    assert 'class="shade"' in timeline_svg(timeline(*facts, most=200))
    assert 'class="shade"' not in whole


@pytest.mark.parametrize("evil", HOSTILE)
def test_what_strangers_wrote_stays_text(evil: str) -> None:
    """A URL, a reason and the name of a list cannot end the script, begin markup, or break the file."""
    found = timeline(turn(1, 0.0, url=f"http://h/{evil}", reason=evil), command=f"fetch {evil}")

    page, picture = timeline_page(found), timeline_svg(found)

    assert page.count("<script") == 2
    assert "<img" not in page
    assert not set("\u2028\u2029") & set(page)
    assert data_of(page)["slots"][0]["bars"][0]["told"]["url"].startswith("http://h/")
    ET.fromstring(picture)  # noqa: S314 - it is ours


def test_the_page_needs_nothing_else() -> None:
    """It names no other file and no address, and may load nothing."""
    page = timeline_page(timeline(turn(1, 0.0)))

    assert "default-src 'none'" in page
    assert re.findall(r"(?:src|href)\s*=|url\(|@import", page) == []
    assert data_of(page)["length"] == 200_000


GOOD = json.loads(written(turn(1, 0.0)))
SPAN = {"ph": "X", "name": "fetch", "cat": "turn", "ts": 0, "dur": 5, "pid": 7, "tid": 2, "args": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({"traceEvents": []}).encode(),
        json.dumps({**GOOD, "otherData": {**GOOD["otherData"], "producer": "another"}}).encode(),
        json.dumps({**GOOD, "traceEvents": [{**SPAN, "ts": "0"}]}).encode(),
        json.dumps({**GOOD, "traceEvents": [{**SPAN, "ts": -1}]}).encode(),
        json.dumps({**GOOD, "traceEvents": [{**SPAN, "dur": 1e300}]}).encode(),
        json.dumps({**GOOD, "traceEvents": [{**SPAN, "args": {"status": "<b>"}}]}).encode(),
        json.dumps({**GOOD, "otherData": {**GOOD["otherData"], "stride": 0}}).encode(),
        json.dumps({**GOOD, "otherData": {**GOOD["otherData"], "window_seconds": 0}}).encode(),
    ],
    ids=range(12),
)
def test_what_is_no_trace_is_refused(content: bytes) -> None:
    """With one line that names the file."""
    with pytest.raises(UsageError, match=r"t\.json: expected a trace that crawler wrote") as caught:
        read_timeline(content, "t.json")

    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("stride", [2, 10**12])
def test_a_hostile_trace_makes_a_bounded_page(stride: int) -> None:
    """Any number of rows, names and stretches: what is drawn is bounded."""
    spans = [{**SPAN, "tid": number, "name": "x" * 1000} for number in range(3 * MOST_ROWS)]
    curves = [{"ph": "C", "name": "c", "ts": 0, "pid": 7, "args": {f"curve {number}": number}} for number in range(500)]
    other = {**GOOD["otherData"], "stride": stride, "seconds": 1e8, "window_seconds": 1e-6}

    found = read_timeline(json.dumps({**GOOD, "otherData": other, "traceEvents": [*spans, *curves]}).encode(), "t.json")

    assert len(found.slots) == MOST_ROWS
    assert len(timeline_page(found)) < 400_000
    assert len(timeline_svg(found)) < 100_000


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["turn", "phase", "read", "step", ""]))
    ),
    st.floats(0, 2),
    st.floats(0.001, 2),
)
def test_any_spans_are_drawn(spans: list[tuple[int, int, str]], begin: float, length: float) -> None:
    """For any trace, both drawings are made."""
    events = [{**SPAN, "ts": ts, "dur": dur, "cat": kind} for ts, dur, kind in spans]

    found = read_timeline(json.dumps({**GOOD, "traceEvents": events}).encode(), "t.json")

    ET.fromstring(timeline_svg(found, begin, begin + length))  # noqa: S314 - it is ours
    data_of(timeline_page(found, begin, begin + length))


@given(st.floats(0, 1e14))
def test_ticks_are_round(least: float) -> None:
    """The step is 1, 2 or 5 with zeros, and no larger than needed."""
    step = tick_step(least)

    assert str(step).strip("0") in {"1", "2", "5"}
    assert step >= least
    assert step == 1 or step / 2.5 <= least
