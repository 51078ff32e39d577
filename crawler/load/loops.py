"""Who sends when: the closed loop (a connection sends as soon as it is answered), the open loop (a schedule decides).

Strategy: no coroutine and no task; answers and timers call back, so the same code runs on real time and, in tests, on a
simulated one, where a server that stalls for a second takes no time at all.
Rules
- Never before its due moment; what could not be sent then is sent as soon as a connection is free, first come, first
  served, and its response time counts from the due moment. It never skips one and never invents one.
- A request belongs to the phase in which it was due; each phase keeps its own account.
- The test has ended when its time is up, or its requests are; what is in flight then has a short grace, and is counted
  as in flight after it. What was due and is still not sent is shed. Both keep a lower bound of their response time.
- In a closed loop a user whose connection cannot be opened rests before it tries again.
Runs on: the loop that loads.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crawler.core.protocols import Pacer
from crawler.load.gauges import Gauge
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Phase, note
from crawler.load.wire import Connection, Exchange

_TICK = 5 * MILLISECOND  # how often the loop's lag is sampled
_SWEEP = 10  # ticks between two looks for timeouts
_REST = 100 * MILLISECOND  # after a dial that failed, in a closed loop
_GIVE_UP = SECOND  # without a single connection
_NO_END = 1 << 62


class TimerSource(Protocol):
    """Where time comes from: `runtime.timers`, or a simulation."""

    def now(self) -> int:
        """Nanoseconds that never go back."""
        ...

    def at(self, moment: int, callback: Callable[[int], object]) -> None:
        """Call back with the moment, at it or as soon after as can be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A phase to come, in nanoseconds after the start; `end` None = until all are sent (closed loop only)."""

    name: str
    begin: int
    end: int | None
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParts:
    """What a loop is made of.

    Attributes:
        dial: opens a connection; ends in its `connection_made` or `dial_failed`.
        grace: nanoseconds for what is in flight at the end.
        requests: how many are measured; None = as many as the time allows.
        watch: called some twenty times per second with the loop; it may call `stop`.
    """

    timers: TimerSource
    exchange: Exchange
    dial: Callable[[Connection], object]
    connections: int
    spans: Sequence[Span]
    grace: int
    requests: int | None = None
    gauge: Gauge = field(default_factory=Gauge)
    watch: Callable[["Loop"], None] = lambda _: None


class Loop:
    """What both loops share: connections, phases, the sweep, the end. `open` it, then `start` it."""

    is_paced = False

    def __init__(self, parts: LoopParts) -> None:
        self.parts = parts
        self.exchange = parts.exchange
        self.request = parts.exchange.request
        self.dial: Callable[[Connection], object] = parts.dial
        self.now: Callable[[], int] = parts.timers.now
        self.heads: dict[bytes, tuple[int, int]] = {}
        self.left = 0
        self.origin = 0
        self.phases = [Phase(name=s.name, measured=s.measured, begin=s.begin) for s in parts.spans]
        self.phase = self.phases[0]
        self.is_over = False
        self.gave_up = False
        self._due: int | None = None  # when the next request is due; None = there is no schedule, or no more of it
        self._current = -1  # the phase that runs by the clock
        self._is_ending = False
        self._has_begun = False
        self._ticks = 0
        self._when_open: Callable[[], None] | None = None
        self._when_over: Callable[[], None] = lambda: None
        self._connections: set[Connection] = set()

    # Before the start

    def open(self, when_open: Callable[[], None]) -> None:
        """Open all connections; `when_open` is called as soon as each is open or has failed."""
        self._when_open = when_open
        self.origin = self.now()
        for _ in range(self.parts.connections):
            self._connections.add(Connection(self))
        for connection in tuple(self._connections):
            self.dial(connection)
        self.parts.timers.at(self.origin + self.exchange.timeout, self._all_opened)

    def opened(self, connection: Connection) -> None:
        """A connection is open and has no request yet."""
        if self._when_open is not None and all(other.is_open or other.is_failed for other in self._connections):
            self._all_opened(0)

    def _all_opened(self, _moment: int) -> None:
        if (when_open := self._when_open) is not None:
            self._when_open = None
            when_open()

    def start(self, origin: int, when_over: Callable[[], None]) -> None:
        """Begin at this nanosecond; `when_over` is called when all is over and counted."""
        self.origin = origin
        self._when_over = when_over
        self.parts.timers.at(origin, self._begin)

    def _begin(self, moment: int) -> None:
        if self.is_over:
            return
        self._has_begun = True
        self._advance(moment)
        self.parts.timers.at(moment + _TICK, self._tick)
        self._begin_sending()

    def _begin_sending(self) -> None:
        for connection in tuple(self._connections):
            self.rest(connection, self.now())

    # Phases

    def _advance(self, moment: int) -> None:
        """The next phase begins, or the end."""
        if self.is_over or self._is_ending:
            return
        self._close_phase(moment)
        self._current += 1
        if self._current == len(self.phases):
            self._end(moment)
            return
        if self.phases[self._current].measured and not self.parts.gauge.is_running:
            self.parts.gauge.begin()
        self._open_phase(self.phases[self._current])
        if (end := self.parts.spans[self._current].end) is not None:
            self.parts.timers.at(self.origin + end, self._advance)

    def _open_phase(self, phase: Phase) -> None:
        raise NotImplementedError

    def _close_phase(self, moment: int) -> None:
        if self._current >= 0:
            phase = self.phases[self._current]
            phase.end = moment - self.origin
            phase.answered = phase.ok + sum(phase.failed.values())

    # The end

    def stop(self, *, at_once: bool = False) -> None:
        """End now: what is in flight may finish within the grace, or not at all."""
        if not self._is_ending:
            moment = self.now()
            self._close_phase(moment)
            self._cut(moment)
            self._end(moment)
        if at_once:
            self._finish()

    def _end(self, moment: int) -> None:
        self._is_ending = True
        self.parts.gauge.end()
        self.parts.timers.at(moment + self.parts.grace, lambda _: self._finish())
        self._finish_if_idle()

    def _cut(self, moment: int) -> None:
        """Send nothing more, neither what comes due after this moment nor what is late."""

    def _shed_rest(self) -> None:
        """Count what was due and can no longer be sent."""

    def _finish_if_idle(self) -> None:
        if self._is_ending and self._due is None and not self.in_flight:
            self._finish()

    def _finish(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        now = self.now()
        self._shed_rest()
        for connection in self._connections:
            if connection.is_busy:
                connection.abandon(now)
            else:
                connection.close()
        self._when_over()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return sum(connection.is_busy for connection in self._connections)

    # While it runs

    def rest(self, connection: Connection, now: int) -> None:
        """A connection has nothing to do any more; it may be over."""
        if self.is_over:
            return
        if connection.is_over:
            connection = self._replace(connection)
        if not self._has_begun:
            self.opened(connection)
        else:
            self._serve(connection, now)
            self._finish_if_idle()

    def _serve(self, connection: Connection, now: int) -> None:
        raise NotImplementedError

    def _replace(self, old: Connection) -> Connection:
        self._connections.discard(old)
        new = Connection(self)
        new.is_failed = not (old.is_open and self._has_begun)
        self._connections.add(new)
        return new

    def _tick(self, moment: int) -> None:
        """Sample the loop's lag; now and then, look for timeouts."""
        if self.is_over:
            return
        self.parts.gauge.lagged(self.now() - moment)
        self.parts.timers.at(moment + _TICK, self._tick)
        self._ticks += 1
        if self._ticks % _SWEEP == 0:
            self._sweep()

    def _sweep(self) -> None:
        now = self.now()
        latest = now - self.exchange.timeout
        for connection in tuple(self._connections):
            if connection.is_busy and connection.sent <= latest:
                connection.expire(now)
        if now - self.origin > _GIVE_UP and not self.gave_up and not any(phase.opened for phase in self.phases):
            self.gave_up = True
            self.stop()
        self.parts.watch(self)


class ClosedLoop(Loop):
    """As many users as connections: each sends its next request when the last one is answered."""

    def _open_phase(self, phase: Phase) -> None:
        self.phase = phase
        self._given = self.left = self.parts.requests or _NO_END if phase.measured else _NO_END

    def _close_phase(self, moment: int) -> None:
        super()._close_phase(moment)
        if self._current >= 0:
            self.phase.scheduled = self.phase.sent = self._given - self.left
            self.left = 0

    def _serve(self, connection: Connection, now: int) -> None:
        if connection.is_failed:
            connection.is_failed = False
            self.parts.timers.at(now + _REST, lambda _: self.rest(connection, self.now()))
        elif self.left:
            self.left -= 1
            connection.ask(now, now)
        elif not self.in_flight:
            self._advance(now)


class OpenLoop(Loop):
    """A schedule: requests come due whether or not the earlier ones are answered."""

    is_paced = True

    def __init__(self, parts: LoopParts, pacer: Pacer) -> None:
        super().__init__(parts)
        self._pacer = pacer
        self._number = 0
        self._idle: deque[Connection] = deque()
        self._is_armed = False
        self._phase_number = 0

    def _begin_sending(self) -> None:
        self._idle.extend(self._connections)
        self._due = self._next_due()
        self._dispatch(self.now())

    def _open_phase(self, phase: Phase) -> None:
        """The phase of a request is that of its due moment, whatever the clock says."""

    def _next_due(self) -> int | None:
        due = self._pacer.due(self._number)
        return None if due is None else self.origin + due

    def _serve(self, connection: Connection, now: int) -> None:
        if self._due is not None and self._due <= now:
            if self._idle:  # a timer that is late itself: the connections that were free before go first
                self._idle.append(connection)
                self._dispatch(now)
            else:
                self._send(connection, now, self._due, was_free=False)
            return
        self._idle.append(connection)
        self._arm()

    def _ring(self, _moment: int) -> None:
        self._is_armed = False
        self._dispatch(self.now())

    def _dispatch(self, now: int) -> None:
        """Send all that is due, as far as there are connections."""
        while self._due is not None and self._due <= now and self._idle:
            connection = self._idle.popleft()
            if not connection.is_over:
                self._send(connection, now, self._due, was_free=True)
                now = self.now()
        self._arm()

    def _arm(self) -> None:
        if self._due is not None and self._idle and not self._is_armed:
            self._is_armed = True
            self.parts.timers.at(self._due, self._ring)

    def _send(self, connection: Connection, now: int, due: int, *, was_free: bool) -> None:
        phase = self.phase = self._schedule(due)
        phase.sent += not self._is_ending
        late = now - due
        note(phase.pacing if was_free else phase.waiting, late)
        phase.late += late > MILLISECOND
        connection.ask(now, due)

    def _schedule(self, due: int) -> Phase:
        """Count a request in, and look up the next one; gives the phase of this one."""
        while (end := self.parts.spans[self._phase_number].end) is not None and due - self.origin >= end:
            self._phase_number += 1
        phase = self.phases[self._phase_number]
        phase.scheduled += 1
        self._number += 1
        self._due = self._next_due()
        return phase

    def _cut(self, moment: int) -> None:
        self._shed_rest(until=moment)

    def _shed_rest(self, until: int = _NO_END) -> None:
        now = self.now()
        while self._due is not None and self._due <= min(until, now):
            due = self._due
            note(self._schedule(due).shed, now - due)
        self._due = None
