"""The outcome of one URL's visit: the page that was read, the line of output, the state of the URL, a retry.

Rules
- Facts are frozen: a changed fact is a new one.
- Durations are seconds and moments are wall-clock seconds since 1970 (UTC), unless a name says otherwise.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from crawler.core.finds import Find, Finds
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url

_NO_FINDS = Finds()


class State(IntEnum):
    """The state of a discovered URL: exactly one, always. The numbers are stored in the frontier."""

    PENDING = 0
    DONE = 1  # any final response, 404 too
    FAILED = 2  # no usable response, also after the retries
    SKIPPED = 3  # never requested, with a reason


class Record(msgspec.Struct, frozen=True, kw_only=True):
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


class BadLink(msgspec.Struct, frozen=True, kw_only=True):
    """A reference that is no URL we fetch; the text is cut."""

    text: str
    reason: Reason


class Packed(msgspec.Struct, frozen=True):
    """Content that waits under its content codings, since it is several times as large without them.

    `http.content_codings.content_steps` unpacks it. `limit` is in bytes; the length is that of `body`.
    """

    body: bytes
    layers: tuple[str, ...]
    limit: int

    def __len__(self) -> int:
        return len(self.body)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading a document without its content codings.

    Attributes:
        size: bytes after decoding; `sha256` covers exactly these.
        charset: of the text, as it was read; of the header, if it was not read.
        links: the number of different URLs that the document links to; None = it was not read for links.
        finds: those of them that the crawl follows, judged.
        robots: what its header and document ask of robots, sorted; None = nothing that concerns this one.
        bad_links: the first of its references that are no URL.
        data: the result of the user's selectors and function: a JSON object, encoded where the page was read.
        content: the bytes after decoding, where a sink keeps them; large ones may be packed still.
        problem: why decoding or reading did not succeed, or not in full; None = it did.
        error: what the user's own function raised, why its data is not kept, or which entries of a sitemap were not
            taken; None = nothing to tell.
        seconds: the time that decoding and reading took.
        read_at: the monotonic moment at which that began; 0 = unknown.
        worker: the process that did it; 0 = the one that has the loop.
    """

    size: int
    sha256: str
    content_type: str | None = None
    charset: str | None = None
    title: str | None = None
    links: int | None = None
    finds: Finds = _NO_FINDS
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
        """Return the bytes of it that are held in memory until its commit: the line has a digest, not the body."""
        weight = self.finds.size + len(self.content or b"")
        if self.data is not None:
            weight += len(memoryview(self.data))
        return weight + sum([len(link.text) for link in self.bad_links]) if self.bad_links else weight


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """The whole outcome of one URL's visit, to be committed in one piece.

    Attributes:
        at: when the visit ended.
        record: its line of output; None for a skipped URL.
        target: the URL that it redirects to; None = it does not, or to no URL that is fetched.
        bad_links: links of its page that are no URL.
        latency: seconds from dispatch to the last byte; None = there was no response.
        content: the body after decoding, where a sink keeps it; None = nothing to write.
        headers: of the response, where they are wanted.
        size: bytes that it holds in memory until its commit, as in `Page.weight`.
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
    headers: tuple[tuple[bytes, bytes], ...] = ()
    size: int = 0


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that was tried at `at` and goes back to the frontier until `not_before`."""

    request: Request
    reason: Reason
    at: float
    not_before: float
