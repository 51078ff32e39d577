"""Outcomes of requests, told to a throttle."""

from crawler.core.reasons import Reason
from crawler.core.throttle import Heard, HostThrottle, ThrottleBounds

PUBLIC = ThrottleBounds(per_host=4, delay=0.5, heeds_latency=True)
LOOPBACK = ThrottleBounds(per_host=64, delay=0.0, cause="loopback")


def answer(
    pace: HostThrottle,
    now: float,
    status: int = 200,
    *,
    asked_at: float | None = None,
    latency: float | None = None,
    retry_after: float | None = None,
) -> None:
    """A request is sent and answered at the same moment, unless `asked_at` says otherwise."""
    sent_at = now if asked_at is None else asked_at
    pace.hear(Heard(asked_at=sent_at, status=status, latency=latency, retry_after=retry_after), now, 0.5)


def fail(
    pace: HostThrottle, now: float, reason: Reason = Reason.CONNECT_REFUSED, *, asked_at: float | None = None
) -> None:
    """A request is sent and brings no answer."""
    pace.hear(Heard(asked_at=now if asked_at is None else asked_at, failure=reason), now, 0.0)


def miss(
    pace: HostThrottle,
    now: float,
    reason: Reason = Reason.ROBOTS_UNREACHABLE,
    *,
    rest: float | None = None,
    attempts: int = 4,
) -> None:
    """Its robots.txt is asked for, and cannot be had."""
    pace.miss_robots(Heard(asked_at=now, failure=reason, retry_after=rest), now, 0.0, attempts=attempts)


def cause(pace: HostThrottle, now: float = 0.0) -> str | None:
    """The word for what decides the pace."""
    return pace.state(now).cause
