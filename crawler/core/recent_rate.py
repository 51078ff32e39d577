"""A rate over the last few seconds, so that a display shows what happens now.

Runs on: anywhere (pure). Time comes in as `now`, seconds that never go back.
"""

from collections import deque

_WINDOW = 5.0  # seconds


class RecentRate:
    """The rate of one counter, from the readings of the last five seconds, or from the last two if those are older."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def at(self, now: float, count: int) -> float:
        """Note a reading and return the rate per second since the oldest one; 0 for the first reading."""
        self._readings.append((now, count))
        while len(self._readings) > 2 and now - self._readings[0][0] > _WINDOW:
            self._readings.popleft()
        then, before = self._readings[0]
        return (count - before) / (now - then) if now > then else 0.0
