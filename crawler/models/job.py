"""The one job that every model does: fetch each page, read it, write it to disk.

Rules
- `Work` is what is done with one page, in blocking steps. It can be pickled, and is all that a worker process needs.
- A page that fails is one failed page: its result is the reason, and the others go on.
- Each thread has a client, and thereby a connection, of its own.
Runs on: any thread or process.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from crawler.core import visits
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Fetcher
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.http.content_codings import content_steps, put_together


class JobPage(NamedTuple):
    """What a page came to."""

    sha256: str
    title: str | None
    links: int | None


class JobFailure(NamedTuple):
    """Why there is no page: a status, or one of the crawler's reasons."""

    reason: str


Result = JobPage | JobFailure
Results = dict[str, Result]
WORKER_DIED = JobFailure(Reason.PARSE_CRASH)


class JobClient(Protocol):
    """Fetches, and the thread waits."""

    def fetch(self, request: Request) -> Response:
        """The response, or FetchError."""
        ...


class JobWatch(Protocol):
    """Measures the block `with watch:`, in which the job is done; workers are started before it."""

    lag: float | None

    def __enter__(self) -> object: ...
    def __exit__(self, *error: object) -> None: ...


_mine = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done with one page; `prepare` is called once in each process that does it."""

    prepare: Callable[[], None]
    connect: Callable[[], JobClient]
    parse: Callable[[Response], visits.Page]
    write: Callable[[Url, bytes], None]

    def page(self, request: Request) -> Result:
        """All of it, one step after the other."""
        try:
            response = self.fetch(request)
        except FetchError as error:
            return JobFailure(error.reason)
        return self.keep(response)

    def fetch(self, request: Request) -> Response:
        """Fetch on this thread's own connection."""
        if not hasattr(_mine, "client"):
            _mine.client = self.connect()
        client: JobClient = _mine.client
        return client.fetch(request)

    def keep(self, response: Response) -> Result:
        """Read a response, and write what it holds."""
        if response.status != 200:
            return JobFailure(f"status {response.status}")
        page = self.parse(response)
        self.write(response.request.url, put_together(content_steps(page.content or b"")))
        return JobPage(page.sha256, page.title, page.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The whole job, and how many hands a model may have.

    Attributes:
        open_fetcher: the asynchronous client, open within its block.
        pipeline: the crawler itself, which does the job in its own way.
        threads, tasks, processes: of a model that has such.
    """

    requests: Sequence[Request]
    work: Work
    open_fetcher: Callable[[], AbstractAsyncContextManager[Fetcher]]
    pipeline: Callable[["Job", JobWatch], Results]
    threads: int
    tasks: int
    processes: int


Model = Callable[[Job, JobWatch], Results]
Models = Mapping[str, Model]
