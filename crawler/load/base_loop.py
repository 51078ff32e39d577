"""The part of a load test that the closed and the open loop share: connections, phases, timeouts, the end.

Strategy: no coroutine and no task. Answers and timers call back, so the same code runs on real time and, in tests, on a
simulated one, where a server that stalls for a second takes no time at all.
Rules
- A request belongs to the phase in which it was due; each phase keeps its own record.
- The test ends when its time is up, or when all its requests have ended. Requests in flight then have a short grace,
  and count as in flight after it.
- With several groups of targets each phase keeps a record of each group. With several hosts a user has a connection to
  each of them.
- The test gives up when no connection could be opened within its first second.
Runs on: the loop that loads.
"""

from collections.abc import Callable, Collection, Sequence

from crawler.core.histogram import FINE, bucket
from crawler.http.framing import ResponseReader
from crawler.load.intervals import IntervalLog, Moment
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.pool import Heads
from crawler.load.records import Phase, added
from crawler.load.wire import Connection

_TICK = 5 * MILLISECOND  # how often the loop's lag is sampled
_WATCH = 10  # ticks between two looks from outside
_SWEEPS = 20  # checks of the timeouts within one timeout, at most one per tick and at least one per `_WATCH` ticks
_GIVE_UP = SECOND  # without a single connection


class Loop:
    """A load test that runs: `open` it, then `start` it.

    Attributes:
        watch: called with the loop some twenty times per second; it may call `stop`.
    """

    is_paced = False
    chains = False

    def __init__(self, setup: LoopSetup) -> None:
        self.setup = setup
        self.exchange = setup.exchange
        self.dial: Callable[[Connection], object] = setup.dial
        self.now: Callable[[], int] = setup.timers.now
        self.limit = setup.exchange.timeout
        self.heads: Heads = {}
        self.bare_heads: Heads = {}
        self.draw = setup.draw
        self.given = [0] * len(setup.groups)
        self.took: Callable[[Connection, ResponseReader], object] | None = None
        self.left = 0
        self.origin = 0
        self._all_cells = [
            [Phase(name=span.name, measured=span.measured, begin=span.begin) for _ in setup.groups]
            for span in setup.spans
        ]
        self.group_names = list(setup.groups)
        self.cells: Sequence[Phase] = self._all_cells[0]
        self.watch: Callable[[Loop], None] = lambda _: None
        self.log = IntervalLog()
        self.second = self.log.current
        self.times = self.second.times
        self.is_over = False
        self.is_hasty = False  # what is left to count is left out
        self.gave_up = False
        self._current = -1  # the phase that runs by the clock
        self._is_ending = False
        self._has_begun = False
        self._ticks = 0
        self._sweep = min(_WATCH, max(1, self.limit // (_SWEEPS * _TICK)))
        self._when_open: Callable[[], None] | None = None
        self._when_over: Callable[[], None] = lambda: None
        self._connections: set[Connection] = set()

    @property
    def records(self) -> list[list[Phase]]:
        """Return the records of each phase: those of the groups of targets by their numbers, and others behind them."""
        return self._all_cells

    @property
    def current(self) -> int:
        """Return the number of the phase that runs by the clock: -1 before the start, too high at the end."""
        return self._current

    @property
    def phases(self) -> list[Phase]:
        """Return the phases in order, each over all of its records."""
        named = zip(self.setup.spans, self.records, strict=True)
        return [cells[0] if len(cells) == 1 else added(cells, span.name) for span, cells in named]

    @property
    def measured_cells(self) -> list[Phase]:
        """Return the records of all groups in all measured phases, as they are now."""
        return [cell for cells in self._all_cells for cell in cells if cell.measured]

    @property
    def groups(self) -> list[Phase]:
        """Return the measured requests by group of targets; empty when they have no groups."""
        measured = [cells for cells in self._all_cells if cells[0].measured]
        if self.group_names == [""]:
            return []
        return [added(cells, name) for name, cells in zip(self.group_names, zip(*measured, strict=True), strict=True)]

    def sum_of(self, groups: Collection[int], name: str) -> Phase:
        """Return the requests of these groups in all phases, the warm-up included."""
        return added([cells[number] for cells in self._all_cells for number in groups], name)

    def add_group(self, name: str) -> int:
        """Return the number of a new group of targets."""
        if self.group_names == [""]:  # the only one so far, and nothing has counted in it
            self.group_names[0] = name
            return 0
        self.group_names.append(name)
        for span, cells in zip(self.setup.spans, self._all_cells, strict=True):
            cells.append(Phase(name=span.name, measured=span.measured, begin=span.begin, end=cells[0].end))
        return len(self.group_names) - 1

    # Before the start

    def open(self, when_open: Callable[[], None]) -> None:
        """Open all connections, and call `when_open` as soon as each is open or has failed."""
        self._when_open = when_open
        self.origin = self.now()
        for user in range(self.setup.connections):
            for host in range(self.setup.hosts):
                self.add(Connection(self, user, host))
        for connection in tuple(self._connections):
            self.dial(connection)
        self.setup.timers.at(self.origin + self.limit, self._all_opened)

    def add(self, connection: Connection) -> None:
        """Take a new connection, which may be another's successor."""
        self._connections.add(connection)

    def opened(self, connection: Connection) -> None:
        """Take a connection that is open, or has failed to open, before the start."""
        if self._when_open is not None and all(other.is_open or other.is_failed for other in self._connections):
            self._all_opened(0)

    def _all_opened(self, _moment: int) -> None:
        if (when_open := self._when_open) is not None:
            self._when_open = None
            when_open()

    def start(self, origin: int, when_over: Callable[[], None]) -> None:
        """Begin at this nanosecond, and call `when_over` when all requests have ended and are counted."""
        self.origin = origin
        self._when_over = when_over
        self.setup.timers.at(origin, self._begin)

    def _begin(self, moment: int) -> None:
        if self.is_over:
            return
        self._has_begun = True
        self.log.start(self.setup.gauge.cpu())
        self._advance(moment)
        self.setup.timers.at(moment + _TICK, self._tick)
        self.setup.timers.at(self.origin + self.log.current.length, self._end_second)
        self.begin_sending()

    def begin_sending(self) -> None:
        """Send the first requests."""
        for connection in tuple(self._connections):
            self.release(connection, self.now())

    # Phases

    def _advance(self, moment: int) -> None:
        """End the current phase, and begin the next one or the end."""
        if self.is_over or self._is_ending:
            return
        self.end_phase(moment)
        self._current += 1
        if self._current == len(self._all_cells):
            self._end(moment)
            return
        cells = self._all_cells[self._current]
        if cells[0].measured and not self.setup.gauge.is_running:
            self.setup.gauge.begin()
        self.begin_phase(cells)
        if (end := self.setup.spans[self._current].end) is not None:
            self.setup.timers.at(self.origin + end, self._advance)

    def begin_phase(self, cells: Sequence[Phase]) -> None:
        """Take a phase that begins by the clock, by its groups; the phase of a request may be another one."""

    def end_phase(self, moment: int) -> None:
        """Note the end of the current phase, if there is one, and its answers so far."""
        if self._current >= 0:
            for phase in self._all_cells[self._current]:
                phase.end = moment - self.origin
                phase.answered = phase.ok + sum(phase.failed.values())

    # The end

    def stop(self, *, at_once: bool = False) -> None:
        """End now: requests in flight may finish within the grace; `at_once`, not at all."""
        if not self._is_ending:
            moment = self.now()
            self.end_phase(moment)
            self.shed_rest()
            self._end(moment)
        if at_once:
            self.is_hasty = True
            self._finish()

    def _end(self, moment: int) -> None:
        self._is_ending = True
        self.setup.gauge.end()
        self.setup.timers.at(moment + self.setup.grace, lambda _: self._finish())
        self._finish_if_idle()

    def shed_rest(self) -> bool:
        """Send nothing more, and count requests that were due until now; return whether all of them are counted."""
        return True

    def _finish_if_idle(self) -> None:
        if self._is_ending and self.has_ended and not self.in_flight:
            self._finish()

    def _finish(self) -> None:
        if self.is_over:
            return
        now = self.now()
        if not self.shed_rest():  # in the next turn, so that a wish to stop is heard
            self.setup.timers.at(now, lambda _: self._finish())
            return
        self.is_over = True
        self._close_second(now)
        for connection in self._connections:
            if connection.is_busy:
                connection.abandon(now)
            else:
                connection.close()
        self._when_over()

    @property
    def in_flight(self) -> int:
        """Return the number of requests under way."""
        return sum(connection.is_busy for connection in self._connections)

    @property
    def has_ended(self) -> bool:
        """Return whether no request is still to be sent."""
        return True

    # While it runs

    def release(self, connection: Connection, now: int) -> None:
        """Take back a connection without a request; put a new one in the place of one that is over."""
        if self.is_over:
            return
        if self.exchange.per_connection is not None and connection.served >= self.exchange.per_connection:
            connection.close()
        if connection.is_over:
            connection = self._successor(connection)
        if not self._has_begun:
            self.opened(connection)
        else:
            self.serve(connection, now)
            self._finish_if_idle()

    def ask_again(self, connection: Connection) -> None:
        """Send the request of a kept connection that has ended over a new one."""
        if not self.is_over:
            self._successor(connection).ask_for(connection)

    def _successor(self, old: Connection) -> Connection:
        new = Connection(self, old.user, old.host)
        new.is_failed = not (old.is_open and self._has_begun)
        new.trouble = old.trouble
        self._connections.discard(old)
        self.add(new)
        return new

    def serve(self, connection: Connection, now: int) -> None:
        """Give a free connection its next request, now or later."""
        raise NotImplementedError

    def _tick(self, moment: int) -> None:
        """Sample the lag of the event loop, and every few times end the requests that are over their timeout."""
        if self.is_over:
            return
        now = self.now()
        self.setup.gauge.lagged(now - moment)
        self.second.lag[bucket(now - moment, FINE)] += 1
        self.setup.timers.at(moment + _TICK, self._tick)
        self._ticks += 1
        if self._ticks % self._sweep == 0:
            for connection in tuple(self._connections):
                if connection.is_busy and connection.sent <= now - self.limit:
                    connection.expire(now)
        if self._ticks % _WATCH == 0:
            has_opened = self.gave_up or any(cell.opened for cells in self._all_cells for cell in cells)
            if now - self.origin > _GIVE_UP and not has_opened and self.scheduled:
                self.gave_up = True
                self.stop()
            self.watch(self)

    # Seconds

    @property
    def users(self) -> int:
        """Return the number of connections, or of users, that take part now."""
        return len(self._connections)

    @property
    def scheduled(self) -> int:
        """Return the number of requests that came due until now, in all phases."""
        return sum(phase.scheduled for cells in self._all_cells for phase in cells)

    def _end_second(self, moment: int) -> None:
        if self.is_over:
            return
        self._close_second(moment)
        self.setup.timers.at(self.origin + self.log.current.begin + self.log.current.length, self._end_second)

    def _close_second(self, now: int) -> None:
        begin = self.log.current.begin
        is_measured = not any(span.end and begin < span.end for span in self.setup.spans if not span.measured)
        moment = Moment(
            now=now - self.origin,
            measured=is_measured,
            scheduled=self.scheduled,
            in_flight=self.in_flight,
            users=self.users,
            cpu=self.setup.gauge.cpu(),
        )
        self.second = self.log.close(moment)
        self.times = self.second.times
