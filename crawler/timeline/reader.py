"""A trace read back as rows of bars, for `crawler timeline` to draw.

Rules
- Every trace that this tool wrote is accepted; other files are refused with a one-line error. A file may come from
  anybody, so all values are checked for type and bounds.
- Times are whole microseconds since the run began.
Runs on: anywhere (pure).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.timeline.trace_events import PRODUCER

LARGEST = 64 * 1024 * 1024  # bytes of a file; one that this tool writes has less than a tenth
MOST_ROWS = 1024
_MOST_CURVES = 10
_LONGEST_URL = 500
_LONGEST_NAME = 40

_Us = Annotated[float, msgspec.Meta(ge=0, le=1e14)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Figure = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarLabel:
    """The facts shown for a bar; None = not known."""

    url: str | None = None
    outcome: str | None = None
    reason: str | None = None
    status: _Count | None = None
    timing: Mapping[str, _Figure | None] = field(default_factory=dict)
    visits: _Count | None = None
    finds: _Count | None = None
    bytes: _Count | None = None
    urls: _Count | None = None


@dataclass(slots=True)
class Bar:
    """A span of time: a turn, the reading of a document, a group, a lease; with its steps in order.

    Attributes:
        group: the begin of the group that made a turn durable; None = not known.
    """

    name: str
    begin: int
    end: int
    told: BarLabel
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    group: int | None = None


@dataclass(frozen=True, slots=True)
class BarRow:
    """A row of the drawing."""

    name: str
    bars: list[Bar]

    def busy(self, begin: int, end: int) -> float:
        """Return the share of a stretch of time that the bars fill."""
        within = sum(max(0, min(bar.end, end) - max(bar.begin, begin)) for bar in self.bars)
        return within / max(1, end - begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A run: its rows from top to bottom, and its curves as points of time and value.

    Attributes:
        window: length of a window; one in `stride` was kept.
    """

    command: str
    length: int
    window: int
    stride: int
    left_out: int
    slots: Sequence[BarRow]
    workers: Sequence[BarRow]
    storage: BarRow
    curves: Mapping[str, Sequence[tuple[int, float]]]

    def stretch(self, begin: float, end: float | None) -> tuple[int, int]:
        """Return the part of the run from `begin` to `end`, in seconds, as microseconds; None = its end."""
        last = self.length if end is None else min(self.length, round(end * 1e6))
        return min(max(0, round(begin * 1e6)), last - 1), last


class _Other(msgspec.Struct):
    producer: str
    command: str
    started: str
    slots: _Count
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e8)]
    window_seconds: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    stride: Annotated[int, msgspec.Meta(ge=1, le=10**12)]
    left_out: _Count


class _Event(msgspec.Struct):
    ph: str
    name: str
    pid: _Count
    tid: _Count = 0
    cat: str = ""
    ts: _Us = 0
    dur: _Us = 0
    id: _Count = 0
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _File(msgspec.Struct):
    other: _Other = msgspec.field(name="otherData")
    events: list[_Event] = msgspec.field(name="traceEvents")


_DECODER = msgspec.json.Decoder(_File)
_TOLD = msgspec.json.Decoder(BarLabel)
_VALUES = msgspec.json.Decoder(dict[str, _Figure])


def read_timeline(content: bytes, name: str) -> Timeline:
    """Return the timeline in a trace; `name` is the file's.

    Raises:
        UsageError: this tool did not write the file.
    """
    try:
        return _timeline(_DECODER.decode(content))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{name}: expected a trace that crawler wrote with --trace ({safe(str(error), 120)})"
        ) from None


def _timeline(file: _File) -> Timeline:
    other = file.other
    if not other.producer.startswith(PRODUCER):
        raise msgspec.ValidationError("another program wrote it")
    kinds: dict[str, dict[tuple[int, int], list[Bar]]] = {"turn": {}, "read": {}, "storage": {}}
    spans = defaultdict(list)
    for event in file.events:
        if event.ph == "X":
            spans[event.pid, event.tid].append(event)
    for where, events in spans.items():
        for kind, bar in _bars(events):
            kinds[kind].setdefault(where, []).append(bar)
    # An arrow leads from a turn to the group that made it durable.
    groups = {event.id: int(event.ts) for event in file.events if event.ph == "f" and event.name == "journal"}
    for event in file.events:
        if event.ph == "s" and event.id in groups:
            turns = kinds["turn"].get((event.pid, event.tid), [])
            at = bisect_left(turns, int(event.ts), key=lambda bar: bar.end)
            if at < len(turns):
                turns[at].group = groups[event.id]
    ends = [bar.end for rows in kinds.values() for bars in rows.values() for bar in bars]
    return Timeline(
        command=safe(other.command, 200),
        length=max(1, round(other.seconds * 1e6), *ends),
        window=max(1, round(other.window_seconds * 1e6)),
        stride=other.stride,
        left_out=other.left_out,
        slots=_numbered("slot", kinds["turn"]),
        workers=_numbered("worker", kinds["read"]),
        storage=BarRow("storage", [bar for bars in kinds["storage"].values() for bar in bars]),
        curves=_curves(file.events),
    )


def _bars(events: Iterable[_Event]) -> Iterable[tuple[str, Bar]]:
    """Yield the bars of one row in their order; any other span is a step of the bar before it."""
    last: Bar | None = None
    for event in sorted(events, key=lambda event: (event.ts, -event.dur)):
        begin, end = int(event.ts), int(event.ts + event.dur)
        name = safe(event.name, _LONGEST_NAME)
        if event.cat in {"turn", "read", "storage"}:
            told = _TOLD.decode(event.args)
            texts: dict[str, Any] = {
                key: safe(text, _LONGEST_URL) for key in ("url", "outcome", "reason") if (text := getattr(told, key))
            }
            timing = {safe(phase, _LONGEST_NAME): seconds for phase, seconds in told.timing.items()}
            last = Bar(name, begin, end, replace(told, **texts, timing=timing))
            yield event.cat, last
        elif last is not None and begin < last.end:
            last.steps.append((name, begin, min(end, last.end)))


def _numbered(what: str, rows: Mapping[tuple[int, int], list[Bar]]) -> list[BarRow]:
    """Return slots in their order, workers in the order of their first work; at most MOST_ROWS rows."""
    keys = sorted(rows) if what == "slot" else sorted(rows, key=lambda key: rows[key][0].begin)
    return [BarRow(f"{what} {number}", rows[key]) for number, key in enumerate(keys[:MOST_ROWS], 1)]


def _curves(events: Iterable[_Event]) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        if event.ph == "C":
            for told, value in _VALUES.decode(event.args).items():
                name = safe(told, _LONGEST_NAME)
                if name in curves or len(curves) < _MOST_CURVES:
                    curves.setdefault(name, []).append((int(event.ts), value))
    return {name: sorted(points) for name, points in curves.items()}
