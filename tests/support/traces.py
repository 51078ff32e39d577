"""A checker for the Trace Event Format: what is wrong with a file, line by line; none = Perfetto opens it as meant."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Event = Mapping[str, Any]

_FIELDS = {
    "M": {"name", "pid", "args"},
    "X": {"name", "cat", "ts", "dur", "pid", "tid"},
    "C": {"name", "ts", "pid", "args"},
    "s": {"name", "cat", "ts", "pid", "tid", "id"},
    "f": {"name", "cat", "ts", "pid", "tid", "id", "bp"},
}
_METADATA = {"process_name": str, "process_sort_index": int, "thread_name": str, "thread_sort_index": int}


def faults(trace: Mapping[str, Any]) -> Iterator[str]:
    """Every rule of the format that the trace breaks."""
    if trace.get("displayTimeUnit") not in {"ms", "ns"}:
        yield "displayTimeUnit"
    events: list[Event] = trace["traceEvents"]
    if malformed := [fault for event in events for fault in _event_faults(event)]:
        yield from malformed
        return
    yield from _nesting_faults([event for event in events if event["ph"] == "X"])
    yield from _arrow_faults(events)


def _event_faults(event: Event) -> Iterator[str]:
    if missing := _FIELDS[event["ph"]] - set(event):
        yield f"{event} has no {missing}"
        return
    for name in ("ts", "dur", "pid", "tid"):
        value = event.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            yield f"{event}: {name}"
    if event["ph"] == "M" and not isinstance(next(iter(event["args"].values())), _METADATA[event["name"]]):
        yield f"{event}: args"
    if event["ph"] == "C" and not all(isinstance(value, int | float) for value in event["args"].values()):
        yield f"{event}: args"


def _nesting_faults(spans: list[Event]) -> Iterator[str]:
    """On one row, two spans lie within or after each other."""
    rows = defaultdict(list)
    for span in spans:
        rows[span["pid"], span["tid"]].append(span)
    for row in rows.values():
        row.sort(key=lambda span: (span["ts"], -span["dur"]))
        open_until: list[float] = []
        for span in row:
            while open_until and open_until[-1] <= span["ts"]:
                open_until.pop()
            if open_until and span["ts"] + span["dur"] > open_until[-1]:
                yield f"{span} is neither within nor after what came before"
            open_until.append(span["ts"] + span["dur"])


def _arrow_faults(events: list[Event]) -> Iterator[str]:
    """Each arrow has one begin and one end, which is not before it."""
    begins = {event["id"]: event["ts"] for event in events if event["ph"] == "s"}
    ends = {event["id"]: event["ts"] for event in events if event["ph"] == "f"}
    if begins.keys() != ends.keys():
        yield f"arrows without a begin or an end: {begins.keys() ^ ends.keys()}"
    yield from (f"arrow {number} leads back in time" for number in begins if ends.get(number, 0) < begins[number])
