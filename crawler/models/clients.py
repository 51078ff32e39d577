"""What a request costs with each of the two clients, so that nobody takes a client's cost for a model's.

Rules
- Requests only: nothing is read and nothing is written. The first few, which open connections, are not counted.
- A request that fails is one, too: the models say that it did.
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
    """Processor seconds per request: of http.client one after the other, and of our fetcher with all at once."""
    first, requests = job.requests[:_WARM_UP], job.requests[:_MOST]
    _fetch_each(job.work, first)
    began = time.process_time()
    _fetch_each(job.work, requests)
    blocking = (time.process_time() - began) / len(requests)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        asynchronous = runner.run(_asynchronous(job, first, requests))
    return ClientCosts(blocking=blocking, asynchronous=asynchronous)


def _fetch_each(work: Work, requests: Sequence[Request]) -> None:
    for request in requests:
        with suppress(FetchError):
            work.fetch(request)


async def _asynchronous(job: Job, first: Sequence[Request], requests: Sequence[Request]) -> float:
    async with job.open_fetcher() as fetcher:
        await _fetch_all(fetcher, first)
        began = time.process_time()
        await _fetch_all(fetcher, requests)
        return (time.process_time() - began) / len(requests)


async def _fetch_all(fetcher: Fetcher, requests: Sequence[Request]) -> None:
    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(_fetch(fetcher, request))


async def _fetch(fetcher: Fetcher, request: Request) -> None:
    with suppress(FetchError):
        await fetcher.fetch(request)
