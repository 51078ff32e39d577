"""What the engine and the frontier hand each other: leases go out, groups of visits come in, totals go back.

Rules
- Facts are frozen. Whoever needs another fact makes a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from crawler.core.finds import Find
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Host
from crawler.core.visits import Retry, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What politeness remembers of a host between leases and lives; moments are of the wall clock.

    Attributes:
        due: the earliest moment of its next request; 0 = at once.
        delay: seconds between the starts of two requests, as in force now; None = nothing was asked yet.
        cause: what decided that delay, in a word.
        window: how many requests may be in flight; None = as many as configured.
        penalty: seconds between two starts that the host's trouble asks for; 0 = none.
        latency: of its answers, smoothed, in seconds; None = none was measured.
        failures: attempts to reach it that failed in a row; see `core/throttle.py` for how they count.
        failing_since: the first of them.
        robots_attempts: attempts to get its robots.txt that failed in a row.
        down: why the host was given up; None = it was not.
        rest_until: the end of the rest that it had when it was given up, for a later life; 0 = none.
        waited: seconds that requests to it took which got no answer.
        answered: it has answered, if only for its robots.txt; not stored, it follows from what is.
    """

    due: float = 0.0
    delay: float | None = None
    cause: str | None = None
    window: float | None = None
    penalty: float = 0.0
    latency: float | None = None
    failures: int = 0
    failing_since: float | None = None
    robots_attempts: int = 0
    down: Reason | None = None
    rest_until: float = 0.0
    waited: float = 0.0
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsCopy:
    """The stored answer of one origin's `/robots.txt`, believed until `expires_at`."""

    fetched_at: float
    expires_at: float
    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a lease is asked for.

    Attributes:
        shares: so many more of each of these hosts.
        gone: hosts that had leases and are to be told anew if they are opened again.
        new_hosts: so many others may be opened, earliest due first, each with at most `new_share` URLs.
        awaited: these URLs, as far as they are due, and nothing else: no page of the budget is left for any other;
            None = there are pages.
    """

    shares: Mapping[Host, int] = field(default_factory=dict)
    gone: tuple[Host, ...] = ()
    new_hosts: int = 0
    new_share: int = 0
    awaited: AbstractSet[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What the frontier hands out, in memory only: on disk these URLs stay pending.

    Attributes:
        hosts: the stored state of each host that is opened.
        robots: stored robots.txt copies of these hosts, by origin.
        is_exhausted: nothing is handed out, and nothing that is pending may be, now or later.
        next_due: when the first waiting retry may go, or the first host that rests may be leased; None = none waits.
        gained: hosts with leases of which there may be more than when they were last asked for.
    """

    requests: tuple[Request, ...] = ()
    hosts: Mapping[Host, HostState] = field(default_factory=dict)
    robots: Mapping[str, RobotsCopy] = field(default_factory=dict)
    is_exhausted: bool = False
    next_due: float | None = None
    gained: frozenset[Host] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedLine:
    """A line of a list that did not become a URL of its own."""

    line: int
    reason: Reason
    message: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """A URL that could not be had, and every page that leads to it, also by way of redirects.

    Attributes:
        url: or, as it is written, what stands in a page and is no URL.
        status: 400 or more; None = there was no response.
        pages: none for a URL that only the user listed.
    """

    url: str
    status: int | None
    reason: str
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedBatch:
    """Some lines of the list, accounted for line by line.

    Attributes:
        lines: how many lines these were: `lines == blank + comments + len(rejected) + len(finds)`.
        cursor: bytes of `seeds.txt` that are read once this batch is committed.
        line: the number of the last line in it.
        guessed: lines without a scheme among the finds, and `unwrapped` those in quotes or brackets.
    """

    cursor: int
    line: int
    lines: int = 0
    blank: int = 0
    comments: int = 0
    finds: tuple[Find, ...] = ()
    rejected: tuple[RejectedLine, ...] = ()
    guessed: int = 0
    unwrapped: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCursor:
    """How far the list is read: bytes, lines, and whether that was all of it."""

    offset: int = 0
    line: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What one transaction holds; see ARCHITECTURE, section 4.

    Attributes:
        finds: URLs that no page led to, such as the sitemaps that a robots.txt names.
        seconds: working time since the group before, for the run's total over all its lives.
        files: file name to the length that is safe on disk.
    """

    visits: tuple[Visit, ...] = ()
    retries: tuple[Retry, ...] = ()
    returned: tuple[Request, ...] = ()
    finds: tuple[Find, ...] = ()
    seeds: tuple[SeedBatch, ...] = ()
    hosts: Mapping[Host, HostState] = field(default_factory=dict)
    robots: Mapping[str, RobotsCopy] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The account of a run: `discovered == done + failed + sum(skipped) + pending`, always.

    Attributes:
        failures: failed URLs by reason.
        unread: done URLs that were not read, or not in full, by reason.
        skipped: skipped URLs by reason.
        statuses: final responses by HTTP status.
        bytes: body bytes after decoding, summed over the lines of output.
        lines: what became of the lines of the list, by `read`, `blank`, `comment`, `url`, `duplicate` and reason.
        readings: lines that were not read as they stand: `guessed` without a scheme, `unwrapped` out of quotes.
        latency: fetch latencies as bucket counts of `core.histogram`.
    """

    discovered: int = 0
    done: int = 0
    failed: int = 0
    pending: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[int, int] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    retries: int = 0
    seconds: float = 0.0
    latency: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a frontier knew when it was opened.

    Attributes:
        files: file name to committed length: each file is rewound to it.
        suspects: URLs that were in flight at repeated deaths and are failed now, as visits still to be committed.
    """

    totals: Totals
    cursor: SeedCursor
    files: Mapping[str, int] = field(default_factory=dict)
    suspects: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """News for the loop once a group is on disk.

    Attributes:
        gained: hosts with leases of which there may be more than when they were last asked for.
    """

    group: Group
    totals: Totals
    gained: frozenset[Host] = frozenset()
