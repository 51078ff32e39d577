"""The facts that travel: what is asked for, what came back, what is stored, what a transaction holds.

Rules
- Facts are frozen. Whoever needs another fact makes a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import msgspec

from crawler.core.links import BadLink
from crawler.core.reasons import Reason
from crawler.core.urls import Host, Url

_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)
_BLANK = b" \t\r\n"  # RFC 9110, 5.6.3; 0x85 and 0xA0 are blank to a text, and halves of letters in UTF-8


class State(IntEnum):
    """Where a discovered URL stands; exactly one, always. The numbers are stored in the frontier."""

    PENDING = 0
    DONE = 1  # any final response, 404 too
    FAILED = 2  # no usable response, also after the retries
    SKIPPED = 3  # never requested, with a reason


class Guess(IntEnum):
    """Return whether a URL's scheme was written wherever it was found, or https was guessed (`core/guesses.py`)."""

    WRITTEN = 0
    GUESSED = 1
    BOTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to ask for.

    Attributes:
        id: the URL's row in the frontier; 0 outside a run.
        depth: links followed from a seed to here; redirects keep their source's depth.
        hops: redirects and refreshes followed at this depth.
        chain: of these and others, how many in a row lead here, on the way that has the fewest.
        attempts: tries made before this one.
        seed: the user listed it, or it is the target of a listed URL's redirect.
        named: the user named this host and port, so its own loopback or private address may be dialled.
        foreign: a redirect from another origin leads here, so the user's headers and credentials stay away.
        sitemap: it was listed as a sitemap, so it is read as one, plain text too.
        lastmod: when its page was last changed, as a sitemap says.
        alone: the process died while it was in flight, so nothing else may be.
        guess: whether its scheme was written, a value of `Guess`.
        headers: sent in this order, besides those that the fetcher adds.
        most: body bytes to read at the most, where that is less than the fetcher's limit; None = the fetcher's.
        success_only: of an answer outside 2xx only the head is of use, so its body is not waited for.
    """

    url: Url
    id: int = 0
    depth: int = 0
    hops: int = 0
    chain: int = 0
    attempts: int = 0
    referrer: str | None = None
    seed: bool = False
    named: bool = False
    foreign: bool = False
    sitemap: bool = False
    lastmod: str | None = None
    alone: bool = False
    guess: int = Guess.WRITTEN
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    most: int | None = None
    success_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each phase of one fetch took, in seconds; None = the phase did not happen.

    Attributes:
        dns, connect, tls: only when a new connection was opened.
        first_byte: from the request sent (or the connection taken) to the response's head.
        body: from the head to the last byte.
        total: from dispatch to the last byte.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    body: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one request brought: raw bytes, with transfer framing removed and content codings kept.

    Attributes:
        headers: name and value as received, in order; names keep their case.
        transfer_codings: what is still on the body besides its content codings, in the order in which it was applied.
        body: at most the body limit.
        cut: True when the body was longer than the limit and was cut there.
        peer: address and port that answered; None through a proxy or from a fake.
    """

    request: Request
    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    transfer_codings: tuple[str, ...] = ()
    reason_phrase: str = ""
    http_version: str = "1.1"
    cut: bool = False
    peer: str | None = None
    timing: Timing = field(default_factory=Timing)

    def header(self, name: str) -> str | None:
        """The first value of a header by its case-insensitive name, as latin-1 text; None = absent (RFC 9110, 5.1)."""
        return next(self.header_values(name), None)

    @property
    def is_part(self) -> bool:
        """True when a 206 says that it holds less than all there is (RFC 9110, 14.4); some servers send all with it."""
        told = self.header("content-range") if self.status == 206 else None
        whole = _RANGE.fullmatch(told or "")
        return told is not None and (whole is None or int(whole[1]) + 1 != int(whole[2]))

    @property
    def codings(self) -> str:
        """All codings that are on the body, as a Content-Encoding would list them; empty = none."""
        listed = self.header_list("content-encoding")
        return ",".join((listed, *self.transfer_codings)) if self.transfer_codings else listed

    def header_list(self, name: str) -> str:
        """All values of a header that is a list, joined as one (RFC 9110, 5.3); empty = absent."""
        return ",".join(self.header_values(name))

    def header_values(self, name: str) -> Iterator[str]:
        """Each value of a header, in order, without the white space of HTTP around it (RFC 9110, 5.6.3).

        What else looks like white space in latin-1 may be the last byte of a letter in UTF-8, such as an a with grave.
        """
        wanted = name.lower().encode("latin-1")
        return (value.strip(_BLANK).decode("latin-1") for key, value in self.headers if key.lower() == wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of `pages.jsonl`; the field order is the order in the file (ARCHITECTURE, section 7).

    Attributes:
        lastmod: when it was last changed, as a sitemap or feed says, in RFC 3339.
        robots: what its header and document ask of robots, sorted; None = nothing that concerns this one.
        file: where in the run's folder the content is kept as a plain file; None = it is not.
        data: see `Page`.
        error: what the user's own function raised, why its data is not kept, or which entries of a sitemap were not
            taken; None = nothing to tell.
    """

    url: str
    outcome: str
    status: int | None
    reason: str
    content_type: str | None
    charset: str | None
    bytes: int | None
    sha256: str | None
    title: str | None
    depth: int
    referrer: str | None
    lastmod: str | None
    redirect_to: str | None
    links: int | None
    robots: tuple[str, ...] | None
    attempts: int
    fetched_at: str
    timing: Mapping[str, float | None]
    warc: Mapping[str, str | int] | None = None
    file: str | None = None
    data: msgspec.Raw | None = None
    error: str | None = None


class Find(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A URL that was come across: a line of a list, a link, the target of a redirect.

    A struct, as `Url` is and for the same reason.

    Attributes:
        line: its line in `seeds.txt`; None for anything but a seed.
        hops, chain: as in `Request`; 0 for what no redirect or refresh leads to.
        foreign: a redirect from another origin; any other find of the same URL, as near to a seed, beats it.
        sitemap: it is to be read as a sitemap, and lies in scope wherever it is.
        lastmod: when its page was last changed, as a sitemap says.
        refusal: why it is not to be fetched; None = allowed. An allowed find beats a refused one.
        guess: whether its scheme was written, a value of `Guess`.
    """

    url: Url
    depth: int = 0
    hops: int = 0
    chain: int = 0
    seed: bool = False
    named: bool = False
    foreign: bool = False
    sitemap: bool = False
    lastmod: str | None = None
    line: int | None = None
    refusal: Reason | None = None
    guess: int = Guess.WRITTEN


_PACKER, _UNPACKER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(tuple[Find, ...])


@dataclass(frozen=True, slots=True)
class Finds:
    """The finds of a page as one piece of bytes, a seventh of their size: so they travel and wait for their commit.

    Going over them makes them anew. `size` is in bytes.
    """

    packed: bytes = b""
    count: int = 0

    @classmethod
    def of(cls, finds: Iterable[Find]) -> Self:
        """These finds, in their order."""
        listed = tuple(finds)
        return cls(_PACKER.encode(listed), len(listed)) if listed else cls()

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.packed)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Find]:
        return iter(_UNPACKER.decode(self.packed) if self.packed else ())


@dataclass(frozen=True, slots=True)
class Packed:
    """Content that waits as it came, under its content codings, since it is several times as large without them.

    `http.content_codings.content_steps` unpacks it. `limit` is in bytes; the length is of what is held.
    """

    body: bytes
    layers: tuple[str, ...]
    limit: int

    def __len__(self) -> int:
        return len(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a document gave once its content codings were removed.

    Attributes:
        size: bytes after decoding; `sha256` covers exactly these.
        charset: of the text, as it was read; of the header, for what was not read.
        links: how many different URLs the document points at; None = it was not read for links.
        finds: those of them that the crawl heeds, judged.
        robots: what its header and document ask of robots, sorted; None = nothing that concerns this one.
        bad_links: the first of its references that are no URL.
        data: what the user's selectors and function gave: a JSON object, encoded where the page was read.
        content: the bytes after decoding, where somebody wants them; large ones may be packed still.
        problem: why decoding or reading did not succeed, or not in full; None = it did.
        error: what the user's own function raised, why its data is not kept, or which entries of a sitemap were not
            taken; None = nothing to tell.
        seconds: what decoding and reading took.
        read_at: when that began, on the monotonic clock; 0 = nobody noted it.
        worker: the process that did it; 0 = the one that has the loop.
    """

    size: int
    sha256: str
    content_type: str | None = None
    charset: str | None = None
    title: str | None = None
    links: int | None = None
    finds: Finds = Finds()
    robots: tuple[str, ...] | None = None
    bad_links: tuple[BadLink, ...] = ()
    data: msgspec.Raw | None = None
    content: bytes | Packed | None = None
    problem: Reason | None = None
    error: str | None = None
    seconds: float = 0.0
    read_at: float = 0.0
    worker: int = 0

    @property
    def weight(self) -> int:
        """Bytes of it that are held in memory until its commit: the line has a digest, not the body."""
        told = len(memoryview(self.data or b"")) + sum(len(link.text) for link in self.bad_links)
        return len(self.content or b"") + told + self.finds.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Everything that one URL's turn brought, to be committed in one piece.

    Attributes:
        at: when its turn ended.
        record: its line of output; None for a skipped URL.
        target: where it redirects; None = nowhere, or to no URL that is fetched.
        bad_links: what its page points at that is no URL.
        latency: seconds from dispatch to the last byte; None = there was no response.
        content: the body after decoding, where somebody keeps it; None = nothing to write.
        size: bytes that it holds in memory until its commit, as `Page.weight` tells them.
    """

    request: Request
    state: State
    reason: Reason
    at: float = 0.0
    record: Record | None = None
    target: Url | None = None
    finds: Finds | tuple[Find, ...] = ()
    bad_links: tuple[BadLink, ...] = ()
    latency: float | None = None
    content: bytes | Packed | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A URL that was tried at `at` and goes back to the frontier until `not_before`."""

    request: Request
    reason: Reason
    at: float
    not_before: float


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
        leased: how many are handed out now, these included.
        is_exhausted: nothing is handed out, and nothing that is pending may be, now or later.
        next_due: when the first waiting retry may go, or the first host that rests may be leased; None = none waits.
        gained: hosts with leases of which there may be more than when they were last asked for.
    """

    requests: tuple[Request, ...] = ()
    hosts: Mapping[Host, HostState] = field(default_factory=dict)
    robots: Mapping[str, RobotsCopy] = field(default_factory=dict)
    leased: int = 0
    is_exhausted: bool = False
    next_due: float | None = None
    gained: frozenset[Host] = frozenset()


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
class SeedCursor:
    """How far the list is read: bytes, lines, and whether that was all of it."""

    offset: int = 0
    line: int = 0
    finished: bool = False


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
