"""What a request costs with each of the two clients, so that nobody takes a client's cost for a model's.

Rules
- Requests only: nothing is read and nothing is written. The first few, which open connections, are not counted.
Runs on: the main thread and an event loop of a process of its own.
"""

import asyncio
import time
from collections.abc import Sequence

from crawler.core.modelfacts import ClientCosts
from crawler.core.models import Request
from crawler.core.protocols import Fetcher
from crawler.models.job import Job
from crawler.runtime.loop import loop_factory

_WARM_UP = 10
_MOST = 200


def client_costs(job: Job) -> ClientCosts:
    """Processor seconds per request: of http.client one after the other, and of our fetcher with all at once."""
    first, requests = job.requests[:_WARM_UP], job.requests[:_MOST]
    for request in first:
        job.work.fetch(request)
    began = time.process_time()
    for request in requests:
        job.work.fetch(request)
    blocking = (time.process_time() - began) / len(requests)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        asynchronous = runner.run(_asynchronous(job, first, requests))
    return ClientCosts(blocking=blocking, asynchronous=asynchronous)


async def _asynchronous(job: Job, first: Sequence[Request], requests: Sequence[Request]) -> float:
    async with job.open_fetcher() as fetcher:
        await _fetch_all(fetcher, first)
        began = time.process_time()
        await _fetch_all(fetcher, requests)
        return (time.process_time() - began) / len(requests)


async def _fetch_all(fetcher: Fetcher, requests: Sequence[Request]) -> None:
    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(fetcher.fetch(request))
