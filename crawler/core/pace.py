"""How gently one host is asked: everything that its server tells, in one controller.

What is in force for a host and port
- delay: seconds between the starts of two requests: the longest of what is configured, what robots.txt asks for, how
  slow the host is, and what its trouble asks for.
- limit: requests in flight at the most.
- due: the moment before which nothing is sent: after the delay, and after every rest that the server asked for.
Rules
- Trouble is 429, 502, 503, 504, and a connection that is lost or falls silent. It halves the limit and doubles the
  delay at once; each good answer gives a little of both back (additive increase, multiplicative decrease: Chiu and
  Jain 1989).
- What was sent before the host was last eased says nothing new: a hundred refusals of one moment count once.
- Retry-After is a rest of the whole host (RFC 9110, 10.2.3).
- A slow host has on average one request in flight: its delay is not shorter than the time that it takes to answer.
- After a failure to reach the host it is probed by one request at a time. It is given up (`down`) when FAILURES
  attempts in a row failed and GIVE_UP_AFTER seconds have passed, or when robots.txt could not be had ROBOTS_ATTEMPTS
  times. A name lookup or connection that ran into its time limit counts as several, or a host behind a firewall would
  take minutes.
Runs on: anywhere (pure). Moments are monotonic seconds; jitter is chance in [0, 1).
"""

from dataclasses import dataclass

from crawler.core.models import HostState
from crawler.core.reasons import Reason

TROUBLE_STATUSES = frozenset({429, 502, 503, 504})
LONGEST_DELAY = 60.0  # seconds, of what latency and trouble ask for
LONGEST_REST = 3600.0  # seconds, of what Retry-After and Crawl-delay ask for
FAILURES = 20
GIVE_UP_AFTER = 30.0
ROBOTS_ATTEMPTS = 4
STOCK_SECONDS = 2.0
MOST_STOCK = 1000

_TROUBLES = frozenset(
    {
        *(Reason.CONNECTION_LOST, Reason.FIRST_BYTE_TIMEOUT, Reason.IDLE_TIMEOUT),
        *(Reason.TOTAL_TIMEOUT, Reason.TRUNCATED),
    }
)
_OURS = frozenset({Reason.CLIENT_LIMIT, Reason.PROXY_FAILED, Reason.BLOCKED_ADDRESS})  # they say nothing of the host
_TIMEOUTS = frozenset({Reason.CONNECT_TIMEOUT, Reason.DNS_TIMEOUT})
_TIMEOUT_WEIGHT = 5
_LEAST_PENALTY = 0.1  # seconds; for a host that has no delay yet
_GAIN = 0.1  # of the rate that is allowed without trouble, for each good answer
_SMOOTHING = 0.2  # the share of the latest answer in the latency
_PROBES = (0.5, 1.0, 2.0)  # seconds between failures to reach it; the last from then on
_ROBOTS_RESTS = (1.0, 3.0, 6.0)  # seconds between attempts to get its robots.txt
_NEWS = 1.25  # a slowness that is so many times what was noted is worth noting; each answer moves it a little
_GIVEN_UP = 500  # how many of its URLs are taken at once, to be failed
_NO_STATE = HostState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the configuration says of a host.

    Attributes:
        per_host: requests in flight at the most.
        delay: seconds between the starts of two requests, at least.
        heeds_latency: slow answers make the delay longer.
        cause: what decided the delay, in a word.
    """

    per_host: int
    delay: float
    heeds_latency: bool = False
    cause: str = "configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one request told about its host.

    Attributes:
        asked_at: when it was sent.
        status: of the answer; 0 = there was none.
        failure: why there was none; None = there was one.
        latency: seconds until its first byte; None = unknown.
        retry_after: seconds that it asked us to wait; None = it did not.
    """

    asked_at: float
    status: int = 0
    failure: Reason | None = None
    latency: float | None = None
    retry_after: float | None = None


class Pace:
    """One host's controller, from the `state` that an earlier lease or life left.

    `ahead` is the monotonic clock minus the wall clock, on which a stored state lies.

    Attributes:
        crawl_delay: what robots.txt asks for, in seconds; None = nothing.
        down: why the host was given up; None = it was not.
    """

    def __init__(self, bounds: Bounds, state: HostState = _NO_STATE, ahead: float = 0.0) -> None:
        self.crawl_delay: float | None = None
        self.down = state.down
        self._bounds = bounds
        self._ahead = ahead
        self._window = min(state.window or bounds.per_host, float(bounds.per_host))
        self._penalty = state.penalty
        self._latency = state.latency
        self._failures = state.failures
        self._failing_since = None if state.failing_since is None else state.failing_since + ahead
        self._rest_until = max(state.due, state.rest_until) + ahead
        self._sent_at: float | None = None
        self._eased_at = self._probed_at = -1.0
        self._probes = 0
        self._robots_attempts = state.robots_attempts
        self._noted, self._noted_slowness = self._news(), self._slowness

    # --- what is in force ----------------------------------------------------------------------------------------

    @property
    def delay(self) -> float:
        """Seconds between the starts of two requests."""
        return self._longest()[0]

    @property
    def limit(self) -> int:
        """Requests in flight at the most."""
        if self.down:
            return _GIVEN_UP
        return 1 if self._failures else max(1, int(self._window))

    @property
    def due(self) -> float:
        """The earliest moment of the next request."""
        if self.down:
            return 0.0
        rested = self._rest_until
        return rested if self._sent_at is None else max(rested, self._sent_at + self.delay)

    @property
    def stock(self) -> int:
        """How many leased URLs the host can use: two seconds' worth within reason, at least twice its limit."""
        delay = self.delay
        by_pace = int(min(STOCK_SECONDS / delay, MOST_STOCK)) if delay else 0
        return max(by_pace, 2 * self.limit)

    def _longest(self) -> tuple[float, str]:
        """The delay and what decides it."""
        if self.down:
            return 0.0, "down"
        delays = (
            (self._bounds.delay, self._bounds.cause),
            (min(self.crawl_delay or 0.0, LONGEST_REST), "crawl-delay"),
            (self._slowness, "latency"),
            (self._penalty, "trouble"),
        )
        return max(delays, key=lambda delay: delay[0])

    @property
    def _slowness(self) -> float:
        """The delay that its latency asks for; a quick host asks for none."""
        slow = min(self._latency or 0.0, LONGEST_DELAY) if self._bounds.heeds_latency else 0.0
        return slow if slow > self._bounds.delay else 0.0

    # --- what happens --------------------------------------------------------------------------------------------

    def sent(self, now: float) -> None:
        """A request went out: the delay counts from here, unless another went out later."""
        self._sent_at = now if self._sent_at is None else max(self._sent_at, now)

    def hear(self, heard: Heard, now: float, jitter: float) -> None:
        """A request ended: with an answer, or without."""
        failure = heard.failure
        if failure in _OURS or self.down:
            return
        if failure is not None and failure.blames_host:
            self._fail_to_reach(failure, heard, now, jitter)
            return
        self.reached()
        if heard.retry_after:
            self.rest(heard.retry_after, now)
        if heard.latency is not None and self._bounds.heeds_latency:
            before = heard.latency if self._latency is None else self._latency
            self._latency = before + _SMOOTHING * (heard.latency - before)
        if failure in _TROUBLES or heard.status in TROUBLE_STATUSES:
            self._ease(heard.asked_at, now, jitter)
        elif failure is None:
            self._speed_up()

    def reached(self) -> None:
        """Somebody answers there: earlier failures count no longer."""
        self._failures = self._probes = self._robots_attempts = 0
        self._failing_since = None

    def rest(self, seconds: float, now: float) -> None:
        """It asked to be left alone for so long: nothing is due before, an hour at the most."""
        self._rest(now + min(seconds, LONGEST_REST))

    def miss_robots(self, failure: Reason, now: float, *, retry_after: float | None, attempts: int) -> None:
        """Its robots.txt could not be had, so nothing may be asked; after `attempts` times it is given up."""
        self._robots_attempts += 1
        self.rest(retry_after or 0.0, now)
        if self._robots_attempts >= attempts:
            self.down = failure
        else:
            self._rest(now + _ROBOTS_RESTS[min(self._robots_attempts, len(_ROBOTS_RESTS)) - 1])

    def _rest(self, until: float) -> None:
        self._rest_until = max(self._rest_until, until)

    def _ease(self, asked_at: float, now: float, jitter: float) -> None:
        if asked_at < self._eased_at:
            return
        self._eased_at = now
        if self.delay or self._window < 2:
            self._penalty = min(max(2 * self.delay, _LEAST_PENALTY) * (0.75 + jitter / 2), LONGEST_DELAY)
        self._window = max(1.0, self._window / 2)

    def _speed_up(self) -> None:
        self._window = min(self._window + 1 / self._window, float(self._bounds.per_host))
        if self._penalty:
            floor = max(self._bounds.delay, self.crawl_delay or 0.0, _LEAST_PENALTY / 2)
            self._penalty = 1 / (1 / self._penalty + _GAIN / floor)
            if self._penalty <= floor:
                self._penalty = 0.0

    def _fail_to_reach(self, failure: Reason, heard: Heard, now: float, jitter: float) -> None:
        self._failures += _TIMEOUT_WEIGHT if failure in _TIMEOUTS else 1
        if self._failing_since is None:
            self._failing_since = heard.asked_at
        if heard.asked_at >= self._probed_at:
            self._rest(now + _PROBES[min(self._probes, len(_PROBES) - 1)] * (1 + jitter / 4))
            self._probes += 1
            self._probed_at = now
        if self._failures >= FAILURES and now - self._failing_since >= GIVE_UP_AFTER:
            self.down = failure

    # --- what is remembered --------------------------------------------------------------------------------------

    def state(self, now: float) -> HostState:
        """What a later lease or life needs to go on from here."""
        delay, cause = self._longest()
        due = self.due
        return HostState(
            due=due - self._ahead if due > now else 0.0,
            delay=delay,
            cause=self._cause_of_rest() if self._rest_until > now and not self.down else cause,
            window=None if self._window >= self._bounds.per_host else self._window,
            penalty=self._penalty,
            latency=self._latency,
            failures=self._failures,
            failing_since=None if self._failing_since is None else self._failing_since - self._ahead,
            robots_attempts=self._robots_attempts,
            down=self.down,
            rest_until=self._rest_until - self._ahead if self.down and self._rest_until > now else 0.0,
        )

    def _cause_of_rest(self) -> str:
        return "unreachable" if self._failures or self._robots_attempts else "retry-after"

    def news(self, now: float) -> HostState | None:
        """The state, if it is worth remembering since it was last given; None = it says nothing new."""
        news, slowness = self._news(), self._slowness
        if news == self._noted and _is_near(slowness, self._noted_slowness) and self.due <= now:
            return None
        self._noted, self._noted_slowness = news, slowness
        return self.state(now)

    def _news(self) -> tuple[object, ...]:
        return self._window, self._penalty, self._failures, self._robots_attempts, self.down

    def __repr__(self) -> str:
        delay, cause = self._longest()
        return f"<Pace {delay:.3g} s ({cause}), {self.limit} at once{f', down: {self.down}' if self.down else ''}>"


def _is_near(slowness: float, noted: float) -> bool:
    return noted / _NEWS <= slowness <= noted * _NEWS
