"""Frontiers of one run in either store: made, changed behind their backs, and opened at rest."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from crawler.core.protocols import Frontier
from crawler.frontier.at_rest import FrontierAtRest
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.postgres import at_rest as postgres
from crawler.frontier.postgres import runs
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership
from crawler.frontier.sqlite import at_rest as sqlite
from crawler.frontier.sqlite.frontier import SqliteFrontier

RUN = "docs"


class Store(Protocol):
    """The place of a run's frontier."""

    def frontier(self, policy: FrontierPolicy | None = None) -> Frontier:
        """Return the frontier of a new run, to be opened."""
        ...

    def change(self, statements: str) -> None:
        """Change it behind its back."""
        ...

    def at_rest(self) -> AbstractContextManager[FrontierAtRest]:
        """Open it for reading."""
        ...


class InFolder:
    """A frontier in a file of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "frontier.sqlite"

    def frontier(self, policy: FrontierPolicy | None = None) -> SqliteFrontier:
        """Return the frontier of the run, which is begun if there is none, to be opened."""
        board = MappedBoard(self._path.with_name("board"), 8)
        return SqliteFrontier(self._path, board, create=not self._path.exists(), policy=policy)

    def change(self, statements: str) -> None:
        """Change the file behind its back."""
        with closing(sqlite3.connect(self._path)) as db:
            db.executescript(statements)

    def at_rest(self) -> AbstractContextManager[FrontierAtRest]:
        """Open it for reading."""
        return sqlite.at_rest(self._path)


class InDatabase:
    """A frontier in the database `dsn`; the boards of its workers are in `folder`."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self._folder = folder

    def frontier(self, policy: FrontierPolicy | None = None) -> PostgresFrontier:
        """Return the frontier of the first worker of a new run, to be opened."""
        return self.worker(runs.begin_run(self.dsn, RUN, {}, max_pages=None, place="m:/w1"), policy)

    def join(self, policy: FrontierPolicy | None = None) -> PostgresFrontier:
        """Return the frontier of one more worker, to be opened."""
        return self.worker(runs.join_run(self.dsn, RUN, "m:/more"), policy)

    def worker(self, number: int, policy: FrontierPolicy | None = None) -> PostgresFrontier:
        """Return the frontier of a worker that has joined, to be opened."""
        board = MappedBoard(self._folder / f"board-{number}", 8)
        return PostgresFrontier(Session(self.dsn, RUN, number, 30.0), Membership(number), board, policy)

    def change(self, statements: str) -> None:
        """Change the tables behind its back."""
        with psycopg.connect(self.dsn, options=f"-c search_path=crawler_{RUN}", autocommit=True) as db:
            db.execute(statements.encode())

    def at_rest(self) -> AbstractContextManager[FrontierAtRest]:
        """Open it for reading."""
        return postgres.at_rest(self.dsn, RUN)


@contextmanager
def audited(store: Store) -> Iterator[FrontierAudit]:
    """Open a frontier for its audit."""
    with store.at_rest() as frontier:
        yield FrontierAudit(frontier)


def problems(store: Store) -> list[str]:
    """Return the faults that an audit finds."""
    with audited(store) as audit:
        return list(audit.problems())
