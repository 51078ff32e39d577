"""The times of access logs, HAR files and runs, in nanoseconds since 1970.

Rules
- Known are the time of the common log format (`10/Oct/2000:13:55:36 -0700`), ISO 8601 as RFC 3339 profiles it, and
  numbers since 1970. The size of a number tells its unit: seconds, milliseconds, microseconds or nanoseconds.
- A time without a zone is UTC: only differences count.
- Any other text is no time, which matters to a replay alone. Neither is a year before 1970 or after 2261: nanoseconds
  of those do not fit the 64 bits in which a replay keeps them, and no server logged them.
Runs on: anywhere (pure).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from crawler.load.nanoseconds import SECOND

_MONTHS = {
    name: f"{number:02d}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_COMMON = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?: ([+-]\d\d:?\d\d))?")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s*([Zz]|[+-]\d\d:?\d\d|)")
_NUMBER = re.compile(r"(\d{9,19})(?:\.(\d{1,9})\d*)?")
_END = (2**63 // SECOND) * SECOND  # so that a fraction of a second can still be added
_UNITS = ((10**11, SECOND), (10**14, SECOND // 1000), (10**17, SECOND // 1_000_000))


def moment_of(value: object) -> int | None:
    """Return the moment that a value of a log stands for; None = it is no time."""
    if isinstance(value, str):
        return _of_text(value)
    return within(_of_number(repr(value))) if isinstance(value, int | float) else None


def within(moment: int | None) -> int | None:
    """Return a moment; None = it is none, or none that a replay can keep."""
    return moment if moment is not None and 0 <= moment < _END else None


@lru_cache(maxsize=1024)  # hundreds of lines have the same
def _of_text(text: str) -> int | None:
    if found := _ISO.fullmatch(text):
        return within(_joined(found[1], found[2], found[4], found[3]))
    if found := _COMMON.fullmatch(text):
        return within(_joined(f"{found[3]}-{_MONTHS.get(found[2], '00')}-{found[1]}", found[4], found[6], found[5]))
    return within(_of_number(text))


def _joined(day: str, time: str, zone: str | None, fraction: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{(zone or 'Z').upper()}")
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * SECOND + int((fraction or "0").ljust(9, "0"))


def _of_number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    number = int(found[1])
    unit = next((unit for limit, unit in _UNITS if number < limit), 1)
    return number * unit + int((found[2] or "0").ljust(9, "0")) * unit // SECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
