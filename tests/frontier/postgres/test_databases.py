"""support.databases: servers that stop and start, fresh databases, and connections that are cut at a COMMIT."""

import psycopg
import pytest

from crawler.frontier.postgres.connection import Connection
from support.databases import DatabaseServer, cutting_proxy


def committed(dsn: str) -> list[int]:
    """Return the rows that the server has."""
    with psycopg.connect(dsn) as db:
        return [value for (value,) in db.execute("SELECT value FROM note ORDER BY value")]


def write(db: Connection, value: int) -> None:
    """Write a row in a transaction of its own."""
    db.begin()
    db.execute("INSERT INTO note VALUES (?)", value)
    db.commit()


@pytest.fixture
def table(database: str) -> str:
    """The DSN of a database with a table for notes."""
    with psycopg.connect(database) as db:
        db.execute("CREATE TABLE note (value integer)")
    return database


def test_a_database_is_fresh(database_server: DatabaseServer, table: str) -> None:
    """Two tests do not see each other's tables, and a forgotten connection does not keep a database."""
    with database_server.database() as other:
        forgotten = psycopg.connect(other)
        tables = forgotten.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    forgotten.close()

    assert other != table
    assert tables == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


def test_a_server_that_stopped_at_once_has_what_it_confirmed(own_server: DatabaseServer) -> None:
    """It starts again under the same name."""
    before = own_server.dsn
    with psycopg.connect(before) as db:
        db.execute("CREATE TABLE note (value integer)")

    own_server.stop_at_once()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before)
    own_server.start()

    assert own_server.dsn == before
    assert committed(before) == []


@pytest.mark.parametrize("rounds", [0, 10], ids=["plain", "prepared"])
@pytest.mark.parametrize("is_forwarded", [True, False], ids=["answer lost", "commit lost"])
def test_a_connection_is_cut_at_its_commit(table: str, *, is_forwarded: bool, rounds: int) -> None:
    """The client sees the same both times; the server has the row only if it heard of the COMMIT."""
    with cutting_proxy(table) as proxy:
        db = Connection(proxy.dsn)
        for value in range(rounds):
            write(db, value)
        proxy.cut_at_commit(is_forwarded=is_forwarded)

        with pytest.raises(psycopg.OperationalError):
            write(db, 100)
        assert db.is_lost
        db.close()
        db = Connection(proxy.dsn)
        write(db, 101)
        db.close()

    assert committed(table) == [*range(rounds), *([100] if is_forwarded else []), 101]
    assert proxy.cuts == 1


def test_all_connections_are_cut_at_once(table: str) -> None:
    """New ones are let through."""
    with cutting_proxy(table) as proxy:
        old = [Connection(proxy.dsn) for _ in range(3)]

        proxy.cut()

        for db in old:
            with pytest.raises(psycopg.OperationalError):
                db.execute("SELECT 1")
            db.close()
        db = Connection(proxy.dsn)
        write(db, 1)
        db.close()

    assert committed(table) == [1]
