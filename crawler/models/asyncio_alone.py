"""asyncio alone: one thread waits for hundreds of sockets, and parses and writes on the event loop, too.

Waits overlap, at the price of a task each instead of a thread. But the loop is one thread: while it parses or writes,
no other task runs. Loop lag is the time that a timer, or a response that has arrived, waits for the loop.
Runs on: the event loop. (uvloop keeps four threads for name lookups; they are idle here.)
"""

import asyncio
from collections.abc import Awaitable, Callable

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.models.job import Job, JobFailure, JobWatch, Result, Results
from crawler.runtime.loop import LagProbe, loop_factory


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C the runner cancels every task, and then raises."""

    async def keep(response: Response) -> Result:
        return job.work.keep(response)  # blocks the loop

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(fetch_all(job, watch, keep))


async def fetch_all(job: Job, watch: JobWatch, keep: Callable[[Response], Awaitable[Result]]) -> Results:
    """Fetch every page in a task of its own, `Job.tasks` at once, and read and write it with `keep`."""
    results, slots = Results(), asyncio.Semaphore(job.tasks)
    async with job.open_fetcher() as fetcher, LagProbe() as probe:

        async def fetch(request: Request) -> None:
            try:
                response = await fetcher.fetch(request)
            except FetchError as error:
                results[request.url.href] = JobFailure(error.reason)
            else:
                results[request.url.href] = await keep(response)
            finally:
                slots.release()

        with watch:
            async with asyncio.TaskGroup() as group:
                for request in job.requests:
                    await slots.acquire()  # before the task exists
                    group.create_task(fetch(request))
        watch.lag = probe.worst
    return results
