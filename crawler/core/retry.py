"""When a failed request may be tried again: back-off, and the server's own wish.

Rules
- Exponential with full jitter, so that clients that failed together do not come back together.
- Retry-After wins where it is longer; a day or an eternity is cut to an hour.
- Numbers are read by bounded patterns: a header of 5000 digits is no number.
Runs on: anywhere (pure); `now` is wall-clock seconds since 1970, `jitter` a random number in [0, 1).
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_RETRY_AFTER = 3600.0

_BASE = 1.0
_CAP = 60.0
_SECONDS = re.compile(r"[0-9]{1,10}")
_LONGEST_DATE = 40  # "Wednesday, 09-Nov-94 08:49:37 GMT" has 33 characters (RFC 9110, 5.6.7)


def backoff(attempt: int, jitter: float, *, base: float = _BASE, cap: float = _CAP) -> float:
    """Seconds to wait after `attempt` earlier tries and one more failed: up to base, 2 base, 4 base, ... cap."""
    return jitter * min(cap, base * 2.0 ** min(attempt, 62))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3), within an hour; None = it says nothing readable."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    if not text or len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment.timestamp() - now, 0.0), MAX_RETRY_AFTER)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def delay(attempt: int, jitter: float, retry_after: float | None = None) -> float:
    """Seconds until the next try: the back-off, or what the server asked for if that is longer."""
    return max(backoff(attempt, jitter), retry_after or 0.0)
