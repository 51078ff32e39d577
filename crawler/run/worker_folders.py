"""The folders of the workers that share a run, as far as this machine has them.

Runs on: the main thread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from crawler.core.errors import CrawlerError, UsageError
from crawler.core.frontier_reports import WorkerReport
from crawler.core.text import safe
from crawler.run.folder import RunFacts, RunFolder


@dataclass(frozen=True, slots=True)
class OwnFolder:
    """The folder of a worker, and the facts that it was begun with."""

    path: RunFolder
    facts: RunFacts


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one worker in a run.

    Attributes:
        folder: its folder; None = it is not here.
        lack: the reason for that, in words.
    """

    worker: WorkerReport
    folder: OwnFolder | None
    lack: str = ""


def parts_of(workers: Iterable[WorkerReport], run: str, copies: Sequence[Path]) -> list[Part]:
    """Return the parts of all workers of a run; `copies` are folders that were copied here, and come first.

    Raises:
        UsageError: a copy is no folder of a worker of this run.
    """
    workers = list(workers)
    copied: dict[int, OwnFolder] = {}
    for path in copies:
        folder = RunFolder(path)
        own = OwnFolder(folder, folder.read_facts())
        number = _worker_in(own, run)
        if number not in {worker.id for worker in workers}:
            raise UsageError(f"{safe(str(path))} is no folder of a worker of run {run}: name one of its folders")
        if number in copied:
            raise UsageError(f"{safe(str(path))} is a second folder of worker {number}: name one of them")
        copied[number] = own
    return [Part(worker, copied[worker.id]) if worker.id in copied else _found(worker, run) for worker in workers]


def only_part(workers: Iterable[WorkerReport], own: OwnFolder) -> list[Part]:
    """Return the parts of all workers, of which only the one with this folder is looked at."""
    lack = "only one folder was named; name the database for all"
    return [Part(worker, own) if worker.id == own.facts.worker else Part(worker, None, lack) for worker in workers]


def _found(worker: WorkerReport, run: str) -> Part:
    """Look for the folder of a worker where it says that it works."""
    host, _, path = worker.place.partition(":")
    shown = safe(path)
    if host != gethostname():
        return Part(worker, None, f"its folder is on {safe(host, 100)}: {shown}; name a copy of it")
    folder = RunFolder(Path(path))
    if not folder.config.exists():
        return Part(worker, None, f"its folder is gone: {shown}; name it if it has moved")
    try:
        own = OwnFolder(folder, folder.read_facts())
    except CrawlerError as error:
        return Part(worker, None, str(error))
    if _worker_in(own, run) != worker.id:
        return Part(worker, None, f"its folder holds another run now: {shown}; name it if it has moved")
    return Part(worker, own)


def _worker_in(own: OwnFolder, run: str) -> int | None:
    """Return the number of the worker of this run whose folder it is; None = it is no such folder."""
    return own.facts.worker if own.facts.config.shared.name == run else None
