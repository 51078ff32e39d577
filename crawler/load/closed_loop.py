"""The closed loop: each connection is a virtual user that sends its next request as soon as the last one is answered.

Rules
- A closed loop waits with the server, so it sends less while the server is slow. Its service times suffer from
  coordinated omission and say nothing of the users who would have come meanwhile; the open loop is for those.
- A user whose connection cannot be opened waits before it tries again.
Runs on: the loop that loads.
"""

from crawler.load.loop import Loop
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.wire import Connection

_RETRY_DELAY = 100 * MILLISECOND  # after a dial that failed
_NO_LIMIT = 1 << 62


class ClosedLoop(Loop):
    """One virtual user per connection."""

    def _open_phase(self, phase: Phase) -> None:
        self.phase = phase
        self._given = self.left = self.parts.requests or _NO_LIMIT if phase.measured else _NO_LIMIT

    def _close_phase(self, moment: int) -> None:
        super()._close_phase(moment)
        if self._current >= 0:
            self.phase.scheduled = self.phase.sent = self._given - self.left
            self.left = 0

    def _serve(self, connection: Connection, now: int) -> None:
        if connection.is_failed:
            connection.is_failed = False
            self.parts.timers.at(now + _RETRY_DELAY, lambda _: self.release(connection, self.now()))
        elif self.left:
            self.left -= 1
            connection.ask(now, now)
        elif not self.in_flight:
            self._advance(now)
