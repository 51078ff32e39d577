"""The workers of a shared run as a table, and the sums of the run as a line below it.

Runs on: anywhere (pure).
"""

from collections.abc import Sequence

import msgspec

from crawler.core.frontier_reports import WorkerReport
from crawler.core.leases_and_commits import Totals
from crawler.core.tables import columns
from crawler.core.text import counted, duration, safe

_HEADS = ("worker", "state", "hosts", "lines", "per s", "groups", "seen", "  place")
_LEFT = (0, 1, 7)


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One worker in `crawler workers --json`.

    Attributes:
        state: "works", "late" (its lease is over) or "ended".
        late: seconds since its lease was over; null = it is not.
        seen: seconds since it told of itself.
        hosts: how many it has.
        lines: of output, in all its lives; `per_second` over the last second or two, null = it does not work.
        groups: transactions that it has committed.
    """

    id: int
    place: str
    state: str
    late: float | None
    seen: float
    hosts: int
    lines: int
    per_second: float | None
    groups: int


class RunSums(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of a shared run in `crawler workers --json`.

    Attributes:
        finds_on_the_way: to the worker of their host.
        per_second: lines of all workers, over the last second or two; null = none works.
    """

    name: str
    pending: int
    done: int
    failed: int
    skipped: int
    bytes: int
    finds_on_the_way: int
    per_second: float | None


class SharedRun(msgspec.Struct, frozen=True):
    """A shared run and its workers, as `crawler workers --json` prints them."""

    run: RunSums
    workers: Sequence[WorkerFacts]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A run at the moment `at`, in seconds of any clock that only goes forward."""

    at: float
    name: str
    workers: Sequence[WorkerReport]
    totals: Totals
    letters: int


def shared_run(now: Look, before: Look | None) -> SharedRun:
    """Return what a look shows; rates are those since the look before, None = there was none."""
    seconds = 0.0 if before is None else now.at - before.at
    lines = {} if before is None else {worker.id: worker.lines for worker in before.workers}
    workers = [_facts(worker, lines.get(worker.id), seconds) for worker in now.workers]
    rates = [worker.per_second for worker in workers if worker.per_second is not None]
    totals = now.totals
    run = RunSums(
        name=now.name,
        pending=totals.pending,
        done=totals.done,
        failed=totals.failed,
        skipped=sum(totals.skipped.values()),
        bytes=totals.bytes,
        finds_on_the_way=now.letters,
        per_second=round(sum(rates), 1) if rates else None,
    )
    return SharedRun(run, workers)


def _facts(worker: WorkerReport, before: int | None, seconds: float) -> WorkerFacts:
    is_late = worker.late is not None and not worker.is_live
    return WorkerFacts(
        id=worker.id,
        place=worker.place,
        state="works" if worker.is_live else "late" if is_late else "ended",
        late=round(worker.late or 0.0, 1) if is_late else None,
        seen=round(worker.seen, 1),
        hosts=worker.hosts,
        lines=worker.lines,
        per_second=None
        if before is None or not worker.is_live or seconds <= 0
        else round((worker.lines - before) / seconds, 1),
        groups=worker.groups,
    )


def workers_text(shared: SharedRun) -> list[str]:
    """Return the lines of the table, and that of the sums."""
    cells = [_HEADS, *map(_cells, shared.workers)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    run = shared.run
    told = [f"{run.pending:,} pending", f"{run.done:,} done", f"{run.failed:,} failed", f"{run.skipped:,} skipped"]
    if run.finds_on_the_way:
        told.append(f"{counted(run.finds_on_the_way, 'find')} on the way to a worker")
    if run.per_second is not None:
        told.append(f"{run.per_second:,.1f} lines per second")
    return [*(columns(line, widths, left=_LEFT, gap="  ") for line in cells), f"run {run.name}: {', '.join(told)}"]


def _cells(worker: WorkerFacts) -> tuple[str, ...]:
    state = worker.state if worker.late is None else f"late by {duration(worker.late)}"
    rate = "-" if worker.per_second is None else f"{worker.per_second:,.1f}"
    seen = f"{duration(worker.seen)} ago" if worker.seen >= 1 else "now"
    figures = (f"{worker.hosts:,}", f"{worker.lines:,}", rate, f"{worker.groups:,}", seen)
    return (str(worker.id), state, *figures, f"  {safe(worker.place)}")
