"""A date as sitemaps and feeds write it becomes one of RFC 3339, or nothing.

Rules
- Sitemaps and Atom write W3C datetimes, RSS dates of RFC 822, and some either in the other's place.
- A day stays a day, a moment is in UTC. One without a zone is taken for UTC, as RFC 5322 has it. A month or a year
  alone is no date: nobody knows which day it means.
Runs on: anywhere (pure).
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

_LONGEST = 64
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_W3C = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.IGNORECASE | re.ASCII)
_RFC_822 = re.compile(
    r"(?:[a-z]{3,9},?\s+)?(\d{1,2})\s+([a-z]{3})[a-z]*\s+(\d{4}|\d\d)\s+(\d\d):(\d\d)(?::(\d\d))?(?:\s+([+-]\d{4}|[a-z]+))?",
    re.IGNORECASE | re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = {
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}  # hours; others are UTC


def as_rfc_3339(text: str) -> str | None:
    """The date that a text is; None = it is none."""
    written = text.strip()
    if len(written) > _LONGEST:
        return None
    try:
        if _DAY.fullmatch(written):
            return date.fromisoformat(written).isoformat()
        at = datetime.fromisoformat(written.upper()) if _W3C.fullmatch(written) else _of_rfc_822(written)
        if at is None:
            return None
        utc = at.astimezone(UTC) if at.tzinfo else at
    except (ValueError, OverflowError):
        return None
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _of_rfc_822(written: str) -> datetime | None:
    found = _RFC_822.fullmatch(written)
    if found is None or found[2].lower() not in _MONTHS:
        return None
    year = int(found[3])
    if len(found[3]) == 2:  # RFC 5322, 4.3
        year += 2000 if year < 50 else 1900
    month = _MONTHS.index(found[2].lower()) + 1
    clock = int(found[4]), int(found[5]), min(59, int(found[6] or 0))  # a leap second is none to datetime
    return datetime(year, month, int(found[1]), *clock, tzinfo=_zone(found[7] or ""))


def _zone(text: str) -> timezone:
    if text[:1] in {"+", "-"}:
        offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
        return timezone(-offset if text[0] == "-" else offset)
    return timezone(timedelta(hours=_ZONES.get(text.lower(), 0)))
