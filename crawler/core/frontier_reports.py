"""The stored facts of one URL or one host, for reports about a run.

Rules
- These are stored facts and judgements that need the frontier (scope, families); reports draw the conclusions. Moments
  are wall-clock seconds since 1970.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import field

from crawler.core.discovery import Way
from crawler.core.leases_and_commits import HostState, RobotsCopy, Totals
from crawler.core.reasons import Reason
from crawler.core.traps import Family
from crawler.core.urls import Host
from crawler.core.visits import State

LEAST_IN_VAIN = 1.0
"""Seconds without an answer from which on a host is reported."""


class HostRobots(msgspec.Struct, frozen=True, kw_only=True):
    """The robots.txt of a host in short.

    Attributes:
        is_closed: it disallows the root.
        crawl_delay: seconds between two requests that it asks for; None = it does not.
    """

    status: int
    is_closed: bool = False
    crawl_delay: float | None = None


class LostSeeds(msgspec.Struct, frozen=True, kw_only=True):
    """Seeds that brought nothing, all for the same reason.

    Attributes:
        status: of their answer; None = there was none.
        seeds: how many there are.
        example: the URL of the first of them.
    """

    reason: Reason
    status: int | None
    seeds: int
    example: str


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """One host of a run, for its operator.

    Attributes:
        pages: lines of output; `failed` of them without a usable response.
        first_at, last_at: when the first and the last of them was written; None = there is none.
        robots: what its stored robots.txt says; None = none is stored.
        troubles: tries that failed, by reason, the most frequent first; those that were repeated, too.
    """

    host: Host
    pages: int = 0
    failed: int = 0
    pending: int = 0
    first_at: float | None = None
    last_at: float | None = None
    state: HostState = field(default_factory=HostState)
    robots: HostRobots | None = None
    troubles: Mapping[str, int] = field(default_factory=dict)

    @property
    def pages_per_second(self) -> float | None:
        """Return the rate between its first and its last line; None = there are no two moments, or only failures."""
        if self.pages == self.failed or self.first_at is None or self.last_at is None or self.last_at <= self.first_at:
            return None
        return (self.pages - 1) / (self.last_at - self.first_at)

    @property
    def is_waiting(self) -> bool:
        """Return True when it was tried, has URLs left, and has neither answered nor been given up."""
        state = self.state
        return bool(self.pending and not state.answered and not state.down and (state.failures or state.waited))


class HostsInVain(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts whose requests took LEAST_IN_VAIN seconds or more without an answer, and the seconds of all of them."""

    hosts: int = 0
    seconds: float = 0.0


class ChiefHosts(msgspec.Struct, frozen=True):
    """The busiest and the most troubled hosts of a run, the busiest first, and figures of all hosts.

    Attributes:
        more: how many hosts it has besides.
        given_up: how many were given up.
        waiting: how many were tried, have URLs left, and have neither answered nor been given up.
    """

    hosts: tuple[HostReport, ...] = ()
    more: int = 0
    given_up: int = 0
    waiting: int = 0
    in_vain: HostsInVain = field(default_factory=HostsInVain)


class WorkerReport(NamedTuple):
    """One of the workers that share a run, for its operator; moments are seconds ago.

    Attributes:
        id: its number, from 1.
        place: the machine and folder in which it works, `HOST:PATH`.
        late: seconds since its lease was over; negative = it is not; None = it has ended.
        seen: when it told of itself last.
        hosts: how many it has.
        lines: of output, in all its lives.
        groups: how many transactions it has committed.
    """

    id: int
    place: str
    late: float | None
    seen: float
    hosts: int
    lines: int
    groups: int

    @property
    def is_live(self) -> bool:
        """Return whether its lease holds."""
        return self.late is not None and self.late <= 0


class StoredUrl(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a URL: columns of `frontier/columns.py`.

    Attributes:
        is_suspect: the process died repeatedly while it was in flight, so it runs alone.
    """

    url: str
    state: State
    reason: Reason | None
    status: int | None
    way: Way
    attempts: int
    line: int | None
    not_before: float | None
    is_suspect: bool


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """The URL that first led to another one, besides the list.

    Attributes:
        redirects: it does not link there, it redirects.
        sitemap: it is a sitemap.
    """

    url: str
    redirects: bool
    sitemap: bool


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The target of a redirect.

    Attributes:
        was_known: another URL had led there before.
    """

    row: StoredUrl
    was_known: bool


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """A try that failed at `at` and was to be repeated from `not_before` on."""

    at: float
    reason: Reason
    not_before: float


class UrlScope(msgspec.Struct, frozen=True, kw_only=True):
    """The relation of a URL to the scope of the run, and to the families that may be traps.

    Attributes:
        place: the narrowest place that a seed brought in and that holds the URL; None = it is out of scope.
        places: the first few of all that seeds brought in; `all_places` is how many there are.
        named: hosts and ports that the user named, the first few.
        families: those of the URL that may be traps, and how far each has grown; none where traps are not looked for.
        full: the reason to refuse a new link to it now; None = no family is full.
    """

    place: str | None
    places: tuple[str, ...]
    all_places: int
    named: tuple[Host, ...]
    families: tuple[tuple[Family, int], ...]
    full: Reason | None


class UrlHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored about one URL.

    Attributes:
        row: None = no page that was read leads there.
        linked_from: how many pages lead there; None = the run did not keep that.
        host: None = no URL of its host was found.
        is_host_closed: its host has had all the lines of output that it may have.
        is_list_read: every line of the list was read.
    """

    row: StoredUrl | None
    leader: Leader | None
    linked_from: int | None
    scope: UrlScope
    robots: RobotsCopy | None
    host: HostReport | None
    is_host_closed: bool
    tries: tuple[Try, ...]
    target: Target | None
    totals: Totals
    is_list_read: bool
