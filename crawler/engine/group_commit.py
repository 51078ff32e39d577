"""Group commit: one append, one sync and one transaction for everything that waited.

The order is: judge which redirects of the group close a circle, append the group's visits to each sink, sync each sink,
then commit one frontier transaction that also holds the files' lengths.
Rules
- A crash between two steps leaves the last commit as the truth: `open` cuts each file back to its committed length.
- Files that are derived from the frontier are written at an orderly end, before the lock is given back.
Runs on: the storage thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.core.events import GroupDone
from crawler.core.leases_and_commits import Committed, Lease, Opened, Wanted
from crawler.core.protocols import Clock, Frontier, Reports, Sink
from crawler.core.visits import Retry, Visit
from crawler.engine.entries import Entry, group_of


@dataclass(eq=False, repr=False)
class GroupCommit:
    """The frontier and the sinks of one run; no other component touches them until `close`.

    `derive` writes the files that are made from the reports.
    """

    frontier: Frontier
    sinks: Sequence[Sink]
    clock: Clock
    derive: Callable[[Reports], None]
    _is_open: bool = field(default=False, init=False)
    _since: float = field(default=0.0, init=False)  # the end of the commit before

    def open(self) -> Opened:
        """Lock and open the frontier, then cut each file back to its committed length."""
        opened = self.frontier.open(self.clock.wall())
        self._is_open = True
        for sink in self.sinks:
            sink.rewind(opened.files)
        self._since = self.clock.monotonic()
        return opened

    def close(self) -> None:
        """Write the derived files, close the sinks and give the lock back; after a failure, too."""
        if self._is_open:
            try:
                self.derive(self.frontier.reports)
            finally:
                for sink in self.sinks:
                    sink.close()
                self.frontier.close()

    def lease(self, wanted: Wanted, now: float) -> tuple[Lease, float, float]:
        """Return the lease, and the monotonic moments at which it began and ended; `now` is of the wall clock."""
        began = self.clock.monotonic()
        return self.frontier.lease(wanted, now), began, self.clock.monotonic()

    def commit(self, entries: Sequence[Entry]) -> "Done":
        """Make the entries durable; without any, only account for the working time."""
        began = self.clock.monotonic()
        visits = self.frontier.mark_circles([entry for entry in entries if isinstance(entry, Visit)])
        files: dict[str, int] = {}
        for sink in self.sinks if visits else ():
            visits = sink.append(visits)
        appended = self.clock.monotonic()
        for sink in self.sinks if visits else ():
            files.update(sink.sync())
        synced = self.clock.monotonic()
        seconds, self._since = synced - self._since, synced
        committed = self.frontier.commit(group_of(entries, visits, files, seconds))
        return Done(committed, began, appended, synced, self.clock.monotonic())


class Done(NamedTuple):
    """A commit, and the monotonic moments at which its steps ended."""

    committed: Committed
    began: float
    appended: float
    synced: float
    ended: float

    def fact(self) -> GroupDone:
        """Return the fact for an observer."""
        group = self.committed.group
        ended: list[Visit | Retry] = [*group.visits, *group.retries]
        return GroupDone(
            began=self.began,
            appended=self.appended,
            synced=self.synced,
            committed=self.ended,
            visits=tuple(entry.request.id for entry in ended),
            finds=len(group.finds) + sum(len(visit.finds) for visit in group.visits),
            bytes=sum(visit.record.bytes or 0 for visit in group.visits if visit.record),
        )
