"""The closed loop: each connection is a virtual user that sends its next request as soon as the last one is answered.

Rules
- A closed loop waits with the server, so it sends less while the server is slow. Its service times suffer from
  coordinated omission and say nothing of the users who would have come meanwhile; the open loop is for those.
- A user whose connection cannot be opened waits before it tries again.
Runs on: the loop that loads.
"""

from collections.abc import Sequence

from crawler.load.base_loop import Loop
from crawler.load.exchange import Request
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.wire import Connection

_RETRY_DELAY = 100 * MILLISECOND  # after a dial that failed
_NO_LIMIT = 1 << 62


class ClosedLoop(Loop):
    """One virtual user per connection; with several hosts, per set of connections, one to each host."""

    def __init__(self, setup: LoopSetup) -> None:
        self._asked_for = 0
        self._by_user: dict[tuple[int, int], Connection] = {}
        self._asked_host: dict[int, int] = {}  # of a user, where there are several: it has the request, or had the last
        super().__init__(setup)
        self._usual = Request(setup.exchange.request, bodiless=setup.exchange.bodiless)
        self.chains = setup.hosts == 1 and setup.exchange.per_connection is None

    def add(self, connection: Connection) -> None:
        """Take a new connection, which may be another's successor."""
        super().add(connection)
        self._by_user[connection.user, connection.host] = connection

    @property
    def users(self) -> int:
        """Return the number of users."""
        return self.setup.connections

    @property
    def scheduled(self) -> int:
        """Return the number of requests that were sent until now; a closed loop schedules what it sends."""
        return super().scheduled + self._asked_for - self.left

    def begin_sending(self) -> None:
        """Let each user send its first request."""
        for connection in tuple(self._connections):
            if connection.host == 0:
                self.release(connection, self.now())

    def begin_phase(self, cells: Sequence[Phase]) -> None:
        """Let the users send the requests of this phase."""
        self.cells = cells
        self._asked_for = self.left = self.setup.requests or _NO_LIMIT if cells[0].measured else _NO_LIMIT

    def end_phase(self, moment: int) -> None:
        """Count the requests of the phase."""
        super().end_phase(moment)
        if self._current >= 0:
            counts = [self._asked_for - self.left] if self.draw is None else self.given
            for cell, count in zip(self.cells, counts, strict=True):
                cell.scheduled = cell.sent = count
            self.given = [0] * len(self.given)
            self._asked_for = self.left = 0

    def serve(self, connection: Connection, now: int) -> None:
        """Send the user's next request at once; after a failed dial, later."""
        if self.setup.hosts > 1 and self._asked_host.get(connection.user, 0) != connection.host:
            return  # an idle connection to another host has ended
        if connection.is_failed:
            connection.is_failed = False
            self.setup.timers.at(now + _RETRY_DELAY, lambda _: self.release(connection, self.now()))
        elif self.left:
            self.left -= 1
            request = self._usual if self.draw is None else self.draw()
            self.given[request.group] += 1
            self._asked_host[connection.user] = request.host
            self._by_user[connection.user, request.host].ask(request, now, now)
        elif not self.in_flight:
            self._advance(now)
