"""The cost of a request with each of the two clients, to tell a client's cost from a model's.

Rules
- Only requests are measured: no page is read or written. The first few, which open connections, do not count.
- A failed request counts like any other; the rows of the models report failures.
Runs on: the main thread and an event loop of a process of its own.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.protocols import Fetcher
from crawler.models.figures import ClientCosts
from crawler.models.job import Job, Work
from crawler.runtime.loop import loop_factory

_WARM_UP = 10
_MOST = 200


def client_costs(job: Job) -> ClientCosts:
    """Return processor seconds per request: of http.client one by one, and of the crawler's fetcher all at once."""
    first, requests = job.requests[:_WARM_UP], job.requests[:_MOST]
    _fetch_each(job.work, first)
    began = time.process_time()
    _fetch_each(job.work, requests)
    blocking = (time.process_time() - began) / len(requests)

    async def measure() -> float:
        async with job.open_fetcher() as fetcher:
            await _fetch_all(fetcher, first)
            began = time.process_time()
            await _fetch_all(fetcher, requests)
            return (time.process_time() - began) / len(requests)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return ClientCosts(blocking=blocking, asynchronous=runner.run(measure()))


def _fetch_each(work: Work, requests: Sequence[Request]) -> None:
    for request in requests:
        with suppress(FetchError):
            work.fetch(request)


async def _fetch_all(fetcher: Fetcher, requests: Sequence[Request]) -> None:
    async def fetch(request: Request) -> None:
        with suppress(FetchError):
            await fetcher.fetch(request)

    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(fetch(request))
