"""Dates in URLs: which stand there, what else tells the URL from its neighbours, and whether a calendar has no end.

Rules
- A calendar without end is told by the number of different dates in one place, not by the number of its URLs. So URLs
  are counted together if the date is all that differs: `/list?year=2031&id=7` is one of the dates of `/list?id=7`.
- A text beside its date in the path, as in `/2031/05/12/a-title`, is a page. Many such can be real, so each counts
  little; and old ones not at all.
- The years that an archive may have, and the next two, count nothing. The years of other calendars in use are read as
  theirs: 2569 is 2026 to Buddhists.
Runs on: anywhere (pure).
"""

import re
from typing import NamedTuple

ARCHIVE = 20  # years; the days of so many are bounded by themselves, and real pages may hang from each
MOST_DATES = 100_000  # older ones: a page for each day since 1750
FAR_FUTURE = 2  # years; few events are announced earlier
FAR_MONTH_WEIGHT = 200  # so a calendar that never ends is closed after 500 months of the far future, or years
FAR_DAY_WEIGHT = 20  # after 5,000 days, 13 years: almanacs of ten are real
FAR_NUMBERS_WEIGHT = 100  # where the date is guessed from two numbers
FAR_PAGE_WEIGHT = 2  # a site of 50,000 pages may have a far date on each: bonds, statutes, forecasts

_ERAS = ((57, ARCHIVE), (543, 100), (2333, ARCHIVE), (3761, 100))  # Vikram Samvat, Buddhist, Dangi, Hebrew; years back


class Date(NamedTuple):
    """The date of a URL.

    Attributes:
        place: the rest of the URL, as far as dates in one place share it.
        far_weight: how much it counts in the far future.
        is_bare: the URL names nothing but the date and the place.
    """

    place: str
    year: int
    far_weight: int
    is_bare: bool = True

    def weight(self, this_year: int) -> int:
        """Return how much the URL counts among the `MOST_DATES` of its place; 0 = not at all."""
        ahead = self.year - this_year
        if ahead > FAR_FUTURE:  # unless it is a present or past year of another calendar
            ahead = next((ahead - era for era, back in _ERAS if -back <= ahead - era <= FAR_FUTURE), ahead)
        if ahead > FAR_FUTURE:
            return self.far_weight if self.is_bare else FAR_PAGE_WEIGHT
        return int(self.is_bare and ahead < -ARCHIVE)


# --- in the usual spellings -----------------------------------------------------------------------------------------

_MONTHS = r"(?:0[1-9]|1[0-2])"
_DAYS = r"(?:0[1-9]|[12]\d|3[01])"
_DATE_NAME = r"date(?<!candidate)(?<!mandate)(?<!update)(?<!validate)"
_DAY_NAME = r"day(?<!holiday)(?<!birthday)(?<!workday)"
_CUT = r"(?:[-./]|%2F)"
# Names as in candidate=203112 have numbers. Without a name, only a date of these centuries is one. Digits behind a year
# are its month's, or another year of a season.
_QUERY_DATE = re.compile(
    r"(?:year|yyyy|jahr)=(?P<year>\d{4})(?:\d\d|\d{4})?(?!\d)"
    rf"|(?:{_DATE_NAME}|{_DAY_NAME}|month)=(?P<day>\d{{4}})(?:-?{_MONTHS}-?{_DAYS}|-\d\d?-\d\d?)(?!\d)"
    rf"|(?:{_DATE_NAME})=\d\d?{_CUT}\d\d?{_CUT}(?P<last>\d{{4}})(?!\d)"
    rf"|(?:{_DATE_NAME}|month)=(?P<month>\d{{4}})(?:-?{_MONTHS}|-\d)(?![\d-])"
    r"|week=(?P<week>\d{4})-?w?(?:0[1-9]|[1-4]\d|5[0-3])(?!\d)"
    rf"|=(?P<alone>(?:1\d|2[01])\d\d)-{_MONTHS}-{_DAYS}(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_DAY = re.compile(r"(?:^|[&;_-])(?:day|dd?|tag)=\d\d?(?!\d)", re.IGNORECASE | re.ASCII)
# Parameters that say a date or a part of one, by their names or by their values.
_PARTS = re.compile(
    rf"(?:(?<=^)|(?<=[&;]))(?:[^=&;]*(?:year|yyyy|jahr|month|monat|week|tag|{_DATE_NAME}|{_DAY_NAME})=[\d.w-]{{0,10}}"
    r"|(?:[ymdw]|mm|dd|yy|kw)=\d{0,4}"
    rf"|[^=&;]*=(?:\d{{4}}-\d\d?(?:-\d\d?)?(?:T[^&;]*)?|\d\d?{_CUT}\d\d?{_CUT}\d{{4}}))(?=[&;]|$)",
    re.IGNORECASE | re.ASCII,
)
_PATH_DATE = re.compile(r"(?<!\d)(\d{4})([/-])(\d\d?)(?:\2(\d\d?))?(?!\d)", re.ASCII)
_LAST_YEAR = 2199  # of a date that no calendar is around: beyond, four digits are the number of a part or a folder
_CALENDAR = re.compile(
    r"(?<=[/_.-])(?:[a-z]*(?:calend(?!ul)|kalend)[a-z]*|kalenteri|takvim|termine|agenda|cal)(?![a-z])"
    r"|(?<=/)month(?:s|ly)?(?=/|$)"
)


def date_in(path: str, query: str) -> Date | None:
    """Return the date of a URL's path and query; None = it has none."""
    if query and (match := _QUERY_DATE.search(query)):
        kind = match.lastgroup or ""
        is_day = kind in {"day", "last", "alone"} or _DAY.search(query)
        weight = FAR_DAY_WEIGHT if is_day else FAR_MONTH_WEIGHT
        return Date(_place(path, query), int(match[kind]), weight)
    for match in _PATH_DATE.finditer(path):
        if _is_date(match, path):
            weight = FAR_MONTH_WEIGHT if match[4] is None else FAR_DAY_WEIGHT
            is_bare = path[match.end() :] in {"", "/"}
            return Date(_place(path[: match.start()], query), int(match[1]), weight, is_bare)
    calendar = _CALENDAR.search(path.lower())
    return _spelled(path, query, calendar.end()) if calendar else None


def _place(path: str, query: str) -> str:
    """Return the rest of a URL, as far as dates in one place share it."""
    return f"{path}?{_PARTS.sub('', query)}" if query else path


def _is_date(match: re.Match[str], path: str) -> bool:
    """Return True for 2031/05/12, below a calendar for 2031/5 too, below events for 2031-05.

    /4512/12 is page 12 of a thread, /event/4512/2 another page of an event, /part/4512-12-24 a part, and
    /agenda-2030/12 a chapter.
    """
    cut, month, day = match[2], match[3], match[4]
    if not (1 <= int(month) <= 12 and (day is None or 1 <= int(day) <= 31)):
        return False
    if day is not None and len(month) == len(day) == 2 and int(match[1]) <= _LAST_YEAR:
        return True
    before = path[: match.start()].lower()
    if cut == "-":
        return "event" in before or _CALENDAR.search(before) is not None
    return before.endswith("/") and _CALENDAR.search(before) is not None


# --- in other spellings, below a calendar ---------------------------------------------------------------------------

# No other centuries: below a calendar, too, a number may be an event's. Eight digits in a row are one all too often.
_YEAR = r"(?:19|20|21)\d\d"
_UNIT = r"(?:k?w?\d\d?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
_SEGMENT = re.compile(rf"(?:\d\d?[-._])?{_UNIT}[-._]({_YEAR})|({_YEAR})[-._]{_UNIT}", re.IGNORECASE | re.ASCII)
_YEAR_ALONE = re.compile(_YEAR, re.ASCII)
_UNIT_ALONE = re.compile(_UNIT, re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(rf"{_UNIT}|{_YEAR}", re.IGNORECASE | re.ASCII)
_YEAR_PAIR = re.compile(rf"(?:^|[&;])(?:y|yr|year|yyyy|j|jahr|a|annee|anno|ano)=({_YEAR})(?=[&;]|$)", re.ASCII)
_UNIT_PAIR = re.compile(rf"(?:^|[&;])(?:m|mo|mm|mon|monat|mois|mes|d|dd|tag|w|kw)={_UNIT}(?=[&;]|$)", re.ASCII)
_PAIR = re.compile(rf"(?:^|[&;])\w+=(?:({_YEAR})-\d\d?|(?:\d\d?{_CUT}){{1,2}}({_YEAR}))(?=[&;]|$)", re.ASCII)


def _spelled(path: str, query: str, end: int) -> Date | None:
    """Return the date that a year and a month, week or day make: 5/2031, 24.11.2031, 2031/w48, may-2031, y=2031&m=5.

    `end` is where the calendar's name ends in the path. The year stands for itself: /agenda-2030/ods-13 has none.
    """
    if query and (found := _spelled_in_query(query)):
        return Date(_place(path, query), int(found), FAR_NUMBERS_WEIGHT)
    own, *segments = path[end:].removesuffix("/").split("/")
    if match := _SEGMENT.fullmatch(own.strip("-_.")):
        return Date(_place(path[:end], query), int(match[1] or match[2]), FAR_NUMBERS_WEIGHT, not segments)
    for at, segment in enumerate(segments):
        rest = segments[at + 1 :]
        if year := _spelled_in(segment, rest, query):
            place = _place("/".join([path[:end], *segments[:at]]), query)
            return Date(place, int(year), FAR_NUMBERS_WEIGHT, all(map(_NUMBER.fullmatch, rest[:2])) and not rest[2:])
    return None


def _spelled_in_query(query: str) -> str | None:
    if match := _PAIR.search(query):
        return match[1] or match[2]
    match = _YEAR_PAIR.search(query)
    return match[1] if match and _UNIT_PAIR.search(query) else None


def _spelled_in(segment: str, rest: list[str], query: str) -> str | None:
    """Return the year of the date that begins with this segment of a path, whose `rest` follows."""
    if match := _SEGMENT.fullmatch(segment):
        return match[1] or match[2]
    beside = rest[0] if rest else ""
    if _YEAR_ALONE.fullmatch(segment):
        return segment if _UNIT_ALONE.fullmatch(beside) or _UNIT_PAIR.search(query) else None
    return beside if _UNIT_ALONE.fullmatch(segment) and _YEAR_ALONE.fullmatch(beside) else None
