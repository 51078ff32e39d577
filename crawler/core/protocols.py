"""Every plug on one page: whoever conducts gets these and never a concrete class.

Rules
- Asynchronous plugs live on the event loop; blocking ones live on the storage thread and are never awaited.
- Time comes in as an argument (`now`, wall clock) or through `Clock`.
- To add caching, authentication or rendering, wrap a Fetcher in a Fetcher.
Runs on: anywhere (pure); where each plug lives stands in its docstring.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from crawler.core.facts import GroupDone, Leased, VisitDone
from crawler.core.handover import BrokenLink, Committed, Group, Lease, Opened, RejectedLine, Wanted
from crawler.core.messages import Request, Response
from crawler.core.metrics import Sample
from crawler.core.stored import ChiefHosts, LostSeeds
from crawler.core.visits import Page, Visit


class Clock(Protocol):
    """Where time comes from, so that tests can bring their own."""

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines and delays."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC), for what is stored and shown."""
        ...


class Room(Protocol):
    """Needs of one fetch within its process: leave to go on once its answer begins, and memory for the body."""

    async def answered(self) -> float:
        """Wait until the fetch may go on, now that the head of its answer is there; gives back the seconds waited."""
        ...

    async def grow(self, n: int, there: int = 0, /) -> float:
        """Take `n` bytes more, waiting while the budget is spent; gives back the seconds waited.

        `there` of them have come already: they count at once, also while it waits.
        """
        ...


class Fetcher(Protocol):
    """Asynchronous. One request in, one response out; a redirect is a response."""

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """The response to one request.

        `room` is asked when the head is there, and before body bytes are kept; None = both are the caller's business.
        Waiting for it is not counted against the server's time limits.

        Raises:
            FetchError: there was no usable response; the run goes on.
        """
        ...


class Parser(Protocol):
    """Asynchronous. The face of whatever reads documents: this process, or worker processes."""

    async def parse(self, response: Response) -> Page:
        """Return the page of the document; it never raises: `Page.problem` says why a document could not be read."""
        ...


class Reports(Protocol):
    """Blocking, on the storage thread. Reports about a run, out of its frontier."""

    def rejected(self) -> Iterator[RejectedLine]:
        """Yield the lines of the list that did not become a URL of their own, in order."""
        ...

    def broken(self) -> Iterator[BrokenLink]:
        """Yield the broken links of a run that kept who links to whom."""
        ...

    def examples(self) -> Mapping[str, tuple[str, ...]]:
        """Return the first URLs that are skipped, or not read, for each reason."""
        ...

    def lost_seeds(self) -> tuple[LostSeeds, ...]:
        """Return the seeds that brought nothing, the most frequent reason first."""
        ...

    def hosts(self, agent: str, most: int) -> ChiefHosts:
        """Return at most so many hosts; their robots.txt addresses `agent`."""
        ...


class Frontier(Protocol):
    """Blocking, on the storage thread. Every URL and its state: the run's one truth."""

    def open(self, now: float) -> Opened:
        """Take the lock, count deaths, and tell where the last life stopped.

        Raises:
            RunInUse: another process holds the lock.
            StorageDamaged: the file is not a frontier, or is broken.
        """
        ...

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Hand out pending URLs, breadth first over hosts; within a host, (depth, discovery) decides.

        A host that is opened stays so until it is named as gone.
        """
        ...

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """The visits that are to be committed, in order, with each redirect that closes a circle failed."""
        ...

    def commit(self, group: Group) -> Committed:
        """One transaction for all of the group; only then may anybody act on it."""
        ...

    @property
    def reports(self) -> Reports:
        """Reports about the run, as of the last commit."""
        ...

    def close(self) -> None:
        """An orderly end: the board is cleared and the lock given back."""
        ...


class Sink(Protocol):
    """Blocking, on the storage thread. Keeps visits in append-only files."""

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Cut each file back to what was committed.

        Raises:
            StorageDamaged: a file is shorter than its committed length.
        """
        ...

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits; the same visits come back, with the place of each where there is one."""
        ...

    def sync(self) -> Mapping[str, int]:
        """Make what was appended safe; gives each file's length that now is."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class Board(Protocol):
    """Memory-mapped, written by the loop: what is in flight if we die now."""

    def enter(self, url_id: int) -> None:
        """The URL is dispatched."""
        ...

    def leave(self, url_id: int) -> None:
        """The URL's visit, retry or return is committed."""
        ...


class Pacer(Protocol):
    """When the n-th request of a load test is due."""

    def due(self, n: int) -> int | None:
        """Nanoseconds after the start; None = no more."""
        ...


Observer = Callable[[VisitDone | GroupDone | Leased | Sample], None]
"""Facts for whoever watches a run, told on the loop: each URL's turn, each group and lease, and samples in between."""
