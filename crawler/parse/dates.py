"""The dates of sitemaps and feeds, as dates of RFC 3339.

Rules
- Sitemaps and Atom write W3C datetimes, RSS writes dates of RFC 822, and some sites swap the two.
- A day stays a day; a moment is converted to UTC. A moment without a zone is UTC (RFC 5322).
- A month or a year alone is no date, because it names no day.
- `email.utils` would read RFC 822, but it imports `socket`, which a worker process does not need.
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
# Hours from UTC; other names are UTC.
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}


def as_rfc_3339(text: str) -> str | None:
    """Return the date that a text holds; None = it holds none."""
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
    clock = int(found[4]), int(found[5]), min(59, int(found[6] or 0))  # datetime knows no leap second
    zone = found[7] or ""
    is_number = zone[:1] in {"+", "-"}
    minutes = int(zone[:3]) * 60 + int(zone[0] + zone[3:]) if is_number else _ZONES.get(zone.lower(), 0) * 60
    return datetime(year, month, int(found[1]), *clock, tzinfo=timezone(timedelta(minutes=minutes)))
