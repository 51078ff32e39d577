"""READS documents: what is in here is picklable, so that a worker process can run it."""
