"""READS documents: its tasks and results are picklable, since worker processes run it."""
