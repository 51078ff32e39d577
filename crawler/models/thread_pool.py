"""A pool of threads: `concurrent.futures.ThreadPoolExecutor`.

The same threads as in `threads.py`. The pool owns the queue, and returns each result or error as a future.
Runs on: `Job.threads` threads; the main thread collects.
"""

from concurrent.futures import ThreadPoolExecutor

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job; on Ctrl-C, `map` cancels the pages that have not begun, and the pool waits for the others."""
    with ThreadPoolExecutor(job.threads) as pool, watch:
        results = pool.map(job.work.page, job.requests)
        return {request.url.href: result for request, result in zip(job.requests, results, strict=True)}
