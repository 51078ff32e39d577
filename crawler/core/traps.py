"""The URLs of sites without end: refused by their shape, or when too many URLs of their family are found.

Rules
- A trap is refused with its own reason; no URL is ever rewritten or merged with another.
- Only targets of links and redirects are judged. URLs that the user lists are fetched, and move no counter.
- `refusal` needs the URL alone. `families` names the counters that a URL moves; the frontier stores them, per host. It
  refuses a new URL if one of its families would pass its limit, and then moves none of them.
- No limit touches a real site of 50,000 pages, and traps end by themselves (tests/core/test_traps_real.py shows both).
  A maze of random names is told from a large site by its size alone, so it ends where the family of its host does.
Runs on: anywhere (pure).
"""

from hashlib import blake2b

import msgspec

from crawler.core.calendars import MOST_DATES, date_in
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
MOST_URLS = 250_000  # of one host, found by links; trafilatura stops at 100,000 and Algolia at 1,000,000


class Family(msgspec.Struct, frozen=True):
    """URLs of one host that grow together.

    Attributes:
        key: 16 bytes, or none for the family of all; two hosts have the same keys.
        weight: the count of one URL.
        limit: the most that the weights of all may sum up to.
    """

    key: bytes
    weight: int
    limit: int
    reason: Reason


_HOST = Family(b"", 1, MOST_URLS, Reason.TRAP_HOST_SIZE)


def refusal(url: Url) -> Reason | None:
    """Return the trap that a found URL's shape alone shows; None = it has an ordinary shape."""
    href = url.href
    if len(href) > MOST_CHARACTERS:
        return Reason.TRAP_URL_LENGTH
    # As nearly all URLs: neither deep nor with many parameters. Two slashes are the scheme's.
    if href.count("/") - 2 <= MOST_REPEATS and href.count("&") < MOST_PARAMETERS:
        return None
    path, _, query = url.target.partition("?")
    slashes = path.count("/")
    if slashes > MOST_SEGMENTS:
        return Reason.TRAP_PATH_DEPTH
    if query.count("&") >= MOST_PARAMETERS:
        # Parameters with a value; those of one name are one: a choice of many.
        names = {_name(pair) for pair in query.split("&") if pair and not pair.endswith("=")}
        if len(names) > MOST_PARAMETERS:
            return Reason.TRAP_QUERY_PARAMETERS
    if slashes > MOST_REPEATS:
        segments = path[1:].split("/")
        names = set(segments)
        # Numbers may stand in the path as often as they like: trees of numbered folders are real.
        if len(segments) - len(names) >= MOST_REPEATS and any(
            segments.count(name) > MOST_REPEATS for name in names if not name.isdigit()
        ):
            return Reason.TRAP_REPEATED_SEGMENTS
    return None


def families(url: Url, this_year: int, document: Document | None = None) -> tuple[Family, ...]:
    """Return the families of its host that a found URL belongs to; the first is that of all its URLs.

    Args:
        url: any but a seed.
        this_year: four digits, from the caller's clock; dates far ahead of it make a calendar.
        document: links to it, and tells whether an id is a session's; None = it is taken for one.
    """
    target = url.target
    path, mark, query = target.partition("?")
    found = [_HOST]
    if "=" in target or "(S(" in target:  # the same page under ever different sessions
        session = in_session(target)
        if session and not (session.values and document and not document.is_in(session, url.host_port)):
            found.append(_family(Reason.TRAP_SESSION_ID, MOST_SESSIONS, session.page))
    if mark:  # one path, ever other queries
        found.append(_family(Reason.TRAP_QUERY_VARIANTS, MOST_QUERIES, path))
        pairs = query.split("&")
        if len(pairs) > 2:  # two have two orders, which is no trap, and most queries are spared a counter of their own
            page = f"{path}?{'&'.join(sorted(pairs, key=_name))}"
            found.append(_family(Reason.TRAP_QUERY_PERMUTATIONS, MOST_PERMUTATIONS, page))
    date = date_in(path, query)
    if date and (weight := date.weight(this_year)):  # days and months without end
        found.append(_family(Reason.TRAP_CALENDAR, MOST_DATES, date.place, weight))
    return tuple(found)


def _family(reason: Reason, limit: int, text: str, weight: int = 1) -> Family:
    return Family(blake2b(f"{reason} {text}".encode("ascii"), digest_size=16).digest(), weight, limit, reason)


def _name(pair: str) -> str:
    """Return the sort key of a pair; pairs of one name keep their order: the stops of a journey are a sequence."""
    return pair.partition("=")[0]
