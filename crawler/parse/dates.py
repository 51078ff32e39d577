"""The dates of sitemaps and feeds, as dates of RFC 3339.

Rules
- Sitemaps and Atom write W3C datetimes, RSS writes dates of RFC 822, and some sites swap the two.
- A day stays a day; a moment is converted to UTC. A moment without a zone, or with an unknown one, is UTC (RFC 5322).
- A month or a year alone is no date, because it names no day.
Runs on: anywhere (pure).
"""

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 64
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_W3C = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.IGNORECASE | re.ASCII)
_LEAP_SECOND = re.compile(r"(?<=\d:\d\d:)[6-9]\d(?!\S)", re.ASCII)  # datetime knows none
_LONG_NAME = re.compile(r"(?<=[a-z]{3})[a-z]+", re.IGNORECASE | re.ASCII)  # Wednesday, Sept


def as_rfc_3339(text: str) -> str | None:
    """Return the date that a text holds; None = it holds none."""
    written = text.strip()
    if len(written) > _LONGEST:
        return None
    try:
        if _DAY.fullmatch(written):
            return date.fromisoformat(written).isoformat()
        if _W3C.fullmatch(written):
            at = datetime.fromisoformat(written.upper())
        else:
            at = parsedate_to_datetime(_LEAP_SECOND.sub("59", _LONG_NAME.sub("", written)))
        utc = at.astimezone(UTC) if at.tzinfo else at
    except (ValueError, OverflowError):
        return None
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
