"""asyncio, and threads for what would hold the loop up: `run_in_executor`.

The loop only waits; parsing and writing happen in a few threads. Writing lets go of the GIL. Parsing does not, so it
still takes turns with the loop: the loop is late by switch intervals instead of whole pages, and no faster.
Runs on: the event loop, and as many threads as the machine has cores.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.models.job import Job, JobFailure, JobWatch, Results
from crawler.runtime.loop import LagProbe, loop_factory


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C the runner cancels every task, and then raises."""
    with ThreadPoolExecutor(job.processes) as pool, asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_fetch_all(job, watch, pool))


async def _fetch_all(job: Job, watch: JobWatch, pool: ThreadPoolExecutor) -> Results:
    results, slots = Results(), asyncio.Semaphore(job.tasks)
    in_thread = asyncio.get_running_loop().run_in_executor
    async with job.open_fetcher() as fetcher, LagProbe() as probe:

        async def fetch(request: Request) -> None:
            try:
                response = await fetcher.fetch(request)
            except FetchError as error:
                results[request.url.href] = JobFailure(error.reason)
            else:
                results[request.url.href] = await in_thread(pool, job.work.keep, response)
            finally:
                slots.release()

        with watch:
            async with asyncio.TaskGroup() as group:
                for request in job.requests:
                    await slots.acquire()  # a slot before a task exists
                    group.create_task(fetch(request))
        watch.lag = probe.worst
    return results
