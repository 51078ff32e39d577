"""The throttle of one host: AIMD on its concurrency and delay, fed by every answer and failure of its server.

State of a host and port
- delay: seconds between the starts of two requests: the longest of the configured one, the Crawl-delay of robots.txt,
  the latency of a slow host, and the penalty for trouble.
- limit: requests in flight at the most.
- due: the moment before which no request is sent: after the delay, and after every rest that the server asked for.
Rules
- Trouble is 429, 502, 503, 504, and a connection that is lost or falls silent. It halves the limit and doubles the
  delay at once; each good answer gives a little of both back (additive increase, multiplicative decrease: Chiu and
  Jain 1989).
- Trouble of requests that were sent before the last slow-down is ignored: a burst of 503s counts once.
- Retry-After is a rest of the whole host (RFC 9110, 10.2.3).
- A slow host has on average one request in flight: its delay is not shorter than its latency.
- A host that has answered nothing yet, not even its robots.txt, gets four requests at once at the most, and one after a
  failure.
- Failures to reach the host back off exponentially, and in the end give it up (`core/reachability.py`).
Runs on: anywhere (pure). Moments are monotonic seconds; jitter is chance in [0, 1).
"""

from enum import IntEnum

import msgspec

from crawler.core.leases_and_commits import HostState
from crawler.core.reachability import ATTEMPTS, SILENCES, Reachability
from crawler.core.reasons import Reason

TROUBLE_STATUSES = frozenset({429, 502, 503, 504})
LONGEST_DELAY = 60.0  # seconds, of what latency and trouble ask for
LONGEST_REST = 3600.0  # seconds, of what Retry-After and Crawl-delay ask for
QUICK = 2.0  # seconds to the first byte
STOCK_SECONDS = 2.0
MOST_STOCK = 1000

_TROUBLES = frozenset({Reason.CONNECTION_LOST, Reason.IDLE_TIMEOUT, Reason.TRUNCATED})
_OURS = frozenset({Reason.CLIENT_LIMIT, Reason.PROXY_FAILED, Reason.BLOCKED_ADDRESS})  # not the host's fault
_OF_A_PAGE = frozenset({Reason.FIRST_BYTE_TIMEOUT, Reason.TOTAL_TIMEOUT})  # silences after the connection stood
_UNPROVEN = 4  # requests at once to a host that has answered nothing
_LEAST_PENALTY = 0.1  # seconds; for a host that has no delay yet
_GAIN = 0.1  # of the rate that is allowed without trouble, for each good answer
_SMOOTHING = 0.2  # the share of the latest answer in the latency
LONG_REST = 60.0  # seconds; a host that rests longer gives its leases back
_NEWS = 1.25  # a slowness that differs from the noted one by this factor is noted again; each answer moves it a little
_GIVEN_UP = 500  # URLs of it that are taken at once, to be failed
_NO_STATE = HostState()


class Standing(IntEnum):
    """The likelihood that a host answers at once; the lower is asked first."""

    QUICK = 0  # its last page began within QUICK seconds, or it is down and costs no request
    ANSWERS = 1  # it has answered
    UNTRIED = 2
    FAILED = 3  # the last attempt to reach it failed, or was broken off


class ThrottleBounds(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits of a host.

    Attributes:
        per_host: requests in flight at the most.
        delay: seconds between the starts of two requests, at least.
        heeds_latency: slow answers make the delay longer.
        cause: the source of the delay, in a word.
    """

    per_host: int
    delay: float
    heeds_latency: bool = False
    cause: str = "configured"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one request, as far as it concerns its host.

    Attributes:
        asked_at: when it was sent.
        status: of the answer; 0 = there was no answer.
        failure: why there was no answer; None = there was one.
        latency: seconds until its first byte; None = unknown.
        retry_after: seconds that it asked us to wait; None = it did not.
        again: the same page was asked for before, in vain.
    """

    asked_at: float
    status: int = 0
    failure: Reason | None = None
    latency: float | None = None
    retry_after: float | None = None
    again: bool = False


class HostThrottle:
    """The throttle of one host, from the `state` that an earlier lease or life left.

    `ahead` is the monotonic clock minus the wall clock, on which a stored state lies.

    Attributes:
        down: why the host was given up; None = it was not.
        delay: seconds between the starts of two requests.
        limit: requests in flight, at the most.
        standing: the likelihood that it answers at once.
        stock: leased URLs that the host can use: those of two seconds, at least twice its limit.
        waited: seconds that requests to it took which got no answer.
    """

    down: Reason | None
    delay: float
    limit: int
    standing: Standing
    stock: int

    def __init__(self, bounds: ThrottleBounds, state: HostState = _NO_STATE, ahead: float = 0.0) -> None:
        self._crawl_delay: float | None = None
        self._reach = Reachability(state, ahead)
        self._bounds = bounds
        self._ahead = ahead
        self._window = min(state.window or bounds.per_host, float(bounds.per_host))
        self._penalty = state.penalty
        self._latency = state.latency
        self._rest_until = max(state.due, state.rest_until) + ahead
        self._sent_at: float | None = None
        self._slowed_at = -1.0
        self._is_quick = self._is_put_off = False
        self.waited = state.waited
        self._settle()
        self._noted, self._noted_slowness = self._news(), self._slowness

    # --- limits in force -----------------------------------------------------------------------------------------

    @property
    def crawl_delay(self) -> float | None:
        """Return the delay of its robots.txt, in seconds; None = it has none."""
        return self._crawl_delay

    @crawl_delay.setter
    def crawl_delay(self, seconds: float | None) -> None:
        if seconds != self._crawl_delay:
            self._crawl_delay = seconds
            self._settle()

    @property
    def due(self) -> float:
        """Return the earliest moment of the next request."""
        if self.down:
            return 0.0
        rested = self._rest_until
        if self._sent_at is None or (spaced := self._sent_at + self.delay) < rested:
            return rested
        return spaced

    def _settle(self) -> None:
        """Set the limits in force after an event: they are read many times for each request."""
        reach, window = self._reach, max(1, int(self._window))
        self.down = down = reach.down
        self.delay, self._cause = self._longest()
        if down:
            self.limit, self.standing = _GIVEN_UP, Standing.QUICK
        else:
            proven = window if reach.has_answered else min(window, _UNPROVEN)
            self.limit = proven if reach.is_reached else 1
            self.standing = self._usual_standing()
        by_pace = int(min(STOCK_SECONDS / self.delay, MOST_STOCK)) if self.delay else 0
        self.stock = max(by_pace, 2 * (self.limit if down or not reach.is_reached else window))

    def _usual_standing(self) -> Standing:
        if self._reach.failures or self._reach.robots_attempts or self._is_put_off:
            return Standing.FAILED
        if not self._reach.has_answered:
            return Standing.UNTRIED
        return Standing.QUICK if self._is_quick else Standing.ANSWERS

    def _longest(self) -> tuple[float, str]:
        """Return the delay and its cause."""
        if self.down:
            return 0.0, "down"
        longest, cause = self._bounds.delay, self._bounds.cause
        if (crawl_delay := min(self._crawl_delay or 0.0, LONGEST_REST)) > longest:
            longest, cause = crawl_delay, "crawl-delay"
        if (slowness := self._slowness) > longest:
            longest, cause = slowness, "latency"
        return (self._penalty, "trouble") if self._penalty > longest else (longest, cause)

    @property
    def _slowness(self) -> float:
        """Return the delay for its latency; 0 for a quick host."""
        slow = min(self._latency or 0.0, LONGEST_DELAY) if self._bounds.heeds_latency else 0.0
        return slow if slow > self._bounds.delay else 0.0

    # --- events --------------------------------------------------------------------------------------------------

    def sent(self, now: float) -> None:
        """Count the delay from the moment of a request, unless a later one was sent."""
        if self._sent_at is None or now > self._sent_at:
            self._sent_at = now

    def hear(self, heard: Heard, now: float, jitter: float) -> None:
        """Take in the outcome of a request."""
        failure = heard.failure
        if failure in _OURS or self.down:
            return
        if failure is not None:
            self.waited += max(0.0, now - heard.asked_at)
        if failure is not None and failure.blames_host:
            self._reach.is_reached = False
            self._fail(failure, heard.asked_at, now, jitter)
        elif failure in _OF_A_PAGE:
            self._is_quick = False
            if not self._reach.has_answered:
                self._fail(failure, heard.asked_at, now, jitter)
            elif not heard.again:
                self._reach.miss_page(failure, heard.asked_at)
        else:
            self._take_in(heard, now, jitter)
        self._settle()

    def _take_in(self, heard: Heard, now: float, jitter: float) -> None:
        """Take in the outcome of a request that reached the host, though the connection may have been lost."""
        if heard.failure is Reason.CONNECTION_LOST:
            self._reach.forgive()
            self._is_put_off = False
        else:
            self._note_answer(now)
        if heard.retry_after:
            self.rest(heard.retry_after, now)
        self._is_quick = heard.failure is None and (heard.latency or 0.0) <= QUICK
        if heard.latency is not None and self._bounds.heeds_latency:
            before = heard.latency if self._latency is None else self._latency
            self._latency = before + _SMOOTHING * (heard.latency - before)
        if heard.failure in _TROUBLES or heard.status in TROUBLE_STATUSES:
            self._slow_down(heard.asked_at, now, jitter)
        elif heard.failure is None:
            self._speed_up()

    def reached(self, now: float) -> None:
        """Note an answer of the host: earlier failures count no longer."""
        self._note_answer(now)
        self._settle()

    def _note_answer(self, now: float) -> None:
        self._reach.answer(now)
        self._is_put_off = False

    def put_off(self, seconds: float, now: float, waited: float = 0.0) -> None:
        """Rest the host for some seconds behind others, since a request was broken off without its fault.

        `waited`: seconds that the request took until then, without an answer.
        """
        self.waited += waited
        self._is_put_off = True
        self._rest(now + seconds)
        self._settle()

    def rest(self, seconds: float, now: float) -> None:
        """Rest for the seconds that the host asked for, an hour at the most."""
        self._rest(now + min(seconds, LONGEST_REST))

    def miss_robots(self, heard: Heard, now: float, jitter: float, *, attempts: int) -> None:
        """Rest a host whose robots.txt is unavailable, so no page may be fetched; after `attempts` times give it up."""
        failure = heard.failure
        assert failure is not None  # noqa: S101 - the fetch failed
        self.rest(heard.retry_after or 0.0, now)
        if failure.blames_host or failure in SILENCES:
            self.waited += max(0.0, now - heard.asked_at)
            self._reach.is_reached = False
            self._fail(failure, heard.asked_at, now, jitter, attempts=attempts)
        elif rest := self._reach.miss_robots(failure, attempts):
            self._rest(now + rest)
        self._settle()

    def _rest(self, until: float) -> None:
        self._rest_until = max(self._rest_until, until)

    def _slow_down(self, asked_at: float, now: float, jitter: float) -> None:
        if asked_at < self._slowed_at:
            return
        self._slowed_at = now
        delay, _ = self._longest()
        if delay or self._window < 2:
            self._penalty = min(max(2 * delay, _LEAST_PENALTY) * (0.75 + jitter / 2), LONGEST_DELAY)
        self._window = max(1.0, self._window / 2)

    def _speed_up(self) -> None:
        self._window = min(self._window + 1 / self._window, float(self._bounds.per_host))
        if self._penalty:
            floor = max(self._bounds.delay, self._crawl_delay or 0.0, _LEAST_PENALTY / 2)
            self._penalty = 1 / (1 / self._penalty + _GAIN / floor)
            if self._penalty <= floor:
                self._penalty = 0.0

    def _fail(self, failure: Reason, asked_at: float, now: float, jitter: float, *, attempts: int = ATTEMPTS) -> None:
        if rest := self._reach.fail(failure, asked_at, now, jitter, attempts=attempts):
            self._rest(now + rest)

    # --- state for later -----------------------------------------------------------------------------------------

    def state(self, now: float) -> HostState:
        """Return the state from which a later lease or life goes on."""
        delay, cause = self.delay, self._cause
        reach = self._reach
        if self._rest_until > now and not self.down:
            cause = "put off" if self._is_put_off else "retry-after"
            cause = "unreachable" if reach.failures or reach.robots_attempts else cause
        due = self.due
        return HostState(
            due=due - self._ahead if due > now else 0.0,
            delay=delay,
            cause=cause,
            window=None if self._window >= self._bounds.per_host else self._window,
            penalty=self._penalty,
            latency=self._latency,
            failures=reach.failures,
            failing_since=None if reach.failing_since is None else reach.failing_since - self._ahead,
            robots_attempts=reach.robots_attempts,
            down=self.down,
            rest_until=self._rest_until - self._ahead if self.down and self._rest_until > now else 0.0,
            waited=self.waited,
            answered=reach.has_answered,
        )

    def news(self, now: float) -> HostState | None:
        """Return the state if it has changed enough since it was last returned; None = it has not."""
        news, slowness = self._news(), self._slowness
        is_near = self._noted_slowness / _NEWS <= slowness <= self._noted_slowness * _NEWS
        if news == self._noted and is_near and self.due <= now:
            return None
        self._noted, self._noted_slowness = news, slowness
        return self.state(now)

    def _news(self) -> tuple[object, ...]:
        reach = self._reach
        return self._window, self._penalty, reach.failures, reach.robots_attempts, self.down, round(self.waited)

    def __repr__(self) -> str:
        down = f", down: {self.down}" if self.down else ""
        return f"<HostThrottle {self.delay:.3g} s ({self._cause}), {self.limit} at once{down}>"
