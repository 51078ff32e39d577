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
- A host of which no page was answered yet is asked for four at once at the most, and for one after a failure.
- Failures to reach it are of three kinds, and each has its number of attempts until the host is given up (`down`).
  A name that does not exist is believed at once. What is refused at once is asked again after 1, 3 and 6 s. Silence is
  asked again after 5 and then 10 s, as long as the next attempt can end within a minute of the beginning of the first.
- A host that has answered before is given more time: refusals give it up when the next attempt would come after 30 s,
  and connections that do not come about after two attempts at the earliest.
- Attempts that began before the last failure was heard say nothing new.
- A page that stays silent is blamed itself, if its host has ever answered: the host is asked as before. It is given up
  when SILENT_PAGES of them, none of which was asked for before, were silent with no answer to anything in between.
- A robots.txt that cannot be had though the host answers gives it up after ROBOTS_ATTEMPTS attempts.
Runs on: anywhere (pure). Moments are monotonic seconds; jitter is chance in [0, 1).
"""

from dataclasses import dataclass
from enum import IntEnum

from crawler.core.handover import HostState
from crawler.core.reasons import Reason

TROUBLE_STATUSES = frozenset({429, 502, 503, 504})
LONGEST_DELAY = 60.0  # seconds, of what latency and trouble ask for
LONGEST_REST = 3600.0  # seconds, of what Retry-After and Crawl-delay ask for
ROBOTS_ATTEMPTS = 4
ATTEMPTS = 4  # that are refused, of a host that has never answered
PATIENCE = 30.0  # seconds of refusals, of a host that has answered: a restart takes less
MINUTE = 60.0  # seconds that silence may take in all
QUICK = 2.0  # seconds to the first byte
SILENT_PAGES = 20  # in a row, of a host that has answered
STOCK_SECONDS = 2.0
MOST_STOCK = 1000

_TROUBLES = frozenset({Reason.CONNECTION_LOST, Reason.IDLE_TIMEOUT, Reason.TRUNCATED})
_OURS = frozenset({Reason.CLIENT_LIMIT, Reason.PROXY_FAILED, Reason.BLOCKED_ADDRESS})  # they say nothing of the host
_SILENCES = frozenset(
    {Reason.CONNECT_TIMEOUT, Reason.DNS_TIMEOUT, Reason.FIRST_BYTE_TIMEOUT, Reason.TOTAL_TIMEOUT, Reason.IDLE_TIMEOUT}
)
_OF_A_PAGE = frozenset({Reason.FIRST_BYTE_TIMEOUT, Reason.TOTAL_TIMEOUT})  # silences after the connection stood
_UNPROVEN = 4  # requests at once to a host of which no page was answered
_LEAST_PENALTY = 0.1  # seconds; for a host that has no delay yet
_GAIN = 0.1  # of the rate that is allowed without trouble, for each good answer
_SMOOTHING = 0.2  # the share of the latest answer in the latency
LONG_REST = 60.0  # seconds; a host that rests longer gives its leases back
_RESTS = (1.0, 3.0, 6.0)  # seconds between attempts; the last from then on
_LONG_RESTS = (5.0, 10.0)  # after silence
_NEWS = 1.25  # a slowness that is so many times what was noted is worth noting; each answer moves it a little
_GIVEN_UP = 500  # how many of its URLs are taken at once, to be failed
_NO_STATE = HostState()


class Standing(IntEnum):
    """Likelihood that a host answers at once; the lower is asked first."""

    QUICK = 0  # its last page began within QUICK seconds, or it is down and costs no request
    ANSWERS = 1  # it has answered
    UNTRIED = 2
    FAILED = 3  # the last attempt to reach it failed, or was broken off


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleBounds:
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
        again: the same page was asked for before, in vain.
    """

    asked_at: float
    status: int = 0
    failure: Reason | None = None
    latency: float | None = None
    retry_after: float | None = None
    again: bool = False


class HostThrottle:
    """One host's controller, from the `state` that an earlier lease or life left.

    `ahead` is the monotonic clock minus the wall clock, on which a stored state lies.

    Attributes:
        crawl_delay: what robots.txt asks for, in seconds; None = nothing.
        down: why the host was given up; None = it was not.
        waited: seconds that requests to it took which got no answer.
    """

    def __init__(self, bounds: ThrottleBounds, state: HostState = _NO_STATE, ahead: float = 0.0) -> None:
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
        self._eased_at = self._failed_at = self._answered_at = -1.0
        self._has_answered = self._is_known = state.answered
        self._is_quick = self._is_put_off = False
        self._silent_pages = 0  # since the last answer
        self._is_reached = not self._failures  # connections to it come about
        self._robots_attempts = state.robots_attempts
        self.waited = state.waited
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
        if not self._is_reached:
            return 1
        return max(1, int(self._window) if self._is_known else min(int(self._window), _UNPROVEN))

    @property
    def standing(self) -> Standing:
        """Return how likely it is to answer at once."""
        if self.down:
            return Standing.QUICK
        if self._failures or self._robots_attempts or self._is_put_off:
            return Standing.FAILED
        if not self._has_answered:
            return Standing.UNTRIED
        return Standing.QUICK if self._is_quick else Standing.ANSWERS

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
        return max(by_pace, 2 * (self.limit if self.down or not self._is_reached else max(1, int(self._window))))

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
        if failure is not None:
            self.waited += max(0.0, now - heard.asked_at)
        if failure is not None and failure.blames_host:
            self._is_reached = False
            self._fail(failure, heard.asked_at, now, jitter)
        elif failure in _OF_A_PAGE:
            self._is_quick = False
            if not self._has_answered:
                self._fail(failure, heard.asked_at, now, jitter)
            elif not heard.again and self._answered_at <= heard.asked_at:
                self._silent_pages += 1
                if self._silent_pages >= SILENT_PAGES:
                    self.down = failure
        else:
            self._take_in(heard, now, jitter)

    def _take_in(self, heard: Heard, now: float, jitter: float) -> None:
        """It can be reached, and has answered unless the connection was lost."""
        if heard.failure is Reason.CONNECTION_LOST:
            self._forgive()
        else:
            self.reached(now)
            self._is_known = True
        if heard.retry_after:
            self.rest(heard.retry_after, now)
        self._is_quick = heard.failure is None and (heard.latency or 0.0) <= QUICK
        if heard.latency is not None and self._bounds.heeds_latency:
            before = heard.latency if self._latency is None else self._latency
            self._latency = before + _SMOOTHING * (heard.latency - before)
        if heard.failure in _TROUBLES or heard.status in TROUBLE_STATUSES:
            self._ease(heard.asked_at, now, jitter)
        elif heard.failure is None:
            self._speed_up()

    def reached(self, now: float) -> None:
        """Somebody answers there: earlier failures count no longer."""
        self._forgive()
        self._has_answered = True
        self._answered_at = now
        self._silent_pages = 0

    def _forgive(self) -> None:
        self._failures = self._robots_attempts = 0
        self._failing_since = None
        self._is_reached = True
        self._is_put_off = False

    def put_off(self, seconds: float, now: float, waited: float = 0.0) -> None:
        """A request was broken off, to nobody's blame: others come first, and this host again after so long.

        `waited`: seconds that the request took until then, in vain.
        """
        self.waited += waited
        self._is_put_off = True
        self._rest(now + seconds)

    def rest(self, seconds: float, now: float) -> None:
        """It asked to be left alone for so long: nothing is due before, an hour at the most."""
        self._rest(now + min(seconds, LONGEST_REST))

    def miss_robots(self, heard: Heard, now: float, jitter: float, *, attempts: int) -> None:
        """Its robots.txt could not be had, so nothing may be asked; after `attempts` times it is given up."""
        failure = heard.failure
        assert failure is not None  # noqa: S101 - it could not be had
        self.rest(heard.retry_after or 0.0, now)
        if failure.blames_host or failure in _SILENCES:
            self.waited += max(0.0, now - heard.asked_at)
            self._is_reached = False
            self._fail(failure, heard.asked_at, now, jitter, attempts=attempts)
            return
        self._robots_attempts += 1
        if self._robots_attempts >= attempts:
            self.down = failure
        else:
            self._rest(now + _of(_RESTS, self._robots_attempts))

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

    def _fail(self, failure: Reason, asked_at: float, now: float, jitter: float, *, attempts: int = ATTEMPTS) -> None:
        """It could not be reached: rest, or give it up."""
        if asked_at < self._failed_at:
            return
        self._failed_at = now
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = asked_at
        is_silent = failure in _SILENCES
        rest = _of(_LONG_RESTS if is_silent else _RESTS, self._failures) * (1 + jitter / 4)
        took = now - asked_at if is_silent else 0.0
        if self._is_over(failure, now + rest + took - self._failing_since, attempts):
            self.down = failure
        else:
            self._rest(now + rest)

    def _is_over(self, failure: Reason, until: float, attempts: int) -> bool:
        """Say whether no further attempt is made, which would end `until` seconds after the first one began."""
        if self._failures >= attempts and attempts < ATTEMPTS:
            return True  # the user wants fewer
        if failure in _SILENCES:
            is_late = until > MINUTE or self._failures >= ATTEMPTS
            return is_late and (self._failures > 1 or not self._has_answered)
        if self._has_answered:
            return until > PATIENCE and self._failures >= ATTEMPTS
        return failure is Reason.DNS_NOT_FOUND or self._failures >= ATTEMPTS

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
            waited=self.waited,
            answered=self._has_answered,
        )

    def _cause_of_rest(self) -> str:
        if self._failures or self._robots_attempts:
            return "unreachable"
        return "put off" if self._is_put_off else "retry-after"

    def news(self, now: float) -> HostState | None:
        """The state, if it is worth remembering since it was last given; None = it says nothing new."""
        news, slowness = self._news(), self._slowness
        if news == self._noted and _is_near(slowness, self._noted_slowness) and self.due <= now:
            return None
        self._noted, self._noted_slowness = news, slowness
        return self.state(now)

    def _news(self) -> tuple[object, ...]:
        return self._window, self._penalty, self._failures, self._robots_attempts, self.down, round(self.waited)

    def __repr__(self) -> str:
        delay, cause = self._longest()
        return f"<Pace {delay:.3g} s ({cause}), {self.limit} at once{f', down: {self.down}' if self.down else ''}>"


def _of(rests: tuple[float, ...], number: int) -> float:
    """The rest after so many attempts."""
    return rests[min(number, len(rests)) - 1]


def _is_near(slowness: float, noted: float) -> bool:
    return noted / _NEWS <= slowness <= noted * _NEWS
