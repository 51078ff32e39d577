"""One page after the other.

The thread waits for each response, and does nothing else meanwhile: the baseline of all models, and the simplest code.
Runs on: the main thread.
"""

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    with watch:
        return {request.url.href: job.work.page(request) for request in job.requests}
