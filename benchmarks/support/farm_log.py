"""A farm's log, judged: one witness for all tools of when pages arrived, in which order, how close and how many.

Rules
- A request counts at the moment when it had arrived at the farm. Times of a run are seconds since its command began.
- A page of a live host was fetched when its answer was written.
Runs on: anywhere (pure).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from benchmarks.support.broad_plan import NAMED_DELAY, Host, Kind
from crawler.site.log import Hit, most_at_once

CONNECTED = "CONNECTED"
ROBOTS = "/robots.txt"
TOLERANCE = 0.02  # seconds; a busy server reads a request a little after it came
_SPAN = 5.0
_MOST = 0.95  # of the pages: the share whose rate is told, so that one late host does not decide it


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run as the farm saw it.

    Attributes:
        pages: different pages of live hosts that were answered; `wanted` = how many there are.
        twice: pages of live hosts that were asked for more than once.
        last_page: the moment of the last of them; inf = there was none.
        rate: pages of live hosts per second, over the first 95 % of them.
        requests: of all hosts, robots.txt too.
        robots_late: hosts that were asked for a page before their robots.txt had been answered.
        early: requests to a host with a delay that came before it was over.
        open_at_most: connections at one moment.
        most_in_a_second: the most requests that arrived within any one second.
        busiest: requests per second in the busiest span of five. A client that stops for a moment sends nothing sooner
            than it may, but what it had sent arrives later, and nearer to the next: in five seconds this counts little.
    """

    pages: int
    wanted: int
    twice: int
    last_page: float
    rate: float
    requests: int
    robots_late: int
    early: int
    open_at_most: int
    most_in_a_second: int
    busiest: float


def seen(hits: Iterable[Hit], hosts: Sequence[Host], wanted: int, began: float) -> Seen:
    """Judge the log of a run that began at this moment and should get so many pages of live hosts."""
    asked, connections = [], []
    for hit in hits:
        (connections if hit.method == CONNECTED else asked).append(hit)
    by_host = _by_host(asked)
    named = [own for number, own in by_host.items() if hosts[number].name]
    pages = [hit for hit in asked if hosts[hit.host].kind is Kind.LIVE and hit.target != ROBOTS]
    fetched = Counter((hit.host, hit.target) for hit in pages if hit.status == 200)
    ends = sorted(hit.ended - began for hit in pages if hit.status == 200)
    moments = [hit.started for hit in asked]
    return Seen(
        pages=len(fetched),
        wanted=wanted,
        twice=sum(times > 1 for times in fetched.values()),
        last_page=ends[-1] if ends else inf,
        rate=_rate(ends, min((hit.started - began for hit in asked), default=0.0)),
        requests=len(asked),
        robots_late=sum(not _robots_first(own) for own in by_host.values()),
        early=sum(_early(own, NAMED_DELAY) for own in named),
        open_at_most=most_at_once(connections),
        most_in_a_second=most_within(1.0, moments),
        busiest=most_within(_SPAN, moments) / _SPAN,
    )


def most_within(seconds: float, moments: Iterable[float]) -> int:
    """Return the most moments that lie within any span of so many seconds."""
    ordered = sorted(moments)
    most = first = 0
    for at, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, at - first + 1)
    return most


def connections_of(hits: Iterable[Hit], hosts: Sequence[Host], kind: Kind) -> Counter[int]:
    """Return how often each host of a kind was connected to."""
    dialled = Counter({host.number: 0 for host in hosts if host.kind is kind})
    dialled.update(hit.host for hit in hits if hit.method == CONNECTED and hosts[hit.host].kind is kind)
    return dialled


def closer_than(delay: float, hits: Iterable[Hit]) -> int:
    """Return how many requests came sooner than so many seconds after the one before to the same host."""
    return sum(_early(own, delay) for own in _by_host(hits).values())


def in_order(hits: Iterable[Hit]) -> list[Hit]:
    """Return the requests in the order in which they arrived."""
    return sorted((hit for hit in hits if hit.method != CONNECTED), key=lambda hit: hit.started)


def _by_host(asked: Iterable[Hit]) -> dict[int, list[Hit]]:
    found: defaultdict[int, list[Hit]] = defaultdict(list)
    for hit in in_order(asked):
        found[hit.host].append(hit)
    return found


def _rate(ends: Sequence[float], first: float) -> float:
    if not ends:
        return 0.0
    most = max(1, int(_MOST * len(ends)))
    return most / max(ends[most - 1] - first, 0.001)


def _robots_first(own: Sequence[Hit]) -> bool:
    """Return whether robots.txt had been answered when the first page was asked for; `own` in order of arrival."""
    page = next((hit for hit in own if hit.target != ROBOTS), None)
    return page is None or any(hit.target == ROBOTS and hit.status and hit.ended <= page.started for hit in own)


def _early(own: Sequence[Hit], delay: float) -> int:
    return sum(later.started - earlier.started < delay - TOLERANCE for earlier, later in pairwise(own))
