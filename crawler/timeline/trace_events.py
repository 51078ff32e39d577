"""A run's trace in the Trace Event Format, which Perfetto and chrome://tracing open and `crawler timeline` draws.

Rules
- Moments are whole microseconds since the run began, so rounding keeps nested spans nested.
- Slots have no numbers: a turn gets the lowest row that is free when it begins.
- The phases of a fetch are placed backwards from its end: the remainder at the front is the wait for a connection.
- Arrows (flow events) lead from a turn to the reading of its document and to the group that made it durable.
Strategy: events are plain mappings, as in the format.
Source: "Trace Event Format", Google, as of 2016. Runs on: anywhere (pure).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from itertools import chain
from typing import NamedTuple

import msgspec

from crawler.core.events import GroupDone, Leased, VisitDone
from crawler.core.records import milliseconds
from crawler.timeline.recorder import WINDOW, Trace
from crawler.version import __version__

PRODUCER = "crawler"
STORAGE = 1  # the row of the storage thread; slots come after it
_LONGEST_URL = 500  # characters
_MIB = 1024 * 1024

Event = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The origin of a trace: the command, its process, its start (RFC 3339), and its number of slots."""

    command: str
    pid: int
    started: str
    slots: int


def trace_json(trace: Trace, about: About) -> Iterator[bytes]:
    """Yield the file, an event per line."""
    encode = msgspec.json.Encoder().encode
    other = {
        "producer": f"{PRODUCER} {__version__}",
        **asdict(about),
        "seconds": round(trace.ended - trace.began, 6),
        "window_seconds": WINDOW,
        "stride": trace.stride,
        "left_out": trace.left_out,
    }
    yield b'{"displayTimeUnit":"ms","otherData":%b,"traceEvents":[\n' % encode(other)
    separator = b""
    for event in trace_events(trace, about.pid):
        yield separator + encode(event)
        separator = b",\n"
    yield b"\n]}\n"


def trace_events(trace: Trace, pid: int) -> Iterator[Event]:
    """Yield all events: the names of the rows, the spans and arrows on them, and the curves."""
    draw = _Drawing(trace, pid)
    turns = sorted(trace.of(VisitDone), key=lambda turn: turn.laps.started)
    placed = list(zip(turns, _rows(turns), strict=True))
    yield from draw.names(
        max((row for _, row in placed), default=-1) + 1, sorted({turn.worker for turn in turns} - {0})
    )
    for number, (turn, row) in enumerate(placed):
        yield from draw.turn(turn, STORAGE + 1 + row, number)
    yield from chain.from_iterable(map(draw.group, trace.of(GroupDone)))
    yield from map(draw.lease, trace.of(Leased))
    yield from draw.curves()


def _rows(turns: Iterable[VisitDone]) -> Iterator[int]:
    """Yield a row for each turn, in the order of their beginnings: the lowest that is free."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    rows = 0
    for turn in turns:
        while busy and busy[0][0] <= turn.laps.started:
            heappush(free, heappop(busy)[1])
        if not free:
            heappush(free, rows)
            rows += 1
        row = heappop(free)
        heappush(busy, (turn.laps.ended, row))
        yield row


def phases(turn: VisitDone) -> Iterator[tuple[str, float, float]]:
    """Yield the phases of a turn in their order: name, begin and end, each within the turn."""
    laps, timing = turn.laps, turn.timing
    named = {"dns": timing.dns, "connect": timing.connect, "tls": timing.tls}
    fetch = {**named, "first byte": timing.first_byte, "body": timing.body}
    end, laid = laps.fetched, []
    for name, seconds in reversed(fetch.items()):
        if seconds is not None:
            begin = max(laps.started, end - seconds)
            laid.append((name, begin, end))
            end = begin
    yield ("connection" if laid else "asking"), laps.started, end
    yield from reversed(laid)
    if turn.worker:
        begin = min(max(turn.read_at, laps.fetched), laps.handed)
        end = min(begin + (turn.read_seconds or 0.0), laps.handed)
        yield "to a worker", laps.fetched, begin
        yield "in a worker", begin, end
        yield "way back", end, laps.handed
    else:
        yield "on the loop" if turn.read_at else "to a worker", laps.fetched, laps.handed
    yield "inbox", laps.handed, laps.ended


class _Drawing:
    """The events of one trace; `pid` is the main process of the run."""

    def __init__(self, trace: Trace, pid: int) -> None:
        self._trace = trace
        self._pid = pid
        self._waiting: dict[int, list[_OpenVisits]] = defaultdict(list)  # by URL

    def names(self, slots: int, workers: Iterable[int]) -> Iterator[Event]:
        """Yield the names of processes and rows, in the order of the display."""
        yield from _process(self._pid, "crawler: event loop and storage thread", 0)
        for slot in range(slots):
            yield from _thread((self._pid, STORAGE + 1 + slot), f"slot {slot + 1}", slot)
        yield from _thread((self._pid, STORAGE), "storage thread", slots)
        for order, worker in enumerate(workers, 1):
            yield from _process(worker, f"worker {order}: reads documents", order)
            yield from _thread((worker, worker), "reading", 0)

    def turn(self, turn: VisitDone, row: int, number: int) -> Iterator[Event]:
        """Yield a turn on its slot, its phases, the reading of its document, and the starts of its arrows."""
        laps = turn.laps
        url = turn.url[:_LONGEST_URL]
        timing = milliseconds(turn.timing, queue=turn.queued, parse=turn.read_seconds)
        told = {"url": url, "outcome": turn.outcome, "reason": turn.reason, "status": turn.status, "timing": timing}
        name = "fetch" if turn.id else "robots.txt"
        yield self._span(name, "turn", laps.started, laps.ended, (self._pid, row), told)
        for phase, begin, end in phases(turn):
            if self._us(end) > self._us(begin):
                yield self._span(phase, "phase", begin, end, (self._pid, row))
        if turn.worker:
            end = turn.read_at + (turn.read_seconds or 0.0)
            told = {"url": url, "reason": turn.reason}
            yield self._span("read", "read", turn.read_at, end, (turn.worker, turn.worker), told)
            yield self._arrow("s", "document", 2 * number, laps.fetched, (self._pid, row))
            yield self._arrow("f", "document", 2 * number, turn.read_at, (turn.worker, turn.worker))
        self._waiting[turn.id].append(_OpenVisits(laps.handed, row, 2 * number + 1))

    def group(self, group: GroupDone) -> Iterator[Event]:
        """Yield a group on the storage thread, its steps, and the arrows of the turns that it made durable."""
        told = {"visits": len(group.visits), "finds": group.finds, "bytes": group.bytes}
        yield self._span("group", "storage", group.began, group.committed, (self._pid, STORAGE), told)
        steps = ("append", group.began, group.appended), ("sync", group.appended, group.synced)
        for step, begin, end in (*steps, ("commit", group.synced, group.committed)):
            if self._us(end) > self._us(begin):
                yield self._span(step, "step", begin, end, (self._pid, STORAGE))
        for visit in group.visits:
            for waiting in [waiting for waiting in self._waiting[visit] if waiting.handed <= group.began]:
                self._waiting[visit].remove(waiting)
                yield self._arrow("s", "journal", waiting.arrow, waiting.handed, (self._pid, waiting.row))
                yield self._arrow("f", "journal", waiting.arrow, group.began, (self._pid, STORAGE))

    def lease(self, lease: Leased) -> Event:
        """Return a lease of URLs by the frontier, on the storage thread."""
        return self._span("lease", "storage", lease.began, lease.ended, (self._pid, STORAGE), {"urls": lease.urls})

    def curves(self) -> Iterator[Event]:
        """Yield a point of each curve at each moment."""
        for point in self._trace.points:
            values = {
                "in flight": point.in_flight,
                "queued": point.queued,
                "inbox": point.inbox,
                "loop lag (ms)": round(point.lag * 1000, 3),
                "memory (MiB)": round(point.rss / _MIB, 1),
            }
            for name, value in values.items():
                yield {"ph": "C", "name": name, "ts": self._us(point.at), "pid": self._pid, "args": {name: value}}

    def _span(
        self, name: str, kind: str, begin: float, end: float, row: "_Row", told: Mapping[str, object] | None = None
    ) -> Event:
        ts = self._us(begin)
        span = {"ph": "X", "name": name, "cat": kind, "ts": ts, "dur": self._us(end) - ts, "pid": row[0], "tid": row[1]}
        return span if told is None else {**span, "args": told}

    def _arrow(self, phase: str, name: str, number: int, at: float, row: "_Row") -> Event:
        event = {"ph": phase, "name": name, "cat": "arrow", "id": number, "ts": self._us(at)}
        return {**event, "pid": row[0], "tid": row[1], **({"bp": "e"} if phase == "f" else {})}

    def _us(self, moment: float) -> int:
        return max(0, int((moment - self._trace.began) * 1e6))


_Row = tuple[int, int]  # process and thread


class _OpenVisits(NamedTuple):
    """A turn that waits for its group."""

    handed: float
    row: int
    arrow: int


def _process(pid: int, name: str, order: int) -> Iterator[Event]:
    yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": order}}


def _thread(row: _Row, name: str, order: int) -> Iterator[Event]:
    where = {"pid": row[0], "tid": row[1]}
    yield {"ph": "M", "name": "thread_name", **where, "args": {"name": name}}
    yield {"ph": "M", "name": "thread_sort_index", **where, "args": {"sort_index": order}}
