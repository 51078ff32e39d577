"""Measures one model, which does the job in this process.

Rules
- A model enters `with watch:` when its workers are ready; the block is its own time.
- The results and files of every model are digested in the same way, so that they can be compared.
Runs on: the main thread of a process of its own.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from pathlib import Path

from crawler.core.errors import CrawlerError
from crawler.core.text import error_line
from crawler.models.figures import Figures
from crawler.models.job import Job, JobFailure, JobPage, Model, Results
from crawler.models.process_tree import Cost, TreeSize, age, cost_so_far, tree_size
from crawler.runtime.worker_lane import CannotStart, WorkerDied


class Stopwatch:
    """Time and cost of a block, and the age of this process when the block began."""

    def __init__(self) -> None:
        self.lag: float | None = None
        self.start = self.seconds = 0.0
        self.cost = Cost()
        self.size = TreeSize()

    def __enter__(self) -> None:
        self.start = age()
        self._cost = cost_so_far()
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self.cost = cost_so_far() - self._cost
        self.size = tree_size(os.getpid())


def measure(name: str, model: Model, job: Job, folder: Path) -> Figures:
    """Do the job, which writes its files below `folder`, and return its figures.

    Raises:
        KeyboardInterrupt: on Ctrl-C; every process and thread of the model has ended.
    """
    watch, results, ended = Stopwatch(), Results(), None
    job.work.prepare()
    try:
        results = model(job, watch)
    except (BrokenExecutor, CrawlerError, WorkerDied, CannotStart) as error:
        ended = error_line(error, 300)
    return Figures(
        model=name,
        start=watch.start,
        seconds=watch.seconds,
        ended=ended,
        pages=sum(isinstance(result, JobPage) for result in results.values()),
        failures={url: result.reason for url, result in results.items() if isinstance(result, JobFailure)},
        cpu=watch.cost.cpu,
        delayed=watch.cost.delayed,
        voluntary=watch.cost.voluntary,
        forced=watch.cost.forced,
        lag=watch.lag,
        processes=watch.size.processes,
        threads=watch.size.threads,
        memory=watch.size.memory,
        results=_digest(repr((url, tuple(result))) for url, result in results.items()),
        files=_digest(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()),
    )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
