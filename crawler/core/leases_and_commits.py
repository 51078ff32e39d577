"""The values between engine and frontier: leases go out, groups of visits come in, totals go back.

Rules
- Facts are frozen: a changed fact is a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import field

from crawler.core.finds import Find
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Host
from crawler.core.visits import Retry, Visit


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a host that politeness keeps between leases and lives; moments are of the wall clock.

    Attributes:
        due: the earliest moment of its next request; 0 = at once.
        delay: seconds between the starts of two requests, as in force now; None = nothing was asked yet.
        cause: the source of that delay, in a word.
        window: how many requests may be in flight; None = as many as configured.
        penalty: the delay in seconds that trouble of the host asks for; 0 = none.
        latency: of its answers, smoothed, in seconds; None = none was measured.
        failures: attempts to reach it that failed in a row; see `core/throttle.py` for how they count.
        failing_since: the first of them.
        robots_attempts: attempts to get its robots.txt that failed in a row.
        down: why the host was given up; None = it was not.
        rest_until: the end of the rest that it had when it was given up, for a later life; 0 = none.
        waited: seconds that requests to it took which got no answer.
        answered: it has answered, if only for its robots.txt; derived from other columns, not stored.
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


class RobotsCopy(msgspec.Struct, frozen=True, kw_only=True):
    """The stored answer of one origin's `/robots.txt`, believed until `expires_at`."""

    fetched_at: float
    expires_at: float
    status: int
    body: bytes


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The order for a lease.

    Attributes:
        shares: the number of further URLs of each of these hosts.
        gone: hosts that the engine has evicted: their state is sent again when they are opened again.
        new_hosts: the number of other hosts that may be opened, earliest due first, each with at most `new_share` URLs.
        awaited: lease only these URLs, as far as they are due, since every page of the budget is reserved; None = any.
        is_idle: this worker has slots to spare and nothing due, so it could work on more hosts.
        pages: the lines of output that this worker would like to be allowed, with those that it has written.
    """

    shares: Mapping[Host, int] = field(default_factory=dict)
    gone: tuple[Host, ...] = ()
    new_hosts: int = 0
    new_share: int = 0
    awaited: AbstractSet[int] | None = None
    is_idle: bool = False
    pages: int = 0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a run that one of its workers has for now.

    Attributes:
        until: the moment of `runtime.clock.boot_time` at which its lease of all its hosts ends. No request may be sent
            later, unless the lease is renewed before.
        pages: the lines of output that it may write in all, with those that it has written; None = no limit.
        rate: requests per second; None = no limit.
        surplus: the number of hosts that it is to hand back, so that idle workers have some.
        totals: the sums of all workers as of now; None = as of this worker's last commit.
    """

    until: float
    pages: int | None = None
    rate: float | None = None
    surplus: int = 0
    totals: "Totals | None" = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The URLs that the frontier hands out, in memory only: on disk they stay pending.

    Attributes:
        hosts: the stored state of each host that is opened.
        robots: stored robots.txt copies of these hosts, by origin.
        is_exhausted: no URL is leased, and no pending URL may be, now or later.
        next_due: the moment of the first waiting retry, or of the first host that rests; None = none waits.
        gained: hosts with leases that may have more URLs to lease than at the last lease.
        share: this worker's part of the run; None = the run is this process's alone.
    """

    requests: tuple[Request, ...] = ()
    hosts: Mapping[Host, HostState] = field(default_factory=dict)
    robots: Mapping[str, RobotsCopy] = field(default_factory=dict)
    is_exhausted: bool = False
    next_due: float | None = None
    gained: frozenset[Host] = frozenset()
    share: Share | None = None


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a list that did not become a URL of its own."""

    line: int
    reason: Reason
    message: str
    text: str


class BrokenLink(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that failed, and every page that leads to it, also by way of redirects.

    Attributes:
        url: the URL, or the text of a link that is no URL.
        status: 400 or more; None = there was no response.
        pages: empty for a URL that only the user listed.
    """

    url: str
    status: int | None
    reason: str
    pages: tuple[str, ...]


class SeedBatch(msgspec.Struct, frozen=True, kw_only=True):
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


class SeedCursor(msgspec.Struct, frozen=True, kw_only=True):
    """The place up to which the list is read: bytes and lines; `finished` = that was all of it."""

    offset: int = 0
    line: int = 0
    finished: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one transaction; see ARCHITECTURE, section 4.

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


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a run: `discovered == done + failed + sum(skipped) + pending`, always.

    Attributes:
        failures: failed URLs by reason.
        unread: done URLs that were not read, or not in full, by reason.
        skipped: skipped URLs by reason.
        statuses: final responses by HTTP status.
        bytes: body bytes after decoding, summed over the lines of output.
        lines: the lines of the list by outcome: `read`, `blank`, `comment`, `url`, `duplicate` and reason.
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


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a frontier that was opened.

    Attributes:
        files: file name to committed length: each file is rewound to it.
        suspects: URLs that were in flight at repeated deaths and are failed now, as visits still to be committed.
        own_lines: the lines of output of this worker, in all its lives; None = the run has no other worker.
    """

    totals: Totals
    cursor: SeedCursor
    files: Mapping[str, int] = field(default_factory=dict)
    suspects: tuple[Request, ...] = ()
    own_lines: int | None = None


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a commit, for the loop.

    Attributes:
        gained: hosts with leases that may have more URLs to lease than at the last lease.
        until: as in `Share`, since a commit renews the lease of all hosts; None = the run is this process's alone.
    """

    group: Group
    totals: Totals
    gained: frozenset[Host] = frozenset()
    until: float | None = None
