"""The job that every model does: fetch each page, read it, write it to disk.

Rules
- `Work` handles one page in blocking steps. It is picklable, and all that a worker process needs.
- A failed page has its reason as the result; the other pages go on.
- Each thread has its own client, and so its own connection.
Runs on: any thread or process.
"""

import threading
from collections.abc import Callable, Sequence
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
    """The result of a page that was read."""

    sha256: str
    title: str | None
    links: int | None


class JobFailure(NamedTuple):
    """The result of a page that failed: a status, or one of the crawler's reasons."""

    reason: str


Result = JobPage | JobFailure
Results = dict[str, Result]
WORKER_DIED = JobFailure(Reason.PARSE_CRASH)


class JobClient(Protocol):
    """A client that blocks its thread."""

    def fetch(self, request: Request) -> Response:
        """Return the response, or raise FetchError."""
        ...


class JobWatch(Protocol):
    """A measurement of the block `with watch:`, in which a model does the job; its workers start before."""

    lag: float | None

    def __enter__(self) -> object: ...
    def __exit__(self, *error: object) -> None: ...


_mine = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The steps for one page; each process that does them calls `prepare` once."""

    prepare: Callable[[], None]
    connect: Callable[[], JobClient]
    parse: Callable[[Response], visits.Page]
    write: Callable[[Url, bytes], None]

    def page(self, request: Request) -> Result:
        """Do all steps for one page."""
        try:
            response = self.fetch(request)
        except FetchError as error:
            return JobFailure(error.reason)
        return self.keep(response)

    def fetch(self, request: Request) -> Response:
        """Fetch a page on this thread's own connection."""
        if not hasattr(_mine, "client"):
            _mine.client = self.connect()
        client: JobClient = _mine.client
        return client.fetch(request)

    def keep(self, response: Response) -> Result:
        """Read a response and write its content."""
        if response.status != 200:
            return JobFailure(f"status {response.status}")
        page = self.parse(response)
        self.write(response.request.url, put_together(content_steps(page.content or b"")))
        return JobPage(page.sha256, page.title, page.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The whole job, and the number of workers that a model may have.

    Attributes:
        open_fetcher: opens the asynchronous client, for the length of its block.
        pipeline: the crawler itself, which does the job in its own way.
        threads, tasks, processes: the number of workers, per kind.
    """

    requests: Sequence[Request]
    work: Work
    open_fetcher: Callable[[], AbstractAsyncContextManager[Fetcher]]
    pipeline: Callable[["Job", JobWatch], Results]
    threads: int
    tasks: int
    processes: int


Model = Callable[[Job, JobWatch], Results]
