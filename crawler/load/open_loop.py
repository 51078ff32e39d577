"""The open loop: a schedule decides when to send, whether or not earlier requests are answered.

Rules
- A response time counts from the due moment, not from sending. So a server that stalls is seen by every request that
  was due meanwhile, and the percentiles are free of coordinated omission.
- A request is never sent before its due moment. One that finds every connection busy is sent as soon as one is free,
  first come, first served; none is skipped and none is invented.
- Requests that were due and could not be sent before the end are shed, at the lower bound of their response time.
Runs on: the loop that loads.
"""

from collections import deque

from crawler.core.protocols import Pacer
from crawler.load.base_loop import Loop, LoopSetup
from crawler.load.counts import note
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.wire import Connection


class OpenLoop(Loop):
    """A schedule of due moments, sent over a limited number of connections."""

    is_paced = True

    def __init__(self, setup: LoopSetup, pacer: Pacer) -> None:
        super().__init__(setup)
        self._pacer = pacer
        self._number = 0
        self._idle: deque[Connection] = deque()
        self._is_armed = False
        self._phase_number = 0

    def begin_sending(self) -> None:
        """Send the requests that are due at the start, and wait for the next."""
        self._idle.extend(self._connections)
        self._due = self._next_due()
        self._dispatch(self.now())

    def _next_due(self) -> int | None:
        due = self._pacer.due(self._number)
        return None if due is None else self.origin + due

    def serve(self, connection: Connection, now: int) -> None:
        """Send the request that has waited longest, or keep the connection for the next one."""
        if self._due is not None and self._due <= now:
            if self._idle:  # the timer is late: the connections that were free before go first
                self._idle.append(connection)
                self._dispatch(now)
            else:
                self._send(connection, now, self._due, was_free=False)
            return
        self._idle.append(connection)
        self._arm()

    def _timer_fired(self, _moment: int) -> None:
        self._is_armed = False
        self._dispatch(self.now())

    def _dispatch(self, now: int) -> None:
        """Send the requests that are due, as far as there are free connections."""
        while self._due is not None and self._due <= now and self._idle:
            connection = self._idle.popleft()
            if not connection.is_over:
                self._send(connection, now, self._due, was_free=True)
                now = self.now()
        self._arm()

    def _arm(self) -> None:
        if self._due is not None and self._idle and not self._is_armed:
            self._is_armed = True
            self.setup.timers.at(self._due, self._timer_fired)

    def _send(self, connection: Connection, now: int, due: int, *, was_free: bool) -> None:
        phase = self.phase = self._schedule(due)
        phase.sent += not self._is_ending
        late = now - due
        note(phase.pacing if was_free else phase.waiting, late)
        phase.late += late > MILLISECOND
        connection.ask(now, due)

    def _schedule(self, due: int) -> Phase:
        """Count the request that is due, look up the next one, and return the phase of the first."""
        while (end := self.setup.spans[self._phase_number].end) is not None and due - self.origin >= end:
            self._phase_number += 1
        phase = self.phases[self._phase_number]
        phase.scheduled += 1
        self._number += 1
        self._due = self._next_due()
        return phase

    def shed_rest(self) -> None:
        """Send nothing more, and record the requests that were due until now."""
        now = self.now()
        while self._due is not None and self._due <= now:
            due = self._due
            note(self._schedule(due).shed, now - due)
        self._due = None
