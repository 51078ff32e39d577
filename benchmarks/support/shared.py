"""Crawls in a database that several workers share: where they live, and what stands in their folders."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from crawler.frontier.postgres.runs import connected
from support.databases import running_server
from support.shared_account import account

EMBEDDED = "embedded:"
_RUNS = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a crawl's frontier: its own folder, or a run in the database `dsn` that `workers` share."""

    dsn: str | None = None
    workers: int = 1
    run: str = "run"

    @property
    def options(self) -> tuple[str, ...]:
        """Return the options of `crawler crawl` for it."""
        if self.dsn is None:
            return ()
        return ("--frontier", self.dsn, "--name", self.run, "--processes", str(self.workers))

    @property
    def title(self) -> str:
        """Return the number of its workers, for a table."""
        return "SQLite" if self.dsn is None else str(self.workers)

    def fresh(self) -> "Place":
        """Return the place of one more run in the same database."""
        return replace(self, run=f"truth_{next(_RUNS)}")

    def problems(self, folders: Sequence[Path]) -> list[str]:
        """Return the faults of a run that has ended: in the database, or between it and the folders."""
        dsn = self.dsn or ""
        command = [sys.executable, "-m", "crawler", "verify", dsn, "--name", self.run]
        verified = subprocess.run(command, check=False, capture_output=True, text=True)
        told = [f"crawler verify: {verified.stdout}{verified.stderr}"] if verified.returncode else []
        return account(dsn, folders, {}, self.run).problems + told


def folders_of(folder: Path) -> list[Path]:
    """Return the folder of a run, and those of the other workers in it."""
    return [folder, *sorted(path for path in folder.glob("worker-*") if (path / "config.toml").exists())]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--frontier` and `--workers`."""
    said = f"crawl in this empty database, too, or in a private one: {EMBEDDED}"
    parser.add_argument("--frontier", metavar="DSN", nargs="?", const=EMBEDDED, help=said)
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4], help="how many share a run, such as 1,2,4")


@contextmanager
def places(frontier: str | None, workers: Sequence[int]) -> Iterator[list[Place]]:
    """Give the places for these options: a folder alone, or a database with each number of workers."""
    if frontier is None:
        yield [Place()]
    elif frontier == EMBEDDED:
        with running_server() as server, server.database() as dsn:
            yield [Place(dsn, number) for number in workers]
    else:
        with connected(frontier):
            yield [Place(frontier, number) for number in workers]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
