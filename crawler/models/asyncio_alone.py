"""One thread that waits for hundreds of sockets at once: asyncio, and everything on the loop.

Waits overlap, for the price of a task each instead of a thread. But a loop is one thread: while it parses or writes,
nobody is served. Loop lag is the time that a timer, or an answer that has arrived, waits for its turn.
Runs on: the event loop. (uvloop keeps four threads that look up names; they rest here.)
"""

import asyncio

from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.models.job import Job, JobFailure, JobWatch, Results
from crawler.runtime.loop import LagProbe, loop_factory


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C the runner cancels every task, and then raises."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_fetch_all(job, watch))


async def _fetch_all(job: Job, watch: JobWatch) -> Results:
    results, slots = Results(), asyncio.Semaphore(job.tasks)
    async with job.open_fetcher() as fetcher, LagProbe() as probe:

        async def fetch(request: Request) -> None:
            try:
                response = await fetcher.fetch(request)
            except FetchError as error:
                results[request.url.href] = JobFailure(error.reason)
            else:
                results[request.url.href] = job.work.keep(response)  # here the loop stands still
            finally:
                slots.release()

        with watch:
            async with asyncio.TaskGroup() as group:
                for request in job.requests:
                    await slots.acquire()  # a slot before a task exists
                    group.create_task(fetch(request))
        watch.lag = probe.worst
    return results
