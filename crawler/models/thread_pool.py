"""Threads by the dozen, without a queue in sight: `concurrent.futures.ThreadPoolExecutor`.

The same threads as in `threads.py`. The pool keeps the queue, and hands each result, or error, over as a future.
Runs on: as many threads as asked for; the main thread collects.
"""

from concurrent.futures import ThreadPoolExecutor

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C, `map` takes back what has not begun, and the pool waits for the rest."""
    with ThreadPoolExecutor(job.threads) as pool, watch:
        results = pool.map(job.work.page, job.requests)
        return {request.url.href: result for request, result in zip(job.requests, results, strict=True)}
