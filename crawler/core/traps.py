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

from crawler.core.reasons import Reason
from crawler.core.urls import Url

MOST_CHARACTERS = 2083  # as Scrapy; it was Internet Explorer's limit, so sites kept to it
MOST_SEGMENTS = 20  # as Heritrix
MOST_PARAMETERS = 20  # library catalogues and portals have a dozen
# Heritrix refuses the 3rd in a row, Nutch the 3rd with a name between; below /django/django/blob/main/ are more.
MOST_REPEATS = 5

MOST_PERMUTATIONS = 3  # a form, a list and a menu may each have an order of their own
MOST_SESSIONS = 5  # a session may end and begin anew while a site is crawled
MOST_QUERIES = 100_000  # everything of a small forum is a query of one path
MOST_DATES = 100_000  # a page for each day since 1750
FAR_FUTURE = 2  # years; few events are announced earlier
FAR_FUTURE_WEIGHT = 200  # so a calendar that never ends is closed after 500 days or months of the far future
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
    if query.count("&") >= MOST_PARAMETERS:
        return Reason.TRAP_QUERY_PARAMETERS
    if slashes > MOST_REPEATS and _has_repeats(path):
        return Reason.TRAP_REPEATED_SEGMENTS
    return None


def _has_repeats(path: str) -> bool:
    """True when a name stands in the path too often; numbers may, since trees of numbered folders are real."""
    segments = path[1:].split("/")
    names = set(segments)
    if len(segments) - len(names) < MOST_REPEATS:
        return False
    return any(segments.count(name) > MOST_REPEATS for name in names if not name.isdigit())


def families(url: Url, this_year: int) -> tuple[Family, ...]:
    """The families of its host that a found URL belongs to; the first is that of all its URLs.

    Args:
        url: any but a seed.
        this_year: four digits, from the caller's clock; what lies far ahead of it makes a calendar.
    """
    target = url.target
    path, mark, query = target.partition("?")
    found = [_HOST]
    if "=" in target or "(S(" in target:
        found += _sessions(target)
    if mark:
        found += _queries(path, query)
    found += _calendars(path, query, this_year)
    return tuple(found)


def _family(reason: Reason, limit: int, text: str, weight: int = 1) -> Family:
    return Family(blake2b(f"{reason} {text}".encode("ascii"), digest_size=16).digest(), weight, limit, reason)


# --- the same page under ever different sessions ------------------------------------------------------------------

# The names that frameworks give (PHP, Java, ASP, ColdFusion, osCommerce, Zen Cart, xt:Commerce) say enough. The names
# that people give (`sid` is a story, a station or a session) need a value that looks drawn: both letters and digits.
_SESSION = re.compile(
    r"(?<=[?&;/])(?:"
    r"(?:phpsessid|jsessionid|aspsessionid[a-z]*|cfid|cftoken|oscsid|zenid|xtcsid)=[^&;/?]*"
    r"|(?:s|sid|sess|sessid|session|session[_-]?id)="
    r"(?:(?=\d*[a-f])(?=[a-f]*\d)[\da-f]{8,}|(?=[a-z_-]*\d)[\w-]{16,})(?![^&;/?])"
    r"|\(s\(\w+\)\))",
    re.IGNORECASE | re.ASCII,
)


def _sessions(target: str) -> list[Family]:
    page, count = _SESSION.subn("", target)
    return [_family(Reason.TRAP_SESSION_ID, MOST_SESSIONS, page)] if count else []


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
_QUERY_DATE = re.compile(
    r"(?:year|yyyy)=(\d{4,9})(?!\d)|(?:date|day|month|week)=(\d{4})-?w?\d\d|=(\d{4})-\d\d-\d\d(?!\d)",
    re.IGNORECASE | re.ASCII,
)


def _calendars(path: str, query: str, this_year: int) -> list[Family]:
    """The family of a URL's date: of all dates in that place; none, if it has no date, or a text of a known time."""
    place, year, is_bare = _dated(path, query)
    if year > this_year + FAR_FUTURE:
        return [_family(Reason.TRAP_CALENDAR, MOST_DATES, place, FAR_FUTURE_WEIGHT)]
    return [_family(Reason.TRAP_CALENDAR, MOST_DATES, place)] if is_bare else []


def _dated(path: str, query: str) -> tuple[str, int, bool]:
    """Where the URL has its date, the year (0 = no date), and whether it names nothing but the date."""
    if query and (match := _QUERY_DATE.search(query)):
        return f"{path}?", int(match[1] or match[2] or match[3]), True
    for match in _PATH_DATE.finditer(path):
        if _is_date(match, path):
            return path[: match.start()], int(match[1]), path[match.end() :] in {"", "/"}
    return "", 0, False


def _is_date(match: re.Match[str], path: str) -> bool:
    """True for 2031/05/12, below a calendar for 2031/5 too, below events for 2031-05.

    /4512/12 is page 12 of a thread, and /event/4512/2 another page of an event.
    """
    month, day = match[3], match[4]
    if not (1 <= int(month) <= 12 and (day is None or 1 <= int(day) <= 31)):
        return False
    if day is not None and len(month) == len(day) == 2:
        return True
    words = (*_CALENDARS, "event") if match[2] == "-" else _CALENDARS
    return any(word in path[: match.start()].lower() for word in words)
