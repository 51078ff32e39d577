"""The end of a pool whose process is killed at the worst moment: all is done, and the pool has not yet heard of it."""

import time
from multiprocessing import active_children
from pathlib import Path

import pytest

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import Url, parse
from crawler.core.visits import Page
from crawler.models import process_pool
from crawler.models.job import Job, JobFailure, Work


class NoClient:
    """Reaches nobody."""

    def fetch(self, _: Request) -> Response:
        """It fails."""
        raise FetchError(Reason.CONNECT_REFUSED, "nobody is there")


def nothing() -> None:
    """Prepare nothing."""


def unread(response: Response) -> Page:
    """Nothing comes that could be read."""
    raise AssertionError(response)


def unwritten(url: Url, content: bytes) -> None:
    """Nor written."""
    raise AssertionError(url, content)


class LastMoment:
    """A watch that, at the end, kills the process at the queue: it holds the lock that the other one waits for."""

    lag: float | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + 5
        while not (found := [child for child in active_children() if waits_at_a_pipe(child.pid)]):
            if time.monotonic() > deadline:
                pytest.skip("this system does not tell where a process waits")
            time.sleep(0.001)
        found[0].kill()


def waits_at_a_pipe(pid: int | None) -> bool:
    """Return whether a process waits in a kernel function with `pipe` in its name."""
    return "pipe" in Path(f"/proc/{pid}/wchan").read_text()


def test_a_process_that_dies_with_the_lock_in_its_hands_hangs_nobody() -> None:
    """The results are there, and both processes have ended."""
    requests = [Request(url=parse(f"http://127.0.0.1/{number}")) for number in range(4)]
    job = Job(
        requests=requests,
        work=Work(prepare=nothing, connect=NoClient, parse=unread, write=unwritten),
        open_fetcher=lambda: pytest.fail("it blocks"),
        pipeline=lambda _job, _watch: pytest.fail("it is another model"),
        threads=1,
        tasks=1,
        processes=2,
    )

    results = process_pool.run(job, LastMoment())

    assert results == {request.url.href: JobFailure(Reason.CONNECT_REFUSED) for request in requests}
    assert active_children() == []
