"""The storage thread's asynchronous face: entries go in, and come back committed.

Rules
- `put` waits while the inbox is full, which slows the crawl down to the speed of the disk. `note` never waits: the
  number of its entries is bounded by what is in flight.
- No component acts on an entry before its commit. `on_commit` listeners are called on the loop after each commit.
- A storage error wakes every waiter with that error and ends the run.
Runs on: the loop; `group_commit.py` does the work on the storage thread.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from crawler.core.events import Leased
from crawler.core.leases_and_commits import Committed, Lease, Opened, SeedBatch, Wanted
from crawler.core.protocols import Board, Clock, Observer, Reports
from crawler.core.visits import Retry, Visit
from crawler.engine.entries import Entry, HostNote, LeaseReturn, LooseFinds, RobotsNote, weigh
from crawler.engine.group_commit import Done, GroupCommit
from crawler.runtime.threads import GroupThread, InboxBounds

X = TypeVar("X")

_MIB = 1024 * 1024
StorageThread = Callable[..., GroupThread[Entry, Done]]
"""Makes the storage thread."""

BOUNDS = InboxBounds(max_items=1000, max_bytes=64 * _MIB, group_items=500, group_bytes=32 * _MIB)


class Closable(Protocol):
    """Holdings of a visit until its commit."""

    def close(self) -> None:
        """Give everything back."""
        ...


class Journal:
    """Everything durable of one run, from `open` to the end of the block; `board` names the URLs in flight.

    `thread` makes the storage thread. `lingers`: a visit waits a moment for others, as a commit costs more than that.
    """

    def __init__(
        self,
        storage: GroupCommit,
        board: Board,
        clock: Clock,
        thread: StorageThread = GroupThread,
        *,
        lingers: bool = False,
    ) -> None:
        self._lingers = lingers
        self._storage = storage
        self._board = board
        self._clock = clock
        self._observe: Observer | None = None
        self._held: dict[int, Closable] = {}
        self._listeners: list[Callable[[Committed], None]] = []
        self._thread = thread(
            storage.commit, done=self._committed, weigh=weigh, bounds=BOUNDS, last=storage.close, name="storage"
        )

    async def __aenter__(self) -> Self:
        await self._thread.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._thread.__aexit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<Journal {self._thread!r}>"

    async def open(self) -> Opened:
        """Lock and open the frontier, then cut each file back to its committed length.

        Raises:
            StorageError: and nothing was changed.
            RunInUse: another process works on this run.
        """
        return await self._thread.call(self._storage.open)

    def on_commit(self, listener: Callable[[Committed], None]) -> None:
        """Call `listener` on the loop after every commit."""
        self._listeners.append(listener)

    def observe(self, observer: Observer) -> None:
        """Tell this observer, on the loop, of each group and lease."""
        self._observe = observer

    async def put(self, entry: Visit | Retry | SeedBatch | RobotsNote, held: Closable | None = None) -> None:
        """Hand over an entry; waits while the inbox is full. `held` is closed once the visit or retry is committed."""
        if held is not None and isinstance(entry, Visit | Retry):
            self._held[entry.request.id] = held
        await self._thread.put(entry, lingers=self._lingers or isinstance(entry, RobotsNote))

    def note(self, entry: HostNote | LooseFinds | LeaseReturn) -> None:
        """Hand over a small entry at once; it is committed before everything that is put later."""
        self._thread.put_nowait(entry, lingers=isinstance(entry, HostNote))

    async def lease(self, wanted: Wanted) -> Lease:
        """Return the next URLs to ask for; see `Frontier.lease`."""
        lease, began, ended = await self._thread.call(self._storage.lease, wanted, self._clock.wall())
        if self._observe is not None:
            self._observe(Leased(began=began, ended=ended, urls=len(lease.requests)))
        return lease

    async def report(self, read: Callable[[Reports], X]) -> X:
        """Return what `read`, called on the storage thread, reads from the reports about the run."""
        return await self._thread.call(lambda: read(self._storage.frontier.reports))

    async def flush(self) -> None:
        """Wait until everything handed over so far is committed."""
        await self._thread.flush()

    async def settle(self) -> None:
        """Wait like `flush`, and account for the working time up to now."""
        await self.flush()
        self._committed(await self._thread.call(self._storage.commit, ()))

    @property
    def depth(self) -> int:
        """Number of entries that wait for the storage thread."""
        return self._thread.depth

    async def watch(self) -> None:
        """Wait until the storage fails, and raise its error."""
        await self._thread.watch()

    def _committed(self, done: Done) -> None:
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
