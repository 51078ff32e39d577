"""The closed loop: each connection is a virtual user that sends its next request as soon as the last one is answered.

Rules
- A closed loop waits with the server, so it sends less while the server is slow. Its service times suffer from
  coordinated omission and say nothing of the users who would have come meanwhile; the open loop is for those.
- A user whose connection cannot be opened waits before it tries again.
Runs on: the loop that loads.
"""

from crawler.load.base_loop import Loop
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.wire import Connection

_RETRY_DELAY = 100 * MILLISECOND  # after a dial that failed
_NO_LIMIT = 1 << 62


class ClosedLoop(Loop):
    """One virtual user per connection."""

    def begin_phase(self, phase: Phase) -> None:
        """Let the connections send the requests of this phase."""
        self.phase = phase
        self._given = self.left = self.setup.requests or _NO_LIMIT if phase.measured else _NO_LIMIT

    def end_phase(self, moment: int) -> None:
        """Count the requests of the phase; a closed loop schedules what it sends."""
        super().end_phase(moment)
        if self._current >= 0:
            self.phase.scheduled = self.phase.sent = self._given - self.left
            self.left = 0

    def serve(self, connection: Connection, now: int) -> None:
        """Send the user's next request at once; after a failed dial, later."""
        if connection.is_failed:
            connection.is_failed = False
            self.setup.timers.at(now + _RETRY_DELAY, lambda _: self.release(connection, self.now()))
        elif self.left:
            self.left -= 1
            connection.ask(now, now)
        elif not self.in_flight:
            self._advance(now)
