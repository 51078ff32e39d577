"""Time as an argument: components get a clock.

Rules
- Deadlines, delays and measurements use `monotonic()`: it never jumps.
- `wall()` is for times that people read and that must outlive this process (stored due times, records).
Strategy: waiting goes through the clock too, so that with a fake clock an hour of waiting takes a test no time.
Runs on: anywhere; `sleep` on the event loop.
"""

import asyncio
import time


class SystemClock:
    """The real time of this machine."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    """Seconds since some moment of the past; only differences mean something."""
    wall = staticmethod(time.time)
    """Seconds since 1970-01-01 UTC; may jump when someone sets the machine's clock."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for at least this long; zero or less is one turn of the loop."""
        await asyncio.sleep(seconds)


class SharedClock(SystemClock):
    """A clock whose `wall` follows another machine's, which is `ahead` seconds ahead of this one's now.

    It goes on with `monotonic`, so nobody who sets this machine's clock moves it.
    """

    __slots__ = ("_since_boot",)

    def __init__(self, ahead: float) -> None:
        self._since_boot = time.time() + ahead - time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970-01-01 UTC, as the other machine tells them."""
        return time.monotonic() + self._since_boot


def boot_time() -> float:
    """Return seconds since some moment of the past, those included in which the machine slept.

    A deadline that others keep for us goes on while the lid is shut, and `time.monotonic` may not.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
