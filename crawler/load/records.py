"""What a load test records while it runs, and how the records of several processes become one.

Rules
- All times are whole nanoseconds in fine buckets, so memory does not grow with the number of requests and merging loses
  nothing. A share of the records is as good as the whole: merging is adding.
- Whatever was scheduled is counted once when it is due and once when it ends, by different code: the conservation law
  (scheduled = ok + failed + timed out + shed + in flight) is checked, not assumed.
- A request without an answer is kept at the lower bound of its response time.
Runs on: anywhere (pure); the records travel between processes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from crawler.core.histogram import FINE, add_to, bucket


def _table() -> "Table":
    return defaultdict(int)


Table = defaultdict[int, int]
"""Bucket number (or another small whole number) to count."""


def note(table: Table, nanoseconds: int) -> None:
    """Count one time."""
    table[bucket(nanoseconds, FINE)] += 1


@dataclass(slots=True, kw_only=True)
class Sheet:
    """Good answers on connections of one kind, new or reused.

    Attributes:
        whole: service times of answers that came in one piece: their first byte was their last.
        split: service times of the others, whose `first_byte` and `body` are apart.
        statuses: by status code.
    """

    whole: Table = field(default_factory=_table)
    split: Table = field(default_factory=_table)
    first_byte: Table = field(default_factory=_table)
    body: Table = field(default_factory=_table)
    statuses: Table = field(default_factory=_table)

    @property
    def count(self) -> int:
        """How many answers."""
        return sum(self.whole.values()) + sum(self.split.values())

    def merge(self, other: "Sheet") -> None:
        """Add another share."""
        for name in ("whole", "split", "first_byte", "body", "statuses"):
            add_to(getattr(self, name), [getattr(other, name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request that failed, so that it can be found in a server's log.

    Attributes:
        at: nanoseconds after the start of the test, when it ended.
        took: nanoseconds from sending to the failure.
        port: the local port; None = there was no connection.
        detail: what happened, in one line.
    """

    at: int
    took: int
    port: int | None
    detail: str


@dataclass(slots=True, kw_only=True)
class LoadFailure:
    """All failures of one kind: how many, and three of them."""

    count: int
    first: Example
    last: Example
    worst: Example

    def add(self, example: Example) -> None:
        """One more."""
        self.merge(LoadFailure(count=1, first=example, last=example, worst=example))

    def merge(self, other: "LoadFailure") -> None:
        """Add another share."""
        self.count += other.count
        self.first = min(self.first, other.first, key=lambda example: example.at)
        self.last = max(self.last, other.last, key=lambda example: example.at)
        self.worst = max(self.worst, other.worst, key=lambda example: example.took)


@dataclass(slots=True, kw_only=True)
class Phase:
    """One part of a test (warm-up, a stage), by the moment at which its requests were due.

    Attributes:
        measured: False = warm-up, reported apart.
        begin, end: nanoseconds after the start of the test; `end` is set when it has ended.
        scheduled: requests that came due.
        sent: those that were sent before its end; `answered`: those that ended well or failed before it.
        response: from the moment a request was due until its answer (open loop; closed loop: as the service time).
        pacing: how late a request was sent although a connection was free: the client's own fault.
        waiting: how long one waited because every connection was busy.
        late: requests sent more than a millisecond after they were due, for either cause.
        timed_out, shed, in_flight: lower bounds of response times that nobody knows.
        bytes: all that was received, of good answers and of others, heads included.
        connect, tls: what opening connections took.
        opened, closed_by_server: connections.
        surplus: connections given up because the server sent more than the answer.
    """

    name: str
    measured: bool = True
    begin: int = 0
    end: int = 0
    scheduled: int = 0
    sent: int = 0
    answered: int = 0
    fresh: Sheet = field(default_factory=Sheet)
    reused: Sheet = field(default_factory=Sheet)
    response: Table = field(default_factory=_table)
    pacing: Table = field(default_factory=_table)
    waiting: Table = field(default_factory=_table)
    late: int = 0
    failures: dict[str, LoadFailure] = field(default_factory=dict)
    failed: Table = field(default_factory=_table)
    timed_out: Table = field(default_factory=_table)
    shed: Table = field(default_factory=_table)
    in_flight: Table = field(default_factory=_table)
    bytes: int = 0
    connect: Table = field(default_factory=_table)
    tls: Table = field(default_factory=_table)
    opened: int = 0
    closed_by_server: int = 0
    surplus: int = 0

    def fail(self, kind: str, example: Example) -> None:
        """One request failed."""
        note(self.failed, example.took)
        self.witness(kind, example)

    def witness(self, kind: str, example: Example) -> None:
        """Keep an example of what happened, under its kind."""
        if kind in self.failures:
            self.failures[kind].add(example)
        else:
            self.failures[kind] = LoadFailure(count=1, first=example, last=example, worst=example)

    @property
    def seconds(self) -> float:
        """How long it lasted; 0 = it was never begun."""
        return max(0, self.end - self.begin) / 1e9

    @property
    def rate(self) -> float:
        """Requests per second that ended, well or not, within its time."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def ok(self) -> int:
        """Good answers."""
        return self.fresh.count + self.reused.count

    @property
    def outcomes(self) -> dict[str, int]:
        """How the requests ended; the order is that of the conservation law."""
        return {
            "ok": self.ok,
            "failed": sum(self.failed.values()),
            "timed_out": sum(self.timed_out.values()),
            "shed": sum(self.shed.values()),
            "in_flight": sum(self.in_flight.values()),
        }

    @property
    def is_whole(self) -> bool:
        """Whether the conservation law holds."""
        return self.scheduled == sum(self.outcomes.values())

    def service(self) -> Table:
        """Times from sending to the end of the answer, of all good answers."""
        return merged(self.fresh.whole, self.fresh.split, self.reused.whole, self.reused.split)

    def unanswered(self) -> Table:
        """Lower bounds of the response times of requests without an answer."""
        return merged(self.timed_out, self.shed, self.in_flight)

    def merge(self, other: "Phase") -> None:
        """Add another share of the same phase, or another phase to their sum."""
        self.fresh.merge(other.fresh)
        self.reused.merge(other.reused)
        for name in _TABLES:
            add_to(getattr(self, name), [getattr(other, name)])
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, failure in other.failures.items():
            if kind in self.failures:
                self.failures[kind].merge(failure)
            else:
                self.failures[kind] = replace(failure)
        self.begin, self.end = min(self.begin, other.begin), max(self.end, other.end)


_TABLES = (
    *("response", "pacing", "waiting", "failed", "timed_out", "shed", "in_flight"),
    *("connect", "tls"),
)
_SUMS = ("scheduled", "sent", "answered", "late", "bytes", "opened", "closed_by_server", "surplus")


@dataclass(slots=True, kw_only=True)
class ClientCost:
    """What the tool itself cost, in one process, while it measured.

    Attributes:
        seconds, cpu_seconds: wall and processor time.
        lag: how late the event loop came to something that was due, sampled all the time (ns).
        pauses: of Python's cycle collector (ns).
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    lag: Table = field(default_factory=_table)
    pauses: Table = field(default_factory=_table)

    @property
    def cpu(self) -> float:
        """Share of one core."""
        return self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True, kw_only=True)
class LoadRecord:
    """What one process brings home: its phases in order, and its own cost."""

    phases: list[Phase]
    client: ClientCost


def merged(*tables: Mapping[int, int]) -> Table:
    """Tables as one."""
    total = _table()
    add_to(total, tables)
    return total


def merge_phases(shares: Iterable[list[Phase]]) -> list[Phase]:
    """The same phases of several processes as one list."""
    first, *others = shares
    for other in others:
        for phase, more in zip(first, other, strict=True):
            phase.merge(more)
    return first


def sum_up(phases: Iterable[Phase]) -> Phase:
    """The measured phases as one; an empty one when there are none."""
    measured = [phase for phase in phases if phase.measured]
    total = Phase(name="all", begin=measured[0].begin if measured else 0)
    for phase in measured:
        total.merge(phase)
    return total
