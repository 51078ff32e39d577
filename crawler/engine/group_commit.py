"""Group commit: one append, one sync and one transaction for everything that waited.

The order is: judge which redirects of the group close a circle, append the group's visits to each sink, sync each sink,
then commit one frontier transaction that also holds the files' lengths.
Rules
- A crash between two steps leaves the last commit as the truth: `open` cuts each file back to its committed length.
- Files that are derived from the frontier are written at an orderly end, before the lock is given back.
- Where several workers share the run, an error of the frontier ends this life. Nothing is written or asked for after
  it: other workers may have taken over its hosts, or the store may be away and let every call wait.
Runs on: the storage thread.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.core.errors import StorageError
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
    _is_shared: bool = field(default=False, init=False)
    _error: StorageError | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)  # the end of the commit before

    def open(self) -> Opened:
        """Lock and open the frontier, then cut each file back to its committed length."""
        opened = self.frontier.open(self.clock.wall())
        self._is_open = True
        self._is_shared = opened.own_lines is not None
        for sink in self.sinks:
            sink.rewind(opened.files)
        self._since = self.clock.monotonic()
        return opened

    def close(self) -> None:
        """Write the derived files, close the sinks and give the lock back; after a failure, too."""
        if self._is_open:
            try:
                if not (self._is_shared and self._error):
                    self.derive(self.frontier.reports)
            finally:
                for sink in self.sinks:
                    sink.close()
                self.frontier.close()

    def lease(self, wanted: Wanted, now: float) -> tuple[Lease, float, float]:
        """Return the lease, and the monotonic moments at which it began and ended; `now` is of the wall clock."""
        began = self.clock.monotonic()
        with self._in_force():
            return self.frontier.lease(wanted, now), began, self.clock.monotonic()

    def commit(self, entries: Sequence[Entry]) -> "Done":
        """Make the entries durable; without any, only account for the working time."""
        with self._in_force():
            return self._commit(entries)

    @contextmanager
    def _in_force(self) -> Iterator[None]:
        if self._is_shared and self._error:
            raise self._error
        try:
            yield
        except StorageError as error:
            self._error = error
            raise

    def _commit(self, entries: Sequence[Entry]) -> "Done":
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
