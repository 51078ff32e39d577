"""Records of a load test: what each process counts while it runs, and how their records become one.

Rules
- All times are whole nanoseconds in the buckets of an HDR histogram, so memory does not grow with the number of
  requests, and merging loses nothing: it adds.
- Each scheduled request is counted once when it is due and once when it ends, by different code. So the conservation
  law (scheduled = ok + failed + timed out + shed + in flight) is a check.
- A request without an answer counts at the lower bound of its response time. Leaving it out would be coordinated
  omission: the slowest requests would be missing from the percentiles.
Runs on: anywhere (pure); the records travel between processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

from crawler.core.histogram import add_to
from crawler.load.counts import Table, merged, new_table, note
from crawler.load.intervals import Interval, check_name


@dataclass(slots=True, kw_only=True)
class Answers:
    """Good answers on connections of one kind, new or reused.

    Attributes:
        whole: service times of answers that came in one piece: their first byte was their last.
        split: service times of the others, whose `first_byte` and `body` are apart.
        statuses: by status code.
    """

    whole: Table = field(default_factory=new_table)
    split: Table = field(default_factory=new_table)
    first_byte: Table = field(default_factory=new_table)
    body: Table = field(default_factory=new_table)
    statuses: Table = field(default_factory=new_table)

    @property
    def count(self) -> int:
        """Return the number of answers."""
        return sum(self.whole.values()) + sum(self.split.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request that failed, with what finds it in a server's log.

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
    """All failures of one kind, or all that failed of one check: how many, and three of them."""

    count: int
    first: Example
    last: Example
    worst: Example

    def merge(self, other: "LoadFailure") -> None:
        """Add the failures of another share; of two examples, keep the earlier, the later, and the slower one."""
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
        waiting: how late a request was sent because every connection was busy.
        late: requests sent more than a millisecond after they were due, for either cause.
        timed_out, shed, in_flight: lower bounds of the response times of requests without an answer.
        bytes: received with good answers and with others, heads included.
        connect, tls: times of opening connections.
        opened, closed_by_server: connections.
        surplus: connections given up because the server sent more than the answer.
        asked_again: requests sent once more, since their kept connection had ended before the first byte of an answer.
        checked: checks that scripts made, errors of scripts, and runs that ended well without a check.
        checks: those of them that failed, by the name of the check; `script_error` are the errors. The names beyond the
            first hundred count together.
    """

    name: str
    measured: bool = True
    begin: int = 0
    end: int = 0
    scheduled: int = 0
    sent: int = 0
    answered: int = 0
    fresh: Answers = field(default_factory=Answers)
    reused: Answers = field(default_factory=Answers)
    response: Table = field(default_factory=new_table)
    pacing: Table = field(default_factory=new_table)
    waiting: Table = field(default_factory=new_table)
    late: int = 0
    failures: dict[str, LoadFailure] = field(default_factory=dict)
    failed: Table = field(default_factory=new_table)
    timed_out: Table = field(default_factory=new_table)
    shed: Table = field(default_factory=new_table)
    in_flight: Table = field(default_factory=new_table)
    bytes: int = 0
    connect: Table = field(default_factory=new_table)
    tls: Table = field(default_factory=new_table)
    opened: int = 0
    closed_by_server: int = 0
    surplus: int = 0
    asked_again: int = 0
    checked: int = 0
    checks: dict[str, LoadFailure] = field(default_factory=dict)

    def fail(self, kind: str, example: Example) -> None:
        """Count a request that failed."""
        note(self.failed, example.took)
        self.keep_example(kind, example)

    def keep_example(self, kind: str, example: Example) -> None:
        """Keep an example of this kind of failure."""
        _add_failure(self.failures, kind, LoadFailure(count=1, first=example, last=example, worst=example))

    def fail_check(self, name: str, example: Example) -> None:
        """Count a check that failed; it is no request, so no outcome and no failure of one."""
        failure = LoadFailure(count=1, first=example, last=example, worst=example)
        _add_failure(self.checks, check_name(name, self.checks), failure)

    @property
    def seconds(self) -> float:
        """Return how long the phase lasted; 0 = it never began."""
        return max(0, self.end - self.begin) / 1e9

    @property
    def rate(self) -> float:
        """Return the requests per second that ended, well or not, within the phase."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def ok(self) -> int:
        """Return the number of good answers."""
        return self.fresh.count + self.reused.count

    @property
    def outcomes(self) -> dict[str, int]:
        """Return how many requests ended in each way, in the order of the conservation law."""
        return {
            "ok": self.ok,
            "failed": sum(self.failed.values()),
            "timed_out": sum(self.timed_out.values()),
            "shed": sum(self.shed.values()),
            "in_flight": sum(self.in_flight.values()),
        }

    @property
    def is_whole(self) -> bool:
        """Return whether the conservation law holds."""
        return self.scheduled == sum(self.outcomes.values())

    @property
    def failed_checks(self) -> int:
        """Return the number of checks that failed, errors of scripts included."""
        return sum(failure.count for failure in self.checks.values())

    @property
    def service_tables(self) -> list[Table]:
        """Return the tables of the service times of good answers, which add up to `service`."""
        return [self.fresh.whole, self.fresh.split, self.reused.whole, self.reused.split]

    def service(self) -> Table:
        """Return the service times of all good answers: from sending to the end of the answer."""
        return merged(*self.service_tables)

    def unanswered(self) -> Table:
        """Return the lower bounds of the response times of requests without an answer."""
        return merged(self.timed_out, self.shed, self.in_flight)

    def merge(self, other: "Phase") -> None:
        """Add another share of the same phase, or another phase to a sum."""
        _add_fields(self, other, but=("name", "measured", "begin", "end", "failures", "checks"))
        self.begin, self.end = min(self.begin, other.begin), max(self.end, other.end)
        for kind, failure in other.failures.items():
            _add_failure(self.failures, kind, failure)
        for name, failure in other.checks.items():
            _add_failure(self.checks, check_name(name, self.checks), failure)


def _add_failure(kinds: dict[str, LoadFailure], kind: str, failure: LoadFailure) -> None:
    if kind in kinds:
        kinds[kind].merge(failure)
    else:
        kinds[kind] = replace(failure)


def _add_fields(total: Phase | Answers, share: Phase | Answers, but: Sequence[str] = ()) -> None:
    """Add each table and each count of a record to the same field of another."""
    for name in (each.name for each in fields(total) if each.name not in but):
        mine, other = getattr(total, name), getattr(share, name)
        if isinstance(mine, Answers):
            _add_fields(mine, other)
        elif isinstance(mine, dict):
            add_to(mine, [other])
        else:
            setattr(total, name, mine + other)


@dataclass(slots=True, kw_only=True)
class ClientCost:
    """The cost of the client itself, in one process, while it measured.

    Attributes:
        seconds, cpu_seconds: wall and processor time.
        lag: how late the event loop called a timer, sampled all the time (ns).
        pauses: of Python's cycle collector (ns).
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    lag: Table = field(default_factory=new_table)
    pauses: Table = field(default_factory=new_table)

    @property
    def cpu(self) -> float:
        """Return the share of one core."""
        return self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True, kw_only=True)
class LoadRecord:
    """The record of one process: its phases in order, its seconds, its own cost, and whether it gave up.

    Attributes:
        groups: the measured requests by group of targets; empty when there is one group.
        logins: the requests of the log-in, in the warm-up, too; None = there is no log-in.
    """

    phases: list[Phase]
    client: ClientCost
    gave_up: bool = False
    groups: list[Phase] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    logins: Phase | None = None


def merge_phases(shares: Iterable[list[Phase]]) -> list[Phase]:
    """Merge the phases of several processes, one by one, and return them as one list."""
    first, *others = shares
    for other in others:
        for phase, more in zip(first, other, strict=True):
            phase.merge(more)
    return first


def merge_groups(shares: Iterable[list[Phase]], most: int, rest: str) -> list[Phase]:
    """Merge the groups of several processes by their names, `most` at most: the others count together.

    One group is the whole test, and needs no record of its own.
    """
    found: dict[str, Phase] = {}
    for groups in shares:
        for group in groups:
            if group.name in found:
                found[group.name].merge(group)
            else:
                found[group.name] = group
    if len(found) > most:
        ranked = sorted((group for group in found.values() if group.name != rest), key=lambda group: -group.scheduled)
        others = [*ranked[most - 1 :], *([found[rest]] if rest in found else [])]
        return [*ranked[: most - 1], added(others, rest)]
    return list(found.values()) if len(found) > 1 else []


def sum_up(phases: Iterable[Phase]) -> Phase:
    """Return the sum of the measured phases; an empty phase when there are none."""
    return added([phase for phase in phases if phase.measured], "all")


def added(phases: Sequence[Phase], name: str) -> Phase:
    """Return the sum of these phases under a name."""
    first = phases[0] if phases else Phase(name=name)
    total = Phase(name=name, measured=first.measured, begin=first.begin)
    for phase in phases:
        total.merge(phase)
    return total
