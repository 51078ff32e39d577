"""The event loop: one thread that waits for thousands of sockets at once.

Why this model: work on sockets is nearly all waiting. A waiting task costs a few KB and about a microsecond to switch,
inside the process; a waiting thread costs a stack and a switch by the kernel. And with one thread, state changes only
between two `await`s, so nothing here needs a lock. The price: a call that blocks, blocks everything; `LagProbe`
measures exactly that.
Rules
- uvloop where it is installed (libuv's loop, in C), plain asyncio otherwise; nothing else depends on which.
- A run ends in order: the first signal asks to drain, the second to cancel, the third leaves at once.
- Signals arrive as callbacks of the loop, between two steps of tasks, never in the middle of one.
Runs on: the main thread (on another thread everything works but the signals).
"""

import asyncio
import importlib
import importlib.util
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Stop:
    """Request to end a run: first by draining (finish what is in flight), then by cancelling.

    The run decides how it follows. `signal` is the signal that asked first; None = no signal did.
    """

    def __init__(self, drain_seconds: float | None = None) -> None:
        """A drain that lasts longer than `drain_seconds` becomes a cancel; None lets it last."""
        self.signal: int | None = None
        self._drain_seconds = drain_seconds
        self._draining = asyncio.Event()
        self._cancelled = asyncio.Event()

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled else "draining" if self.draining else "running"
        return f"<Stop {state}, signal={self.signal}>"

    @property
    def draining(self) -> bool:
        """The run is asked to start nothing new."""
        return self._draining.is_set()

    @property
    def cancelled(self) -> bool:
        """The run is asked to break off what is in flight."""
        return self._cancelled.is_set()

    def request_drain(self, signum: int | None = None) -> None:
        """Ask to start nothing new and to finish what is in flight."""
        self.signal = self.signal or signum
        if self.draining:
            return
        self._draining.set()
        if self._drain_seconds is not None:
            asyncio.get_running_loop().call_later(self._drain_seconds, self.request_cancel)

    def request_cancel(self) -> None:
        """Ask to break off what is in flight, too."""
        self._draining.set()
        self._cancelled.set()

    async def wait_draining(self) -> None:
        """Return as soon as a drain or a cancel is asked for."""
        await self._draining.wait()

    async def wait_cancelled(self) -> None:
        """Return as soon as a cancel is asked for."""
        await self._cancelled.wait()


def run(main: Callable[[Stop], Awaitable[T]], *, use_uvloop: bool = True, drain_seconds: float = 20.0) -> T:
    """Run `main(stop)` on a fresh event loop and return its result; signal handlers are as before afterwards."""
    with _handlers_restored(), asyncio.Runner(loop_factory=loop_factory(use_uvloop=use_uvloop)) as runner:
        return runner.run(_listening(main, Stop(drain_seconds)))


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end this block as Ctrl-C does, by an exception, so that half-made files are cleared away.

    Raises:
        SystemExit: SIGTERM came; with the exit code that a shell gives it, 143.
    """

    def end(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    with _handlers_restored():
        if signal.SIGTERM in _signals():
            signal.signal(signal.SIGTERM, end)
        yield


async def _listening(main: Callable[[Stop], Awaitable[T]], stop: Stop) -> T:
    heard = 0

    def hear(signum: int) -> None:
        nonlocal heard
        heard += 1
        if heard == 1:
            stop.request_drain(signum)
        elif heard == 2:
            stop.request_cancel()
        else:
            os._exit(128 + signum)

    for signum in _signals():
        asyncio.get_running_loop().add_signal_handler(signum, hear, signum)
    return await main(stop)


@contextmanager
def _handlers_restored() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in _signals()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a run; Python lets only the main thread listen."""
    return (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()


def loop_factory(*, use_uvloop: bool = True) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the maker of event loops: uvloop where it is wanted and installed, asyncio otherwise."""
    name = "uvloop" if use_uvloop and importlib.util.find_spec("uvloop") else "asyncio"
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(name).new_event_loop
    return factory


class LagProbe:
    """Lag of the event loop in seconds: the delay that a blocking callback causes to all others.

    `last` is the newest measure, `worst` the largest so far. The cost is one timer, twenty times a second.
    """

    def __init__(self, interval: float = 0.05) -> None:
        self.last = 0.0
        self.worst = 0.0
        self._interval = interval

    def __repr__(self) -> str:
        return f"<LagProbe last={self.last * 1e3:.1f} ms, worst={self.worst * 1e3:.1f} ms>"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._rewind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _rewind(self) -> None:
        # Measured on time's own clock: a loop's clock stands still during a turn (uvloop's, in whole milliseconds).
        self._due = time.monotonic() + self._interval
        self._timer = self._loop.call_later(self._interval, self._measure)

    def _measure(self) -> None:
        self.last = max(0.0, time.monotonic() - self._due)
        self.worst = max(self.worst, self.last)
        self._rewind()


def open_files() -> int:
    """Return how many files this process may have open; sockets count as files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> int:
    """Raise this process's limit of open files as far as it may go; returns that limit (sockets count as files)."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return open_files()
