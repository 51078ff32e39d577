"""The open loop: a schedule decides when to send, whether or not earlier requests are answered.

Rules
- A response time counts from the due moment, not from sending. So a server that stalls is seen by every request that
  was due meanwhile, and the percentiles are free of coordinated omission.
- A request is never sent before its due moment. One that finds every connection busy is sent as soon as one is free,
  first come, first served; none is skipped and none is invented.
- Each host has its own connections and its own part of the schedule, so a host that stalls delays no other.
- Requests that were due and could not be sent before the end are shed, at the lower bound of their response time.
Runs on: the loop that loads.
"""

from collections import deque
from collections.abc import Sequence

from crawler.load.base_loop import Loop
from crawler.load.counts import note
from crawler.load.exchange import Request
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Phase
from crawler.load.schedule import Schedule
from crawler.load.wire import Connection

_AT_ONCE = 20_000  # requests that are shed in one turn of the loop


class OpenLoop(Loop):
    """A schedule of due moments, sent over a limited number of connections to each host.

    Args:
        schedules: for each host, its own requests with their due moments.
    """

    is_paced = True

    def __init__(self, setup: LoopSetup, schedules: Sequence[Schedule]) -> None:
        super().__init__(setup)
        self._shed_at = 0
        self.lanes = [SendingLane(self, schedule) for schedule in schedules]

    def begin_sending(self) -> None:
        """Send the requests that are due at the start, and wait for the next."""
        for connection in self._connections:
            self.lanes[connection.host].idle.append(connection)
        for lane in self.lanes:
            lane.begin()

    def serve(self, connection: Connection, now: int) -> None:
        """Send the request that has waited longest for this host, or keep the connection for the next one."""
        self.lanes[connection.host].serve(connection, now)

    def cells_of(self, number: int) -> Sequence[Phase]:
        """Return the records of a phase, by group."""
        return self._all_cells[number]

    @property
    def has_ended(self) -> bool:
        """Return whether each schedule has ended."""
        return all(lane.due is None for lane in self.lanes)

    @property
    def is_ending(self) -> bool:
        """Return whether the time is over, and requests are sent within the grace."""
        return self._is_ending

    def shed_rest(self) -> bool:
        """Send nothing more, and record requests that were due until now; return whether all of them are recorded."""
        self._shed_at = self._shed_at or self.now()
        room = _AT_ONCE
        for lane in self.lanes:
            lane.is_stopped = True
            room -= lane.shed(self._shed_at, room)
            if self.is_hasty:
                lane.due = None
        return self.has_ended


class SendingLane:
    """One host's part of an open loop: its schedule, and its connections that are free.

    Attributes:
        due: the moment of the next request; None = the schedule has not begun, or has ended.
        is_stopped: nothing more is sent.
    """

    def __init__(self, loop: OpenLoop, schedule: Schedule) -> None:
        self._loop = loop
        self._schedule = schedule
        self._is_armed = False
        self._phase_number = 0
        self._request: Request
        self.is_stopped = False
        self.due: int | None = None
        self.idle: deque[Connection] = deque()

    def begin(self) -> None:
        """Send the requests that are due at the start."""
        self._look_up()
        self._dispatch(self._loop.now())

    def _look_up(self) -> None:
        """Take the next request of the schedule."""
        found = self._schedule.next()
        self.due = None
        if found is not None:
            due, self._request = found
            self.due = self._loop.origin + due

    def serve(self, connection: Connection, now: int) -> None:
        """Send the request that has waited longest, or keep the connection for the next one."""
        if self.is_stopped:
            return
        if self.due is not None and self.due <= now:
            if self.idle:  # the timer is late: the connections that were free before go first
                self.idle.append(connection)
                self._dispatch(now)
            else:
                self._send(connection, now, self.due, was_free=False)
            return
        self.idle.append(connection)
        self._arm()

    def _timer_fired(self, _moment: int) -> None:
        self._is_armed = False
        self._dispatch(self._loop.now())

    def _dispatch(self, now: int) -> None:
        """Send the requests that are due, as far as there are free connections."""
        while self.due is not None and self.due <= now and self.idle and not self.is_stopped:
            connection = self.idle.popleft()
            if not connection.is_over:
                self._send(connection, now, self.due, was_free=True)
                now = self._loop.now()
        self._arm()

    def _arm(self) -> None:
        if self.due is not None and self.idle and not self._is_armed and not self.is_stopped:
            self._is_armed = True
            self._loop.setup.timers.at(self.due, self._timer_fired)

    def _send(self, connection: Connection, now: int, due: int, *, was_free: bool) -> None:
        loop, request = self._loop, self._request
        loop.cells, phase = self._count(due)
        phase.sent += not loop.is_ending
        late = now - due
        note(phase.pacing if was_free else phase.waiting, late)
        phase.late += late > MILLISECOND
        connection.ask(request, now, due)

    def _count(self, due: int) -> tuple[Sequence[Phase], Phase]:
        """Count the request that is due, look up the next one, and return the records of its phase, and its own."""
        loop, last = self._loop, len(self._loop.setup.spans) - 1
        while self._phase_number < last and due - loop.origin >= (loop.setup.spans[self._phase_number].end or 0):
            self._phase_number += 1  # the last due moment may round up to the end of the last phase
        cells = loop.cells_of(self._phase_number)
        phase = cells[self._request.group]
        phase.scheduled += 1
        self._look_up()
        return cells, phase

    def shed(self, now: int, most: int) -> int:
        """Record at most so many requests that were due until now and were not sent; return their number."""
        count = 0
        while count < most and self.due is not None and self.due <= now:
            due = self.due
            note(self._count(due)[1].shed, now - due)
            count += 1
        if self.due is not None and self.due > now:
            self.due = None
        return count
