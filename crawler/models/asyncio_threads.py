"""asyncio with threads for blocking work: `loop.run_in_executor`.

The same tasks as in `asyncio_alone.py`, but a few threads parse and write. Writing releases the GIL. Parsing does not,
so it still takes turns with the loop: the loop is late by switch intervals instead of whole pages, and no faster.
Runs on: the event loop, and as many threads as the machine has cores.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from crawler.models.asyncio_alone import fetch_all
from crawler.models.job import Job, JobWatch, Results
from crawler.runtime.loop import loop_factory


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C the runner cancels every task, and then raises."""
    with ThreadPoolExecutor(job.processes) as pool, asyncio.Runner(loop_factory=loop_factory()) as runner:
        in_thread = runner.get_loop().run_in_executor
        return runner.run(fetch_all(job, watch, lambda response: in_thread(pool, job.work.keep, response)))
