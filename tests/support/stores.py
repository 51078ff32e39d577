"""The stores of a frontier, so that one test of its behaviour runs on each: `store` of tests/frontier/conftest.py."""

import itertools
import secrets
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from crawler.frontier.audit import FrontierAudit
from crawler.frontier.decisions import Decisions
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.postgres import runs
from crawler.frontier.postgres.at_rest import PostgresAtRest
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership
from crawler.frontier.sqlite.at_rest import SqliteAtRest
from crawler.frontier.sqlite.frontier import SqliteFrontier

LEASE = 3600.0  # seconds; no test of behaviour waits for its end
AnyFrontier = SqliteFrontier | PostgresFrontier


class Store(Protocol):
    """One kind of store."""

    def frontier(self, folder: Path, board: MappedBoard, policy: FrontierPolicy | None = None) -> AnyFrontier:
        """Return the frontier of the run in this folder, which is begun if it is new."""
        ...


class SqliteStore:
    """A file in the run's folder."""

    def frontier(self, folder: Path, board: MappedBoard, policy: FrontierPolicy | None = None) -> AnyFrontier:
        """Return the frontier in the folder."""
        path = folder / "frontier.sqlite"
        return SqliteFrontier(path, board, create=not path.exists(), policy=policy)


class PostgresStore:
    """A run in the database `dsn`; the folder holds its name."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._sessions: list[Session] = []

    def close(self) -> None:
        """End the connections of frontiers that were not closed."""
        for session in self._sessions:
            session.close()

    def frontier(self, folder: Path, board: MappedBoard, policy: FrontierPolicy | None = None) -> AnyFrontier:
        """Return the frontier of the run's only worker."""
        name = folder / "name"
        if not name.exists():
            name.write_text(f"t{secrets.token_hex(8)}")
            runs.begin_run(self._dsn, name.read_text(), {}, max_pages=None, place="here")
        session = Session(self._dsn, name.read_text(), 1, LEASE)
        self._sessions.append(session)
        return PostgresFrontier(session, Membership(1), board, policy)


class _Current:
    """The store that tests use, and where it has frontiers."""

    store: Store = SqliteStore()


def use(store: Store) -> AbstractContextManager[None]:
    """Use this store within the block."""
    return _Used(store)


class _Used(AbstractContextManager[None]):
    def __init__(self, store: Store) -> None:
        self._before, self._store = _Current.store, store

    def __enter__(self) -> None:
        _Current.store = self._store

    def __exit__(self, *_: object) -> None:
        _Current.store = self._before


def is_postgres() -> bool:
    """Return whether the frontiers are in PostgreSQL."""
    return isinstance(_Current.store, PostgresStore)


def only_sqlite(why: str) -> None:
    """Skip the test on another store."""
    if is_postgres():
        pytest.skip(f"of SQLite alone: {why}")


def frontier_in(folder: Path, board: MappedBoard, policy: FrontierPolicy | None = None) -> AnyFrontier:
    """Return the frontier of the run in this folder, in the store that is used."""
    return _Current.store.frontier(folder, board, policy)


def decisions(frontier: AnyFrontier) -> Decisions:
    """Return the decisions of a frontier."""
    return frontier._decisions


def rows(frontier: AnyFrontier, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query in the SQL that the stores share."""
    return list(decisions(frontier)._db.rows(query, *values))


def execute(frontier: AnyFrontier, statement: str) -> None:
    """Change the tables behind the frontier's back."""
    decisions(frontier)._db.change(statement)


def connection(frontier: AnyFrontier) -> sqlite3.Connection:
    """Return the connection of a frontier in SQLite."""
    assert isinstance(frontier, SqliteFrontier)
    return frontier._db


def cut_off(frontier: AnyFrontier) -> None:
    """End the connection of a frontier as a kill of the process does."""
    if isinstance(frontier, SqliteFrontier):
        frontier._db.close()
    else:
        frontier._session.close()


def audit_of(frontier: AnyFrontier, name: str = "frontier.sqlite") -> FrontierAudit:
    """Return the audit of a frontier while it works, over its own connection."""
    if isinstance(frontier, SqliteFrontier):
        return FrontierAudit(SqliteAtRest(frontier._db, name, is_closed=False))
    return FrontierAudit(PostgresAtRest(frontier._session.tables.db, name))


_NUMBERS = itertools.count(1)


def break_table(frontier: AnyFrontier, event: str, table: str) -> None:
    """Let each statement of this kind fail from now on."""
    db = decisions(frontier)._db
    if isinstance(frontier, SqliteFrontier):
        no = "SELECT RAISE(ABORT, 'the disk says no')"
        frontier._db.execute(f"CREATE TRIGGER no BEFORE {event} ON {table} BEGIN {no}; END")
        return
    name = f"no_{next(_NUMBERS)}"
    body = "BEGIN RAISE EXCEPTION USING MESSAGE = 'the disk says no'; END"
    db.change(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS '{body.replace(chr(39), chr(39) * 2)}'")
    db.change(f"CREATE TRIGGER no BEFORE {event} ON {table} EXECUTE FUNCTION {name}()")


def mend_table(frontier: AnyFrontier, table: str) -> None:
    """Let statements succeed again."""
    execute(frontier, "DROP TRIGGER no" + (f" ON {table}" if is_postgres() else ""))
