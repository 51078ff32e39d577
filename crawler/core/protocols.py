"""The Protocols that the engine works with, in place of concrete classes.

Rules
- Asynchronous Protocols live on the event loop; blocking ones live on the storage thread and are never awaited.
- Time comes in as an argument (`now`, wall clock) or through `Clock`.
- To add caching, authentication or rendering, wrap a Fetcher in a Fetcher.
Runs on: anywhere (pure); each docstring says where the implementation lives.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from crawler.core.events import GroupDone, Leased, VisitDone
from crawler.core.frontier_reports import ChiefHosts, LostSeeds
from crawler.core.leases_and_commits import BrokenLink, Committed, Group, Lease, Opened, RejectedLine, Wanted
from crawler.core.messages import Request, Response
from crawler.core.metrics import Sample
from crawler.core.visits import Page, Visit


class Clock(Protocol):
    """The source of time, so that tests can bring their own."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for deadlines and delays."""
        ...

    def wall(self) -> float:
        """Return seconds since 1970 (UTC), for files and displays."""
        ...


class Room(Protocol):
    """The limits of one fetch within its process: the start of its answer, and memory for the body."""

    async def answered(self) -> float:
        """Wait until the fetch may go on, once the head of its answer is there; return the seconds waited."""
        ...

    async def grow(self, n: int, there: int = 0, /) -> float:
        """Take `n` bytes more, waiting while the budget is spent; return the seconds waited.

        `there` of them have arrived already: they count at once, before the wait.
        """
        ...


class Fetcher(Protocol):
    """One request in, one response out; a redirect is a response. Asynchronous."""

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request.

        `room` is asked when the head is there, and before body bytes are kept; None = the fetch is not limited.
        The wait for it does not count against the server's time limits.

        Raises:
            FetchError: there was no usable response; the run goes on.
        """
        ...


class Parser(Protocol):
    """The reader of documents, in this process or in worker processes. Asynchronous."""

    async def parse(self, response: Response) -> Page:
        """Return the page of a document, always: `Page.problem` says why a document could not be read."""
        ...


class Reports(Protocol):
    """Reports about a run, out of its frontier. Blocking, on the storage thread."""

    def rejected(self) -> Iterator[RejectedLine]:
        """Yield the lines of the list that did not become a URL of their own, in order."""
        ...

    def broken(self) -> Iterator[BrokenLink]:
        """Yield the broken links of a run that kept its edges."""
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
    """Every URL and its state, the single source of truth of a run. Blocking, on the storage thread."""

    def open(self, now: float) -> Opened:
        """Take the lock, count deaths, and return where the last life stopped.

        Raises:
            RunInUse: another process holds the lock.
            StorageDamaged: the file is not a frontier, or is broken.
        """
        ...

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Lease pending URLs, breadth first over hosts; within a host, (depth, discovery) decides.

        A host that is opened stays open until it is named as gone.
        """
        ...

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Return the visits to be committed, in order; each redirect that closes a circle has failed."""
        ...

    def commit(self, group: Group) -> Committed:
        """Commit the group in one transaction; the engine acts on it only afterwards."""
        ...

    @property
    def reports(self) -> Reports:
        """Return the reports about the run, as of the last commit."""
        ...

    def close(self) -> None:
        """End in order: empty the board and release the lock."""
        ...


class Sink(Protocol):
    """A keeper of visits in append-only files. Blocking, on the storage thread."""

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Cut each file back to its committed length.

        Raises:
            StorageDamaged: a file is shorter than its committed length.
        """
        ...

    def append(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Write the visits; return them with the place of each in its file, where it has one."""
        ...

    def sync(self) -> Mapping[str, int]:
        """Sync the files; return the length of each."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class Board(Protocol):
    """The URLs in flight, in mapped memory that survives a crash. Written by the loop."""

    def enter(self, url_id: int) -> None:
        """Note that the URL is dispatched."""
        ...

    def leave(self, url_id: int) -> None:
        """Note that the visit, retry or return of the URL is committed."""
        ...


class Pacer(Protocol):
    """The arrival times of the requests of a load test."""

    def due(self, n: int) -> int | None:
        """Return the nanoseconds from the start to the n-th request; None = there are no more."""
        ...


Observer = Callable[[VisitDone | GroupDone | Leased | Sample], None]
"""A callback for the facts of a run, called on the loop: each visit, each group and lease, and samples in between."""
