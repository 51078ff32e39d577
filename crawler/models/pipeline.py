"""The crawler itself: an event loop, processes that read pages, and a thread that writes.

Each model where it is best: tasks wait for servers, processes parse without sharing a GIL, one thread writes groups and
syncs them. It does more than the others (a frontier on disk survives a crash). `models/assemble.py` hands it over
whole: nothing of it is copied here.
Runs on: the event loop, `Job.processes` processes, and the storage thread.
"""

from crawler.models.job import Job, JobWatch, Results


def run(job: Job, watch: JobWatch) -> Results:
    """Do the job."""
    return job.pipeline(job, watch)
