"""Tasks under bounds: slots, a byte budget, an alarm, a task beside the block.

Why this model: a task is cheap, a million are not (a few KB each, and all want to run at once). So a slot is taken
*before* a task exists: a million things to do stay a million rows on disk, and memory follows the limit, not the queue.
Rules
- Every task is started in a group: none outlives the block, and no error is lost.
- The first error is the cause: it ends the group and leaves the block as itself, not wrapped.
- Cancelling a waiter leaves nothing taken.
Strategy: all of this runs on one thread and changes state only between two awaits, so a plain `+= 1` needs no lock.
Runs on: the event loop.
"""

import asyncio
import ctypes
import heapq
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ScopedTasks:
    """A task group whose first error is the cause: it cancels the others, and leaves the block as itself.

    Leaving the block waits for all tasks.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._tasks: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._error: BaseException | None = None

    @property
    def in_flight(self) -> int:
        """Tasks started and not yet ended."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._error = self._error or error
        with suppress(BaseExceptionGroup):
            await self._group.__aexit__(kind, error, trace)
            return
        assert self._error is not None  # noqa: S101 - a group of errors has a first one
        raise self._error

    def run(self, work: Coroutine[Any, Any, object], ended: Callable[[], object]) -> "asyncio.Task[object]":
        """Run `work` as a task; `ended` is called when it has ended, however it ended."""
        task: asyncio.Task[object] = self._group.create_task(work)
        self._tasks.add(task)
        self._idle.clear()
        self.peak = max(self.peak, len(self._tasks))
        # A callback, not a `finally` inside the task: a task cancelled before its first step never runs its code.
        task.add_done_callback(partial(self._ended, ended))
        return task

    def cancel_all(self) -> None:
        """Cancel the running tasks; the block goes on and may wait until they are `idle`."""
        for task in self._tasks:
            task.cancel()

    async def idle(self) -> None:
        """Wait until no task is in flight."""
        await self._idle.wait()

    def _ended(self, ended: Callable[[], object], task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        ended()
        if not self._tasks:
            self._idle.set()
        if self._error is None and not task.cancelled():
            self._error = task.exception()


class Slots(ScopedTasks):
    """A semaphore and a task group: `await slots.acquire()`, then `slots.start(func, ...)`.

    The task gives its slot back when it ends, however it ends.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self._free = asyncio.Semaphore(limit)
        self._taken = 0

    def __repr__(self) -> str:
        return f"<Slots {self.in_flight} in flight, {self.free} of {self.limit} free, peak {self.peak}>"

    @property
    def free(self) -> int:
        """Slots that are not taken."""
        return self.limit - self._taken

    async def acquire(self) -> None:
        """Wait for a free slot and take it; it goes to `start` or back by `release`."""
        await self._free.acquire()
        self._taken += 1

    def release(self) -> None:
        """Give back a slot that was taken but not used."""
        self._taken -= 1
        self._free.release()

    def start(self, func: Callable[[*Ts], Coroutine[Any, Any, object]], *args: *Ts) -> None:
        """Run `func(*args)` as a task in the slot taken before."""
        if self.in_flight >= self._taken:
            raise RuntimeError("a slot is taken before a task is started: await slots.acquire() first")
        self.run(func(*args), self.release)


class TaskSet:
    """Tasks that callbacks start, where nothing can be awaited; their number is the caller's to bound.

    Leaving the block cancels what still runs and waits for its end. An error of a task leaves the block as itself.
    A task whose code catches its own cancellation and goes on is abandoned by `end`: nothing can end it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<TaskSet {len(self._tasks)} under way>"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None and self._error is not None:
            raise self._error

    async def end(self, patience: float) -> int:
        """Cancel what still runs, wait for its end at most `patience` seconds, and return how many tasks go on.

        Those are abandoned: neither this block nor the end of the loop waits for them.
        """
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return 0
        _, left = await asyncio.wait(self._tasks, timeout=patience)
        for task in left:
            asyncio._unregister_task(task)  # noqa: SLF001 - documented for those who extend asyncio
            self._tasks.discard(task)
            # Its code catches everything, so its coroutine must never be closed, not even by the interpreter's end.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))
        return len(left)

    def start(self, func: Callable[[*Ts], Coroutine[Any, Any, object]], *args: *Ts) -> None:
        """Run `func(*args)` as a task."""
        task = self._loop.create_task(func(*args))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._error = self._error or task.exception()


class WatchedSemaphore:
    """A semaphore that notices when nothing moves: a waiter is told if none is released for `patience` seconds."""

    def __init__(self, limit: int, patience: float) -> None:
        self.patience = patience
        self._limit = limit
        self._free = asyncio.Semaphore(limit)
        self._releases = 0

    def __repr__(self) -> str:
        return f"<WatchedSemaphore of {self._limit}{', all taken' if self._free.locked() else ''}>"

    async def acquire(self) -> None:
        """Take one of them, once it is free.

        Raises:
            TimeoutError: none was released for `patience` seconds.
        """
        if not self._free.locked():
            await self._free.acquire()  # does not wait
            return
        while True:
            before = self._releases
            try:
                async with asyncio.timeout(self.patience):
                    await self._free.acquire()
            except TimeoutError:
                if self._releases == before:
                    raise
            else:
                return

    def release(self) -> None:
        """Give one back."""
        self._releases += 1
        self._free.release()


class ByteBudget:
    """Limit on the bytes that all accounts together hold in memory, shared by seniority.

    Rules
    - Growing waits while it would pass the limit; waiters are served oldest account first, and none overtakes.
    - The oldest account still receiving may overdraw while no settled account holds bytes. Otherwise no account would
      ever free any: all would hold a half and wait for each other. So only one account at a time passes the limit.
    - A settled account never waits: it is about to end, which frees bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._leaving = 0  # the part of `used` that settled accounts hold
        self._opened = 0
        self._receiving: dict[Account, None] = {}  # in the order of opening: the first is the oldest
        self._queue: list[tuple[int, int, asyncio.Future[None], Account]] = []  # a heap by seniority

    def __repr__(self) -> str:
        receiving = len(self._receiving)
        return f"<ByteBudget {self.used} of {self.limit} bytes used, {receiving} receiving, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        """Accounts that wait for bytes."""
        return sum(not granted.done() for _, _, granted, _ in self._queue)

    def open(self) -> "Account":
        """Open an account, junior to all that are open."""
        self._opened += 1
        account = Account(self, self._opened)
        self._receiving[account] = None
        return account

    def closed(self) -> "Account":
        """Return an account that is closed from the beginning, and waits for nothing."""
        return Account(self, 0)

    def grow_at_once(self, account: "Account", size: int) -> bool:
        """See `Account.grow_at_once`."""
        if may_grow := self._may_grow(account, size):
            self.move(account, size)
        return may_grow

    async def grow(self, account: "Account", size: int, there: int) -> float:
        """See `Account.grow`."""
        if self.grow_at_once(account, size):
            return 0.0
        asked = time.monotonic()
        self.move(account, there)
        granted = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (account.seniority, size - there, granted, account))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._serve()  # those behind it may be next
            else:
                self.move(account, there - size)  # granted and cancelled in the same turn of the loop
            raise
        return time.monotonic() - asked

    def move(self, account: "Account", size: int) -> None:
        """Count bytes into an account, or out of it if negative."""
        account.held += size
        self.used += size
        if account not in self._receiving:
            self._leaving += size
        if size < 0:
            self._serve()

    def settle(self, account: "Account") -> None:
        """See `Account.settle`."""
        if account in self._receiving:
            del self._receiving[account]
            self._leaving += account.held
            self._serve()

    def _may_grow(self, account: "Account", size: int) -> bool:
        if account not in self._receiving:
            return True
        if self.used + size > self.limit:
            return account is next(iter(self._receiving)) and not self._leaving
        return not self._queue or account.seniority <= self._queue[0][0]

    def _serve(self) -> None:
        """Grant the requests that fit, oldest account first."""
        while self._queue:
            _, size, granted, account = self._queue[0]
            if not granted.done():
                if not self._may_grow(account, size):
                    return
                self.move(account, size)
                granted.set_result(None)
            heapq.heappop(self._queue)


class Account:
    """One holder's share of a `ByteBudget`: `held` bytes."""

    __slots__ = ("_budget", "held", "seniority")

    def __init__(self, budget: ByteBudget, seniority: int) -> None:
        self._budget = budget
        self.seniority = seniority
        self.held = 0

    def __repr__(self) -> str:
        return f"<Account {self.seniority}: {self.held} bytes>"

    async def grow(self, size: int, there: int = 0) -> float:
        """Take `size` more bytes; returns the seconds it had to wait for them.

        `there` of them are in memory already: they count at once, past the limit if it must be. Even if these are all,
        this waits until there is room, which bounds the excess.
        """
        return await self._budget.grow(self, size, there)

    def grow_at_once(self, size: int) -> bool:
        """Take `size` more bytes if there is no need to wait for them; returns whether it has."""
        return self._budget.grow_at_once(self, size)

    def hold(self, size: int) -> None:
        """Hold exactly `size` bytes from now on, past the limit if it must be: they are in memory already."""
        if size != self.held:
            self._budget.move(self, size - self.held)

    def settle(self) -> None:
        """Stop receiving: the account never waits from now on, and the next in age is the oldest."""
        self._budget.settle(self)

    def close(self) -> None:
        """Give everything back; closing twice is fine."""
        self.settle()
        self.hold(0)


class Alarm:
    """Wakes one waiter on an event or at a due time, whichever comes first; in between nothing runs."""

    def __init__(self) -> None:
        self._is_set = False
        self._sleeper: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Alarm {'set' if self._is_set else 'quiet'}, {'waited for' if self._sleeper else 'nobody waits'}>"

    def set(self) -> None:
        """Wake the waiter, or the next one to come; setting twice is setting once."""
        self._is_set = True
        _wake(self._sleeper)

    async def wait(self, seconds: float | None = None) -> bool:
        """Return True as soon as it is set (which it then no longer is), False after `seconds`; None waits for ever."""
        if not self._is_set:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            timer = None if seconds is None else loop.call_later(max(0.0, seconds), _wake, self._sleeper)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
                if timer is not None:
                    timer.cancel()
        was_set, self._is_set = self._is_set, False
        return was_set


def _wake(sleeper: asyncio.Future[None] | None) -> None:
    if sleeper is not None and not sleeper.done():
        sleeper.set_result(None)


@asynccontextmanager
async def background(func: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> AsyncIterator[None]:
    """Run `func(*args)` beside the block and cancel it at the block's end.

    If it fails, the block is cancelled and its error is raised; if it returns, the block just goes on.
    """
    async with Slots(1) as beside:
        await beside.acquire()
        beside.start(func, *args)
        yield
        beside.cancel_all()


async def finished(work: Coroutine[Any, Any, T], ask_to_end: Callable[[], bool]) -> T:
    """Return the result of `work`; a wait that is cancelled lets it end in order, and is cancelled then.

    `ask_to_end` is called at the first cancellation, and returns whether the work will end by itself soon. If not, or
    at a second cancellation, the work is cancelled, too. Either way it has ended when this returns.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.done():  # it was cancelled from within
            raise
        if not ask_to_end():
            task.cancel()
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
        if not task.cancelled():
            task.exception()  # it has no reader
        raise


async def every(seconds: float, func: Callable[[], object]) -> None:
    """Call `func` again and again with this pause between, until cancelled; for `background`."""
    while True:
        await asyncio.sleep(seconds)
        func()
