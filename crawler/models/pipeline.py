"""The crawler itself: an event loop, processes that read pages, and a thread that writes.

Each model where it is best: tasks wait for servers, processes parse past the GIL, one thread writes in groups and syncs
them. It does more than the others on the way (a frontier on disk that a crash cannot hurt), and is handed over whole
by `models/assemble.py`: nothing of it is copied here.
Runs on: the event loop, as many processes as asked for, and the storage thread.
"""

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    return job.pipeline(job, watch)
