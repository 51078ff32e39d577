"""Measures the client itself during a load test: processor time, event loop lag, pauses of the garbage collector.

Runs on: the loop that loads.
"""

import gc
import time

from crawler.load.counts import note
from crawler.load.records import ClientCost


class Gauge:
    """A gauge of the client's cost, which counts between `begin` and `end`."""

    def __init__(self) -> None:
        self.client = ClientCost()
        self.is_running = False
        self._wall = self._cpu = self._pause = 0

    def begin(self) -> None:
        """Begin to count."""
        self.is_running = True
        self._wall, self._cpu = time.monotonic_ns(), time.process_time_ns()
        gc.callbacks.append(self._collected)

    def end(self) -> None:
        """Stop counting; a second call does nothing."""
        if self.is_running:
            self.is_running = False
            gc.callbacks.remove(self._collected)
            self.client.seconds = (time.monotonic_ns() - self._wall) / 1e9
            self.client.cpu_seconds = (time.process_time_ns() - self._cpu) / 1e9

    @staticmethod
    def cpu() -> float:
        """Return the processor time of this process until now, in seconds."""
        return time.process_time_ns() / 1e9

    def lagged(self, nanoseconds: int) -> None:
        """Count one lag of the event loop."""
        if self.is_running:
            note(self.client.lag, nanoseconds)

    def _collected(self, step: str, _: object) -> None:
        if step == "start":
            self._pause = time.monotonic_ns()
        else:
            note(self.client.pauses, time.monotonic_ns() - self._pause)
