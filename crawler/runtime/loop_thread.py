"""An event loop in a thread of its own, and the results that blocking code reads from it.

Why a thread: the caller's thread waits in a plain queue meanwhile, so the signals of a program go where they always
go. Its handlers run at once, and what they raise leaves the call. On a loop in the main thread asyncio replaces
Python's handler for Ctrl-C, and uvloop logs what a handler raises and goes on.
Rules
- No signal handler is installed.
- Items are read in the caller's thread, when the loop asks for some: an iterable may belong to its thread, as a cursor
  of SQLite does. Between two results the caller reads none.
- At most AHEAD results wait for the reader; then the loop's generator waits, and only its own tasks go on.
- Leaving early cancels the generator, and returns when the loop is closed. The end of the process does the same.
Runs on: the caller's thread, which may be any; the generator on the loop in the thread beside it.
"""

import asyncio
import atexit
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from crawler.runtime.loop import loop_factory

AHEAD = 64
"""Results that may wait for the reader."""

_BATCH = 64  # items that the loop gets at once, since each trip between the threads costs more than most items
_MOMENT = 0.001  # seconds; a slow iterable is not read ahead

T = TypeVar("T")
A = TypeVar("A")

Work = Callable[[AsyncIterator[A]], AsyncGenerator[T, None]]
"""A function that makes the results out of the items."""


def iterate(work: Work[A, T], items: Iterable[A]) -> Generator[T, None, None]:
    """Yield the results of `work(items)`; an error of it is raised here."""
    beside = _LoopThread(work, iter(items))
    try:
        atexit.register(beside.end)
        beside.start()  # a signal may come within
        yield from beside.results()
    finally:
        beside.end()
        atexit.unregister(beside.end)


class _Batch(NamedTuple):
    """Items that the caller's thread has read, and the way it ended: an error, StopIteration, or not yet (None)."""

    items: list[object]
    end: BaseException | None


class _End(NamedTuple):
    """The end of all results."""

    error: BaseException | None


class _LoopThread(Generic[A, T]):
    def __init__(self, work: Work[A, T], items: Iterator[A]) -> None:
        self._work = work
        self._items = items
        self._inbox: SimpleQueue[tuple[T] | asyncio.Future[_Batch] | _End] = SimpleQueue()
        self._runner = asyncio.Runner(loop_factory=loop_factory())
        self._loop = self._runner.get_loop()
        self._room = asyncio.Semaphore(AHEAD)
        self._main: asyncio.Task[object] | None = None
        self._is_left = False
        # A thread that is no daemon would be waited for before `atexit` could end its loop.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._tell(self._leave)
        with suppress(RuntimeError):  # it is just starting, and ends by itself
            self._thread.join()

    def results(self) -> Iterator[T]:
        while True:
            message = self._inbox.get()
            if isinstance(message, _End):
                if message.error is not None:
                    raise message.error
                return
            if isinstance(message, asyncio.Future):
                self._tell(_answer, message, self._read())
            else:
                self._tell(self._room.release)
                yield message[0]

    def _read(self) -> _Batch:
        batch: list[object] = []
        due = time.monotonic() + _MOMENT
        try:
            while len(batch) < _BATCH:
                batch.append(next(self._items))
                if time.monotonic() > due:
                    break
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - raised where the loop asks for the item
            return _Batch(batch, error)
        return _Batch(batch, None)

    def _tell(self, func: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: it has ended
            self._loop.call_soon_threadsafe(func, *args)

    # --- on the loop ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with self._runner as runner:
                runner.run(self._produce())
        except BaseException as raised:  # noqa: BLE001 - raised in the caller's thread
            error = raised
        self._inbox.put(_End(error))

    async def _produce(self) -> None:
        self._main = asyncio.current_task()
        if self._is_left:
            return
        async with aclosing(self._work(self._asked())) as results:
            async for result in results:
                await self._room.acquire()
                self._inbox.put((result,))

    async def _asked(self) -> AsyncIterator[A]:
        end = None
        while end is None:
            wish: asyncio.Future[_Batch] = self._loop.create_future()
            self._inbox.put(wish)
            batch, end = await wish
            for item in batch:
                yield item  # type: ignore[misc]
        if not isinstance(end, StopIteration):
            raise end

    def _leave(self) -> None:
        self._is_left = True
        if self._main is not None:
            self._main.cancel()


def _answer(wish: asyncio.Future[_Batch], batch: _Batch) -> None:
    if not wish.done():
        wish.set_result(batch)
