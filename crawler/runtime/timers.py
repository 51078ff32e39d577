"""Callbacks at a nanosecond, for which an event loop's own timers are too coarse.

Why: uvloop rounds a delay to whole milliseconds and may fire one early. A load test that sends 2,000 requests a second
must send one every 500 us, and each late one would falsify the latencies of the server. The kernel's timerfd is as
precise as its high-resolution timers (tens of us on a busy machine), and to the loop it is one more readable file.
Rules
- Never early: a callback runs at its moment or later, and is told the moment at which it was due.
- Where there is no timerfd (macOS), the loop's own timer stands in, as coarse as it is.
Runs on: the event loop.
"""

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self

_CLOCK_MONOTONIC = 1  # linux/time.h
_TFD_TIMER_ABSTIME = 1  # sys/timerfd.h
_SECOND = 1_000_000_000

Callback = Callable[[int], object]


class Timers:
    """`at(moment, callback)` calls `callback(moment)` once, at that nanosecond of `now()` or soon after."""

    now = staticmethod(time.monotonic_ns)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callback]] = []
        self._order = count()
        self._armed = 0

    async def __aenter__(self) -> Self:
        alarm = _KernelAlarm if sys.platform == "linux" else _LoopAlarm
        self._alarm: _KernelAlarm | _LoopAlarm = alarm(asyncio.get_running_loop(), self._ring)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
        self._alarm.close()

    def at(self, moment: int, callback: Callback) -> None:
        """Call back at this nanosecond; one that has passed is called in the next turn of the loop."""
        heapq.heappush(self._waiting, (moment, next(self._order), callback))
        if not self._armed or moment < self._armed:
            self._arm(moment)

    def _arm(self, moment: int) -> None:
        self._armed = moment
        self._alarm.set(moment)

    def _ring(self) -> None:
        self._armed = -1  # so that `at` does not arm meanwhile: the loop below sees every callback
        waiting = self._waiting
        try:
            while waiting and waiting[0][0] <= self.now():
                moment, _, callback = heapq.heappop(waiting)
                callback(moment)
        finally:
            self._armed = 0
            if waiting:
                self._arm(waiting[0][0])


class _KernelAlarm:
    """A timerfd."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self._spec = (ctypes.c_long * 4)()  # interval and moment, each in seconds and nanoseconds
        loop.add_reader(self._file, self._read)

    def set(self, moment: int) -> None:
        self._spec[2], self._spec[3] = divmod(max(1, moment), _SECOND)
        self._settime(self._file, _TFD_TIMER_ABSTIME, self._spec, None)

    def close(self) -> None:
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _read(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:  # set again after it became readable
            return
        self._ring()


class _LoopAlarm:
    """The loop's own timer, started again when it rang early."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, moment: int) -> None:
        self.close()
        delay = max(0, moment - time.monotonic_ns()) / _SECOND
        self._timer = self._loop.call_later(delay, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
