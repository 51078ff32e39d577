"""One model does the job in this process, and this file measures it.

Rules
- The model says `with watch:` when its workers stand ready; its own time is that block's.
- Whatever the model looks like, its results and files are digested in the same way, so that they can be compared.
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
from crawler.models.process_tree import Cost, TreeSize, age, cost_so_far, crowd_of
from crawler.runtime.lane import CannotStart, WorkerDied


class Stopwatch:
    """Time and cost of a block, and how long this process was there before it."""

    def __init__(self) -> None:
        self.lag: float | None = None
        self.start = self.seconds = 0.0
        self.cost = Cost()
        self.crowd = TreeSize()

    def __enter__(self) -> None:
        self.start = age()
        self._cost = cost_so_far()
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self.cost = cost_so_far() - self._cost
        self.crowd = crowd_of(os.getpid())


def measure(name: str, model: Model, job: Job, folder: Path) -> Figures:
    """Do the job, which writes its files below `folder`, and tell what it took.

    Raises:
        KeyboardInterrupt: somebody pressed Ctrl-C, and everything that the model started has ended.
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
        processes=watch.crowd.processes,
        threads=watch.crowd.threads,
        memory=watch.crowd.memory,
        results=_digest(repr((url, tuple(result))) for url, result in results.items()),
        files=_digest(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()),
    )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
