"""The delay before a retry: exponential backoff with full jitter, or the Retry-After of the server.

Rules
- Jitter spreads the retries of clients that failed together.
- Retry-After wins where it is longer; more than an hour is cut to an hour.
- Numbers are read by bounded patterns: a header of 5000 digits is no number.
Runs on: anywhere (pure); `now` is wall-clock seconds since 1970, `jitter` a random number in [0, 1).
"""

import re
from datetime import UTC

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_RETRY_AFTER = 3600.0

_BASE = 1.0
_CAP = 60.0
_SECONDS = re.compile(r"[0-9]{1,10}")
_LONGEST_DATE = 40  # "Wednesday, 09-Nov-94 08:49:37 GMT" has 33 characters (RFC 9110, 5.6.7)


def backoff(attempt: int, jitter: float, *, base: float = _BASE, cap: float = _CAP) -> float:
    """Return the seconds to wait after `attempt` + 1 failed tries: up to base, 2 base, 4 base, ... cap."""
    return jitter * min(cap, base * 2.0 ** min(attempt, 62))


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3), at most an hour; None = it is unreadable."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    if not text or len(text) > _LONGEST_DATE:
        return None
    # Few answers have a date here, and importing the package of e-mail takes 3 ms of every start.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment.timestamp() - now, 0.0), MAX_RETRY_AFTER)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def delay(attempt: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the seconds until the next try: the backoff, or the server's Retry-After if that is longer."""
    return max(backoff(attempt, jitter), retry_after or 0.0)
