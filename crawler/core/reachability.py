"""The failures to reach one host: exponential backoff between attempts, and the decision to give the host up.

Rules
- Failures to reach a host are of three kinds, and each has its number of attempts until the host is given up (`down`).
  A name that does not exist gives it up at once. A refusal is repeated after 1, 3 and 6 s. Silence is repeated after
  5 and then 10 s, as long as the next attempt can end within a minute of the beginning of the first.
- A host that has answered before is given more time: refusals give it up when the next attempt would come after 30 s,
  and connections that do not come about after two attempts at the earliest.
- Attempts that began before the last failure ended are ignored: a burst of failures counts once.
- A silent page of a host that has answered is blamed itself, and the host is asked as before. The host is given up when
  SILENT_PAGES of them, each asked for the first time, were silent with no answer in between.
- A robots.txt that is unavailable though the host answers gives it up after ROBOTS_ATTEMPTS attempts.
Runs on: anywhere (pure). Moments are monotonic seconds; jitter is chance in [0, 1).
"""

from crawler.core.leases_and_commits import HostState
from crawler.core.reasons import Reason

ROBOTS_ATTEMPTS = 4
ATTEMPTS = 4  # that are refused, of a host that has never answered
PATIENCE = 30.0  # seconds of refusals, of a host that has answered: a restart takes less
MINUTE = 60.0  # seconds that silence may take in all
SILENT_PAGES = 20  # in a row, of a host that has answered

SILENCES = frozenset(
    {Reason.CONNECT_TIMEOUT, Reason.DNS_TIMEOUT, Reason.FIRST_BYTE_TIMEOUT, Reason.TOTAL_TIMEOUT, Reason.IDLE_TIMEOUT}
)
_RESTS = (1.0, 3.0, 6.0)  # seconds between attempts; the last from then on
_LONG_RESTS = (5.0, 10.0)  # after silence


class Reachability:
    """The attempts to reach one host, from the `state` that an earlier lease or life left.

    `ahead` is the monotonic clock minus the wall clock, on which a stored state lies.

    Attributes:
        down: why the host was given up; None = it was not.
        failures: attempts to reach it that failed in a row.
        failing_since: the beginning of the first of them.
        robots_attempts: attempts to get its robots.txt that failed in a row.
        has_answered: it has answered, if only for its robots.txt.
        is_reached: connections to it come about.
    """

    def __init__(self, state: HostState, ahead: float) -> None:
        self.down = state.down
        self.failures = state.failures
        self.failing_since = None if state.failing_since is None else state.failing_since + ahead
        self.robots_attempts = state.robots_attempts
        self.has_answered = state.answered
        self.is_reached = not self.failures
        self._failed_at = self._answered_at = -1.0
        self._silent_pages = 0  # since the last answer

    def forgive(self) -> None:
        """Forget the failures, as a connection came about."""
        self.failures = self.robots_attempts = 0
        self.failing_since = None
        self.is_reached = True

    def answer(self, now: float) -> None:
        """Note an answer of the host: earlier failures count no longer."""
        self.forgive()
        self.has_answered = True
        self._answered_at = now
        self._silent_pages = 0

    def fail(self, failure: Reason, asked_at: float, now: float, jitter: float, *, attempts: int = ATTEMPTS) -> float:
        """Count a failure to reach the host; return the seconds to rest, 0 if it is given up or was counted before."""
        if asked_at < self._failed_at:
            return 0.0
        self._failed_at = now
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = asked_at
        is_silent = failure in SILENCES
        rest = _of(_LONG_RESTS if is_silent else _RESTS, self.failures) * (1 + jitter / 4)
        took = now - asked_at if is_silent else 0.0
        if self._is_over(failure, now + rest + took - self.failing_since, attempts):
            self.down = failure
            return 0.0
        return rest

    def _is_over(self, failure: Reason, until: float, attempts: int) -> bool:
        """Return whether no further attempt is made, which would end `until` seconds after the first one began."""
        if self.failures >= attempts and attempts < ATTEMPTS:
            return True  # the user wants fewer
        if failure in SILENCES:
            is_late = until > MINUTE or self.failures >= ATTEMPTS
            return is_late and (self.failures > 1 or not self.has_answered)
        if self.has_answered:
            return until > PATIENCE and self.failures >= ATTEMPTS
        return failure is Reason.DNS_NOT_FOUND or self.failures >= ATTEMPTS

    def miss_page(self, failure: Reason, asked_at: float) -> None:
        """Count a silent page of a host that has answered, unless an answer came since it was asked for."""
        if self._answered_at <= asked_at:
            self._silent_pages += 1
            if self._silent_pages >= SILENT_PAGES:
                self.down = failure

    def miss_robots(self, failure: Reason, attempts: int) -> float:
        """Count an unavailable robots.txt; return the seconds to rest, 0 if the host is given up."""
        self.robots_attempts += 1
        if self.robots_attempts >= attempts:
            self.down = failure
            return 0.0
        return _of(_RESTS, self.robots_attempts)


def _of(rests: tuple[float, ...], number: int) -> float:
    """Return the rest after so many attempts."""
    return rests[min(number, len(rests)) - 1]
