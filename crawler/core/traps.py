"""Which URLs look like those of a site without end: refused by their shape, or when too many of their family are found.

Rules
- A trap is refused with its own reason; no URL is ever rewritten or merged with another.
- Only what links and redirects lead to is judged. What the user lists is fetched, and moves no counter.
- `refusal` needs the URL alone. `families` names the counters that a URL moves; whoever stores them, per host, refuses
  a new URL if one of its families would pass its limit, and then moves none of them.
- No limit touches a real site of 50,000 pages, and traps end by themselves (tests/core/test_traps_real.py shows both).
  A maze of random names is told from a large site by its size alone, so it ends where the family of its host does.
Runs on: anywhere (pure).
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from crawler.core.reasons import Reason
from crawler.core.sessions import Document, in_session
from crawler.core.urls import Url

MOST_CHARACTERS = 2083  # as Scrapy; it was Internet Explorer's limit, so sites kept to it
MOST_SEGMENTS = 20  # as Heritrix
MOST_PARAMETERS = 20  # with a value, as forms send all their fields; library catalogues and portals have a dozen
# Heritrix refuses the 3rd in a row, Nutch the 3rd with a name between; below /django/django/blob/main/ are more.
MOST_REPEATS = 5

MOST_PERMUTATIONS = 3  # a form, a list and a menu may each have an order of their own
MOST_SESSIONS = 5  # a session may end and begin anew while a site is crawled
MOST_QUERIES = 100_000  # everything of a small forum is a query of one path
ARCHIVE = 20  # years; the days of so many are bounded by themselves, and real pages may hang from each
MOST_DATES = 100_000  # older ones: a page for each day since 1750
FAR_FUTURE = 2  # years; few events are announced earlier
FAR_FUTURE_WEIGHT = 200  # so a calendar that never ends is closed after 500 days or months of the far future
FAR_NUMBERS_WEIGHT = 100  # where the date is guessed from two numbers: 170 events may have such a one, and 5 pages each
MOST_URLS = 250_000  # of one host, found by links; trafilatura stops at 100,000 and Algolia at 1,000,000


@dataclass(frozen=True, slots=True)
class Family:
    """URLs of one host that grow together.

    Attributes:
        key: 16 bytes, or none for the family of all; two hosts have the same keys.
        weight: how much one URL counts.
        limit: the most that the weights of all may sum up to.
    """

    key: bytes
    weight: int
    limit: int
    reason: Reason


_HOST = Family(b"", 1, MOST_URLS, Reason.TRAP_HOST_SIZE)


def refusal(url: Url) -> Reason | None:
    """The trap that a found URL's shape alone shows; None = it has an ordinary shape."""
    if len(url.href) > MOST_CHARACTERS:
        return Reason.TRAP_URL_LENGTH
    path, _, query = url.target.partition("?")
    slashes = path.count("/")
    if slashes > MOST_SEGMENTS:
        return Reason.TRAP_PATH_DEPTH
    if query.count("&") >= MOST_PARAMETERS and _has_parameters(query):
        return Reason.TRAP_QUERY_PARAMETERS
    if slashes > MOST_REPEATS and _has_repeats(path):
        return Reason.TRAP_REPEATED_SEGMENTS
    return None


def _has_parameters(query: str) -> bool:
    """True when too many of its parameters have a value."""
    return sum(not pair.endswith("=") for pair in query.split("&") if pair) > MOST_PARAMETERS


def _has_repeats(path: str) -> bool:
    """True when a name stands in the path too often; numbers may, since trees of numbered folders are real."""
    segments = path[1:].split("/")
    names = set(segments)
    if len(segments) - len(names) < MOST_REPEATS:
        return False
    return any(segments.count(name) > MOST_REPEATS for name in names if not name.isdigit())


def families(url: Url, this_year: int, document: Document | None = None) -> tuple[Family, ...]:
    """The families of its host that a found URL belongs to; the first is that of all its URLs.

    Args:
        url: any but a seed.
        this_year: four digits, from the caller's clock; what lies far ahead of it makes a calendar.
        document: links to it, and may show that an id is no session's; None = there is no such evidence.
    """
    target = url.target
    path, mark, query = target.partition("?")
    found = [_HOST]
    if "=" in target or "(S(" in target:
        found += _sessions(url, document)
    if mark:
        found += _queries(path, query)
    found += _calendars(path, query, this_year)
    return tuple(found)


def _family(reason: Reason, limit: int, text: str, weight: int = 1) -> Family:
    return Family(blake2b(f"{reason} {text}".encode("ascii"), digest_size=16).digest(), weight, limit, reason)


# --- the same page under ever different sessions ------------------------------------------------------------------


def _sessions(url: Url, document: Document | None) -> list[Family]:
    found = in_session(url.target)
    if found is None or (found.values and document and document.tells_apart(url.host_port, found.page)):
        return []
    return [_family(Reason.TRAP_SESSION_ID, MOST_SESSIONS, found.page)]


# --- one path, ever other queries ---------------------------------------------------------------------------------


def _queries(path: str, query: str) -> list[Family]:
    found = [_family(Reason.TRAP_QUERY_VARIANTS, MOST_QUERIES, path)]
    pairs = query.split("&")
    if len(pairs) > 2:  # two have two orders, which is no trap, and most queries are spared a counter of their own
        page = f"{path}?{'&'.join(sorted(pairs))}"
        found.append(_family(Reason.TRAP_QUERY_PERMUTATIONS, MOST_PERMUTATIONS, page))
    return found


# --- days and months without end ----------------------------------------------------------------------------------

_PATH_DATE = re.compile(r"(?<!\d)(\d{4})([/-])(\d\d?)(?:\2(\d\d?))?(?!\d)", re.ASCII)
_CALENDARS = ("calend", "kalend", "/cal/", "agenda", "month")
# Names as in candidate=203112 have numbers. Without a name, only what is a date of these centuries is one.
_QUERY_DATE = re.compile(
    r"(?:year|yyyy)=(\d{4,9})(?!\d)"
    r"|(?:date(?<!candidate)(?<!mandate)(?<!update)(?<!validate)|day(?<!holiday)(?<!birthday)|month|week)"
    r"=(\d{4})-?w?\d\d"
    r"|=((?:1\d|2[01])\d\d)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_LAST_YEAR = 2199  # of a date that no calendar is around: beyond, four digits are the number of a part or a folder


def _calendars(path: str, query: str, this_year: int) -> list[Family]:
    """The family of a URL's date: of all dates in that place that are old or far ahead.

    None, if it has no date, one of the years that an archive may be made of, or is a text of a known time.
    """
    date = _dated(path, query) or _spelled(path, query)
    if date is None:
        return []
    if date.year > this_year + FAR_FUTURE:
        return [_family(Reason.TRAP_CALENDAR, MOST_DATES, date.place, date.far_weight)]
    if date.is_bare and date.year < this_year - ARCHIVE:
        return [_family(Reason.TRAP_CALENDAR, MOST_DATES, date.place)]
    return []


class _Date(NamedTuple):
    """Where a URL has its date, the year, and whether it names nothing but the date."""

    place: str
    year: int
    is_bare: bool
    far_weight: int = FAR_FUTURE_WEIGHT


def _dated(path: str, query: str) -> _Date | None:
    if query and (match := _QUERY_DATE.search(query)):
        return _Date(f"{path}?", int(match[1] or match[2] or match[3]), is_bare=True)
    for match in _PATH_DATE.finditer(path):
        if _is_date(match, path):
            return _Date(path[: match.start()], int(match[1]), path[match.end() :] in {"", "/"})
    return None


def _is_date(match: re.Match[str], path: str) -> bool:
    """True for 2031/05/12, below a calendar for 2031/5 too, below events for 2031-05.

    /4512/12 is page 12 of a thread, /event/4512/2 another page of an event, and /part/4512-12-24 a part.
    """
    month, day = match[3], match[4]
    if not (1 <= int(month) <= 12 and (day is None or 1 <= int(day) <= 31)):
        return False
    if day is not None and len(month) == len(day) == 2 and int(match[1]) <= _LAST_YEAR:
        return True
    words = (*_CALENDARS, "event") if match[2] == "-" else _CALENDARS
    return any(word in path[: match.start()].lower() for word in words)


# No other centuries: below a calendar, too, a number may be an event's. Eight digits in a row are one all too often.
_YEAR = re.compile(r"(?<![\d%])(?:19|20|21)\d\d(?!\d)", re.ASCII)
_SHORT = re.compile(r"(?<![\d%])\d\d?(?!\d)", re.ASCII)


def _spelled(path: str, query: str) -> _Date | None:
    """The date that a year and a month, week or day make below a calendar: 5/2031, 24.11.2031, 2031/w48, y=2031&m=5."""
    lower = f"{path}/".lower()
    starts = [at for word in _CALENDARS if (at := lower.find(word)) >= 0]
    if not starts:
        return None
    rest = f"{path}?{query}"[min(starts) :]
    year = _YEAR.search(rest)
    if year is None or not _SHORT.search(rest):
        return None
    return _Date(path[: min(starts)], int(year[0]), is_bare=True, far_weight=FAR_NUMBERS_WEIGHT)
