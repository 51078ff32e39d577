"""Whole crawls on virtual time: everything is real but time, the network and the storage thread.

The thread becomes a task that takes groups and calls in the order in which a `GroupThread` would, and takes virtual
time for each, so an hour of waiting takes no time, and every interleaving of loop and storage thread can be had again.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

from crawler.build import Environment
from crawler.core.protocols import Fetcher, Frontier
from crawler.engine.crawl import Crawl, Ending
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.runtime.loop import Stop
from crawler.runtime.threads import Call, GroupThread, Inbox, InboxBounds, InboxRoom
from support.crawls import assembled

MakeFrontier = Callable[[MappedBoard, FrontierPolicy], Frontier]

X = TypeVar("X")
Ts = TypeVarTuple("Ts")

START = 1000.0  # the monotonic moment at which each crawl begins
EPOCH = 1_700_000_000.0  # of the wall clock at the monotonic moment 0
_TICK = 1e-4  # seconds that each turn of the loop takes: a loop that spins must not stop the time
_WORK = 1e-3  # seconds that the storage thread takes for a group or call, and the loop to hear of it


class Stall(Exception):
    """Nothing is ready, nothing is timed: the crawl would hang for ever."""


class _Selector(selectors.SelectSelector):
    loop: "_Loop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        self.loop.now += _TICK
        if not found and timeout is None:
            self.loop.stall()
        elif not found:
            self.loop.now += max(0.0, timeout or 0.0)
        return found


class _Loop(asyncio.SelectorEventLoop):
    """Time jumps to the next timer; executors run at once."""

    def __init__(self) -> None:
        self.now = START
        self.is_stalled = False
        self.main: asyncio.Task[Ending] | None = None
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def stall(self) -> None:
        """Nothing can ever happen again, but for the end of the main task."""
        if self.is_stalled or self.main is None:
            raise Stall
        self.is_stalled = True
        self.main.cancel()

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        future.set_result(func(*args))
        return future


class _Clock:
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Thread(GroupThread[Any, Any]):
    """A `GroupThread` as a task; all of it is replaced."""

    def __init__(
        self,
        work: Callable[[list[Any]], Any],
        *,
        done: Callable[[Any], object],
        weigh: Callable[[Any], int],
        last: Callable[[], object],
        bounds: InboxBounds,
        name: str,
    ) -> None:
        self._work, self._done, self._weigh, self._last, self._name = work, done, weigh, last, name
        self._inbox: Inbox[Any] = Inbox(bounds)
        self._room = InboxRoom(bounds)
        self._is_open = True
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._work_off())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._wake.set()
        await self._task
        self._last()

    @property
    def depth(self) -> int:
        return self._room.items

    async def put(self, item: Any, *, lingers: bool = False) -> None:
        await self._room.enter(weight := self._weigh(item))
        self._push((item, weight))

    def put_nowait(self, item: Any, *, lingers: bool = False) -> None:
        self._room.squeeze_in(weight := self._weigh(item))
        self._push((item, weight))

    async def call(self, func: Callable[[*Ts], X], *args: *Ts) -> X:
        self._push(call := Call(lambda: func(*args)))
        return await asyncio.wrap_future(call.future)

    async def flush(self) -> None:
        await self.call(lambda: None)

    async def watch(self) -> None:
        await asyncio.Event().wait()

    def _push(self, entry: Any) -> None:
        self._inbox.push(entry)
        self._wake.set()

    async def _work_off(self) -> None:
        while True:
            self._wake.clear()
            if len(self._inbox):
                await asyncio.sleep(_WORK)
                self._turn()
                await asyncio.sleep(_WORK)
            elif self._is_open:
                await self._wake.wait()
            else:
                return

    def _turn(self) -> None:
        turn = self._inbox.take()
        loop = asyncio.get_running_loop()
        if isinstance(turn, Call):
            turn.run()
        elif turn is not None:
            self._room.leave(len(turn.items), turn.bytes)
            loop.call_later(_WORK, self._done, self._work(turn.items))


def crawl(
    folder: Path,
    lines: Iterable[str],
    fetcher: Fetcher,
    *,
    stop: Stop | None = None,
    jitter: float = 0.5,
    say: Callable[[str], None] = lambda _: None,
    look: Callable[[Crawl], object] = lambda _crawl: None,
    frontier: MakeFrontier | None = None,
    **options: object,
) -> Ending:
    """Run a fetch in virtual time; see `crawls.assembled`. `look` is called before it begins.

    Raises:
        Stall: it would hang for ever.
    """
    environment = Environment(
        stop=stop or Stop(),
        say=say,
        clock=_Clock(),
        jitter=lambda: jitter,
        thread=_Thread,
        around=lambda _: fetcher,
        frontier=frontier,
        boot_time=lambda: asyncio.get_running_loop().time(),
    )

    async def main() -> Ending:
        async with AsyncExitStack() as stack:
            found = await assembled(stack, folder, lines, environment, **options)
            look(found)
            return await found.run()

    return _run(main)


def _run(main: Callable[[], Coroutine[Any, Any, Ending]]) -> Ending:
    loop = _Loop()
    try:
        asyncio.set_event_loop(loop)
        loop.main = loop.create_task(main())
        return loop.run_until_complete(loop.main)
    except asyncio.CancelledError:
        raise Stall from None
    finally:
        _clear(loop, asyncio.all_tasks(loop))
        asyncio.set_event_loop(None)
        loop.close()


def _clear(loop: _Loop, left: Sequence[asyncio.Task[Any]] | set[asyncio.Task[Any]]) -> None:
    loop.is_stalled = True
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
