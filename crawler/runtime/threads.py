"""One thread for everything that blocks, in groups.

Why this model: a disk has no non-blocking write, so a thread must block, and it may not be the event loop's. A thread
is enough: `write`, `fsync` and SQLite release the GIL while the kernel works. One thread, because then the files have
one owner and need no lock; in groups, because a commit costs the same for one item as for five hundred. The groups form
by themselves: while the thread works on one, the next one gathers.
Rules
- One order for all: items and calls happen in the order in which they were put.
- The inbox is bounded in items and bytes; a full inbox makes `put` wait, and that is how a slow disk slows the sender.
- An accepted item is worked on, whatever happens in the block, unless the work itself has failed before.
- An item without a waiter may linger: for LINGER seconds it waits for one that wakes the thread.
- A failure wakes every waiter with the same error.
- An interpreter that ends within the block, as a prompt may, does not wait for the thread.
Strategy: one condition wakes the thread, `call_soon_threadsafe` tells the loop; nothing polls. The lock guards the
inbox; only the loop touches anything else.
Runs on: the event loop, and the thread it starts.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar, TypeVarTuple

import msgspec

T = TypeVar("T")
R = TypeVar("R")
X = TypeVar("X")
Ts = TypeVarTuple("Ts")

LINGER = 0.2  # seconds

_MIB = 1 << 20


class InboxBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds in items and bytes: of what may wait (`max_*`), and of a group (`group_*`)."""

    max_items: int = 1000
    max_bytes: int = 64 * _MIB
    group_items: int = 500
    group_bytes: int = 32 * _MIB


USUAL = InboxBounds()


class GroupThread(Generic[T, R]):
    """A thread that calls `work(items)` with the items that wait when it is free.

    `done(result)` is called on the loop after each group, before the waiters for that group go on.
    `weigh(item)` gives an item's bytes. `last()` is the last thing that the thread does, after a failure too. If one of
    them raises, that error comes out of every wait, of every later use, and of the block.
    """

    def __init__(
        self,
        work: Callable[[list[T]], R],
        *,
        done: Callable[[R], object] = lambda _result: None,
        weigh: Callable[[T], int] = lambda _item: 0,
        last: Callable[[], object] = lambda: None,
        bounds: InboxBounds = USUAL,
        name: str = "groups",
    ) -> None:
        self._work = work
        self._done = done
        self._weigh = weigh
        self._last = last
        self._name = name
        self._inbox: Inbox[T] = Inbox(bounds)
        self._room = InboxRoom(bounds)
        self._is_open = False
        self._error: BaseException | None = None
        self._failed = asyncio.Event()

    def __repr__(self) -> str:
        state = f"failed: {self._error!r}" if self._error else "open" if self._is_open else "closed"
        return f"<GroupThread {self._name!r} {state}, {self._room}>"

    @property
    def depth(self) -> int:
        """Number of items in the inbox."""
        return self._room.items

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._inbox.close()
        self._room.open_doors()
        cancelled: asyncio.CancelledError | None = None
        while not self._ended.done():  # through any number of cancellations: what was accepted is worked on
            try:
                await asyncio.shield(self._ended)
            except asyncio.CancelledError as cancel:
                cancelled = cancel
        if cancelled is not None:
            raise cancelled
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    async def put(self, item: T, *, lingers: bool = False) -> None:
        """Hand over an item; waits while the inbox is full. A `put` that is cancelled has handed over nothing.

        An item that `lingers` does not wake the thread, for LINGER seconds at the most.
        """
        self._check()
        weight = self._weigh(item)
        if not self._room.enter_at_once(weight):
            await self._room.enter(weight)
            self._check()
        self._inbox.push((item, weight), lingers=lingers)

    def put_nowait(self, item: T, *, lingers: bool = False) -> None:
        """Hand over a small item at once, even past the bounds; `lingers` as for `put`."""
        self._check()
        weight = self._weigh(item)
        self._room.squeeze_in(weight)
        self._inbox.push((item, weight), lingers=lingers)

    async def call(self, func: Callable[[*Ts], X], *args: *Ts) -> X:
        """Run `func(*args)` on the thread, after everything put before; returns or raises what it does."""
        self._check()
        call = Call(lambda: func(*args))
        self._inbox.push(call)
        return await asyncio.wrap_future(call.future)

    async def flush(self) -> None:
        """Wait until everything put so far is worked on."""
        await self.call(lambda: None)

    async def watch(self) -> None:
        """Wait until the thread fails and raise its error: `background(thread.watch)` ends a busy block."""
        await self._failed.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if not self._is_open:
            raise RuntimeError(f"the thread {self._name!r} takes nothing: its block has not begun or is over")

    def _finished(self, result: R) -> None:
        try:
            self._done(result)
        except Exception as error:  # noqa: BLE001 - raised again at every wait
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is not None:
            return
        self._error = error
        self._failed.set()
        self._room.open_doors()
        for call in self._inbox.discard():
            call.refuse(error)

    def _run(self) -> None:
        """Work on groups and calls until the inbox is closed and empty, or something fails; runs on the thread."""
        tell = self._loop.call_soon_threadsafe
        try:
            while (turn := self._inbox.take()) is not None:
                if isinstance(turn, Call):
                    turn.run()
                else:
                    tell(self._room.leave, len(turn.items), turn.bytes)
                    tell(self._finished, self._work(turn.items))
        except BaseException as error:  # noqa: BLE001 - raised again at every wait
            tell(self._fail, error)
        try:
            self._last()
        except BaseException as error:  # noqa: BLE001 - as above
            tell(self._fail, error)
        tell(self._ended.set_result, None)


class InboxRoom:
    """Bounds of the inbox, and the line of waiters for room. Touched by the loop only."""

    def __init__(self, bounds: InboxBounds) -> None:
        self.items = 0
        self.bytes = 0
        self._bounds = bounds
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    def __repr__(self) -> str:
        return f"{self.items} items of {self.bytes} bytes wait, {len(self._line)} more for room"

    def enter_at_once(self, weight: int) -> bool:
        """Count an item in if there is room and no line; returns whether it is."""
        if is_room := not self._line and self._fits(weight):
            self.squeeze_in(weight)
        return is_room

    async def enter(self, weight: int) -> None:
        """Wait in line; returns with this item counted in."""
        if self.enter_at_once(weight):
            return
        door = asyncio.get_running_loop().create_future()
        self._line.append((weight, door))
        try:
            await door
        except asyncio.CancelledError:
            if door.cancelled():
                self._admit()  # those behind it may be smaller
            else:
                self.leave(1, weight)  # admitted and cancelled in the same turn of the loop
            raise

    def squeeze_in(self, weight: int) -> None:
        """Count an item in, room or not."""
        self.items += 1
        self.bytes += weight

    def leave(self, items: int, weight: int) -> None:
        """Count items out, and admit waiters."""
        self.items -= items
        self.bytes -= weight
        self._admit()

    def open_doors(self) -> None:
        """Wake every waiter in line to find out that nothing is accepted any more."""
        for _, door in self._line:
            if not door.done():
                door.set_result(None)
        self._line.clear()

    def _admit(self) -> None:
        while self._line:
            weight, door = self._line[0]
            if not door.done():
                if not self._fits(weight):
                    return
                self.squeeze_in(weight)
                door.set_result(None)
            self._line.popleft()

    def _fits(self, weight: int) -> bool:
        if self.items == 0:
            return True  # or an item larger than the bound would wait for ever
        return self.items < self._bounds.max_items and self.bytes + weight <= self._bounds.max_bytes


class Call(Generic[X]):
    """A function in the inbox, and the future that carries its result from the thread to the loop."""

    __slots__ = ("_func", "future")

    def __init__(self, func: Callable[[], X]) -> None:
        self._func = func
        self.future: Future[X] = Future()

    def run(self) -> None:
        """Call the function, on the thread."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self._func())
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self.future.set_exception(error)

    def refuse(self, error: BaseException) -> None:
        """Fail with the thread's error."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class EntryGroup(NamedTuple, Generic[T]):
    """Items that are worked on at once, and their weight."""

    items: list[T]
    bytes: int


class Inbox(Generic[T]):
    """Items and calls in one order. Both threads touch nothing else, so here is the only lock."""

    def __init__(self, bounds: InboxBounds) -> None:
        self._bounds = bounds
        self._entries: deque[tuple[T, int] | Call[Any]] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._is_open = True
        self._is_awaited = False  # one of the entries has a waiter

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, entry: tuple[T, int] | Call[Any], *, lingers: bool = False) -> None:
        """Add an entry, and wake the thread unless the entry lingers."""
        with self._changed:
            self._entries.append(entry)
            was_awaited = self._is_awaited
            self._is_awaited = was_awaited or not lingers or len(self._entries) >= self._bounds.group_items
            if len(self._entries) == 1 or self._is_awaited is not was_awaited:  # else it was woken, or need not be
                self._changed.notify()

    def close(self) -> None:
        """Wake the thread for the last time."""
        with self._changed:
            self._is_open = False
            self._changed.notify()

    def discard(self) -> list[Call[Any]]:
        """Close, and throw away what is left; returns the calls among it."""
        self.close()
        with self._changed:
            calls = [entry for entry in self._entries if isinstance(entry, Call)]
            self._entries.clear()
        return calls

    def take(self) -> EntryGroup[T] | Call[Any] | None:
        """Wait for the next group or call; None = there will be none."""
        with self._changed:
            while not self._entries and self._is_open:
                self._changed.wait()
            self._changed.wait_for(lambda: self._is_awaited or not self._is_open, LINGER)
            if not self._entries:
                return None
            if isinstance(first := self._entries[0], Call):
                self._entries.popleft()
                self._is_awaited = bool(self._entries)
                return first
            items: list[T] = []
            total = 0
            while self._entries and len(items) < self._bounds.group_items:
                entry = self._entries[0]
                if isinstance(entry, Call) or (items and total + entry[1] > self._bounds.group_bytes):
                    break
                items.append(entry[0])
                total += entry[1]
                self._entries.popleft()
            self._is_awaited = bool(self._entries)
            return EntryGroup(items, total)
