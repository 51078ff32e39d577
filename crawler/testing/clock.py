"""The fake clock: time that moves only when a test, or a pause, moves it.

Runs on: anywhere; `sleep` on a loop.
"""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class FakeClock:
    """A clock that moves only by `advance` and `sleep`.

    Attributes:
        slept: the seconds of each sleep, in order.
    """

    now: float = 1000.0
    epoch: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Return the time in seconds; it never goes back."""
        return self.now

    def wall(self) -> float:
        """Return the seconds since 1970, which move with the monotonic clock."""
        return self.epoch + self.now

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the time forward and note it; other tasks get one turn of the loop."""
        self.slept.append(seconds)
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)
