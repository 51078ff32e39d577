"""The storage thread's asynchronous face: whatever must be remembered goes in here, and comes back committed.

The group commit, in this order and on the storage thread: judge which redirects of the group close a circle, append the
group's visits to each sink, sync each, then one frontier transaction that also holds the files' lengths. A crash
between two steps leaves the last commit as the truth.
Rules
- `put` waits while the inbox is full: that is what slows the crawl down to what the disk takes.
- Nobody acts on anything before its commit; `on_commit` is called on the loop after it.
- A storage error wakes every waiter with that error and ends the run.
Runs on: the loop, except `_commit_entries`, which is the storage thread's work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

from crawler.core.facts import GroupDone, Leased
from crawler.core.finds import Find
from crawler.core.handover import Committed, Group, HostState, Lease, Opened, RobotsCopy, SeedBatch, Wanted
from crawler.core.messages import Request
from crawler.core.protocols import Board, Clock, Frontier, Observer, Reports, Sink
from crawler.core.urls import Host
from crawler.core.visits import Retry, Visit
from crawler.runtime.threads import GroupThread, InboxBounds

T = TypeVar("T")

_MIB = 1024 * 1024
BOUNDS = InboxBounds(max_items=1000, max_bytes=64 * _MIB, group_items=500, group_bytes=32 * _MIB)
_ENTRY_BYTES = 1024  # what an entry without a body weighs
_FIND_BYTES = 650  # so that a group holds at most 50,000 links


class Closable(Protocol):
    """What a visit holds until its commit."""

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(frozen=True, slots=True)
class RobotsNote:
    """One origin's robots.txt, to be remembered."""

    origin: str
    copy: RobotsCopy


@dataclass(frozen=True, slots=True)
class HostNote:
    """What politeness knows of a host now."""

    host: Host
    state: HostState


@dataclass(frozen=True, slots=True)
class LeaseReturn:
    """Leases that are handed back unasked."""

    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class LooseFinds:
    """URLs that no page led to."""

    finds: tuple[Find, ...]


Entry = LooseFinds | Visit | Retry | SeedBatch | RobotsNote | HostNote | LeaseReturn


class Journal:
    """Everything durable of one run: `frontier`, `sinks` and `board` belong to it from `open` to the end.

    `derive` writes the files that are made from the reports at an orderly end, on the storage thread.
    """

    def __init__(
        self,
        frontier: Frontier,
        sinks: Sequence[Sink],
        board: Board,
        clock: Clock,
        derive: Callable[[Reports], None] = lambda _: None,
    ) -> None:
        self._frontier = frontier
        self._sinks = sinks
        self._board = board
        self._clock = clock
        self._derive = derive
        self._observe: Observer | None = None
        self._is_open = False
        self._held: dict[int, Closable] = {}
        self._listeners: list[Callable[[Committed], None]] = []
        self._thread: GroupThread[Entry, _Done] = GroupThread(
            self._commit_entries,
            done=self._committed,
            weigh=_weigh,
            bounds=BOUNDS,
            last=self._close,
            name="storage",
        )

    async def __aenter__(self) -> Self:
        await self._thread.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._thread.__aexit__(kind, error, trace)

    async def open(self) -> Opened:
        """Lock and open the frontier, then cut each file back to its committed length.

        Raises:
            StorageError: and nothing was changed.
            RunInUse: another process works on this run.
        """
        return await self._thread.call(self._open)

    def on_commit(self, listener: Callable[[Committed], None]) -> None:
        """Call `listener` on the loop after every commit."""
        self._listeners.append(listener)

    def observe(self, observer: Observer) -> None:
        """Tell this observer, on the loop, of each group and lease."""
        self._observe = observer

    async def put(self, entry: Visit | Retry, held: Closable | None = None) -> None:
        """Hand over how a URL's turn ended; waits while the inbox is full. `held` is closed after the commit."""
        if held is not None:
            self._held[entry.request.id] = held
        await self._thread.put(entry)

    async def put_seeds(self, batch: SeedBatch) -> None:
        """Hand over some lines of the list."""
        await self._thread.put(batch)

    async def put_robots(self, origin: str, copy: RobotsCopy) -> None:
        """Remember an origin's robots.txt."""
        await self._thread.put(RobotsNote(origin, copy), lingers=True)

    def note_host(self, host: Host, state: HostState) -> None:
        """Remember how a host is to be asked; never waits, since there are at most as many as are in flight."""
        self._thread.put_nowait(HostNote(host, state), lingers=True)

    def note_finds(self, finds: tuple[Find, ...]) -> None:
        """URLs that no page led to, in the frontier before whatever is put later; never waits, as `note_host`."""
        self._thread.put_nowait(LooseFinds(finds))

    def give_back(self, requests: Sequence[Request]) -> None:
        """Hand leases back: these URLs are pending for whoever leases them next."""
        self._thread.put_nowait(LeaseReturn(tuple(requests)))

    async def lease(self, wanted: Wanted) -> Lease:
        """What may be asked for next; see `Frontier.lease`."""
        lease, began, ended = await self._thread.call(self._lease, wanted, self._clock.wall())
        if self._observe is not None:
            self._observe(Leased(began=began, ended=ended, urls=len(lease.requests)))
        return lease

    async def report(self, read: Callable[[Reports], T]) -> T:
        """Return what `read`, called on the storage thread, reads from the reports about the run."""
        return await self._thread.call(lambda: read(self._frontier.reports))

    async def flush(self) -> None:
        """Wait until everything handed over so far is committed."""
        await self._thread.flush()

    async def settle(self) -> None:
        """Wait like `flush`, and account for the working time up to now."""
        await self.flush()
        self._committed(await self._thread.call(self._commit_entries, ()))

    @property
    def depth(self) -> int:
        """Entries that wait for the storage thread."""
        return self._thread.depth

    async def watch(self) -> None:
        """Wait until the storage fails, and raise its error."""
        await self._thread.watch()

    # --- on the storage thread -----------------------------------------------------------------------------------

    def _open(self) -> Opened:
        opened = self._frontier.open(self._clock.wall())
        self._is_open = True
        for sink in self._sinks:
            sink.rewind(opened.files)
        self._since = self._clock.monotonic()
        return opened

    def _close(self) -> None:
        """The last thing that the thread does, after a failure too: what is derived is written, the lock given back."""
        if self._is_open:
            try:
                self._derive(self._frontier.reports)
            finally:
                for sink in self._sinks:
                    sink.close()
                self._frontier.close()

    def _lease(self, wanted: Wanted, now: float) -> tuple[Lease, float, float]:
        began = self._clock.monotonic()
        return self._frontier.lease(wanted, now), began, self._clock.monotonic()

    def _commit_entries(self, entries: Sequence[Entry]) -> "_Done":
        began = self._clock.monotonic()
        visits = self._frontier.mark_circles([entry for entry in entries if isinstance(entry, Visit)])
        files: dict[str, int] = {}
        for sink in self._sinks if visits else ():
            visits = sink.append(visits)
        appended = self._clock.monotonic()
        for sink in self._sinks if visits else ():
            files.update(sink.sync())
        synced = self._clock.monotonic()
        seconds, self._since = synced - self._since, synced
        committed = self._frontier.commit(_group(entries, visits, files, seconds))
        return _Done(committed, began, appended, synced, self._clock.monotonic())

    # --- back on the loop ----------------------------------------------------------------------------------------

    def _committed(self, done: "_Done") -> None:
        committed = done.committed
        if self._observe is not None:
            self._observe(done.fact())
        finished: list[Visit | Retry] = [*committed.group.visits, *committed.group.retries]
        for entry in finished:
            self._board.leave(entry.request.id)
        for listener in self._listeners:
            listener(committed)
        for entry in finished:  # after the listeners: what one of them goes on holding is never free in between
            if held := self._held.pop(entry.request.id, None):
                held.close()

    def __repr__(self) -> str:
        return f"<Journal {self._thread!r}>"


class _Done(NamedTuple):
    """A commit, and the moments at which its steps ended on the storage thread."""

    committed: Committed
    began: float
    appended: float
    synced: float
    ended: float

    def fact(self) -> GroupDone:
        """What an observer is told."""
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


def _group(entries: Sequence[Entry], visits: Sequence[Visit], files: Mapping[str, int], seconds: float) -> Group:
    return Group(
        visits=tuple(visits),
        retries=tuple(entry for entry in entries if isinstance(entry, Retry)),
        finds=tuple(find for entry in entries if isinstance(entry, LooseFinds) for find in entry.finds),
        seeds=tuple(entry for entry in entries if isinstance(entry, SeedBatch)),
        returned=tuple(request for entry in entries if isinstance(entry, LeaseReturn) for request in entry.requests),
        hosts={entry.host: entry.state for entry in entries if isinstance(entry, HostNote)},
        robots={entry.origin: entry.copy for entry in entries if isinstance(entry, RobotsNote)},
        files=files,
        seconds=seconds,
    )


def _weigh(entry: Entry) -> int:
    if isinstance(entry, Visit):
        return _ENTRY_BYTES + entry.size + _FIND_BYTES * len(entry.finds)
    if isinstance(entry, LooseFinds):
        return _FIND_BYTES * len(entry.finds)
    if isinstance(entry, SeedBatch):
        return _FIND_BYTES * (len(entry.finds) + len(entry.rejected))
    return _ENTRY_BYTES
