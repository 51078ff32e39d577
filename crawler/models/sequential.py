"""One page after the other.

While the server thinks, nothing else happens. It is what every other model has to beat, and the simplest to get right.
Runs on: the main thread.
"""

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    with watch:
        return {request.url.href: job.work.page(request) for request in job.requests}
