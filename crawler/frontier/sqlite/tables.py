"""The tables of a frontier in one SQLite file (`frontier/tables.py` says what each method does).

Rules
- Statements are texts that are made once: sqlite3 knows a prepared statement by its text.
- Rows of `url` have the ids that SQLite would give them: one more than the highest. The lock is exclusive and no row is
  ever deleted, so that is known without asking.
Runs on: the thread that has the connection.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from crawler.frontier.columns import AMONG
from crawler.frontier.tables import Merge, Row, or_add, or_replace

_AMONG = "IN (SELECT value FROM json_each(?))"


class SqliteTables:
    """The tables in the database `db`."""

    is_far = False

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._last_url: int | None = None  # unknown

    def rows(self, query: str, *values: object) -> Iterator[Row]:
        """Return the rows of a query, which are read as they are asked for."""
        return self._db.execute(_spelled(query), values)

    scan = rows

    def row(self, query: str, *values: object) -> Row | None:
        """Return the first row of a query; None = it has none."""
        found: Row | None = self._db.execute(_spelled(query), values).fetchone()
        return found

    def among(self, values: Iterable[int | str]) -> object:
        """Return the parameter for AMONG that stands for these values."""
        return msgspec.json.encode(list(values)).decode()

    def rows_with(self, table: str, keys: Sequence[str], column: str, wanted: Iterable[Row]) -> Iterable[Row]:
        """Return the keys and this column of the rows with these keys, as far as there are."""
        query = f"SELECT {column} FROM {table} WHERE {' AND '.join(f'{key} = ?' for key in keys)}"  # noqa: S608
        found = ((values, self.row(query, *values)) for values in wanted)
        return [(*values, row[0]) for values, row in found if row is not None]

    def change(self, statement: str, *values: object) -> int:
        """Execute a statement; return the number of rows that it changed."""
        return self._db.execute(_spelled(statement), values).rowcount

    def change_each(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute a statement once for each of these rows of values."""
        self._db.executemany(statement, rows)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert new rows."""
        self._db.executemany(_insert(table, tuple(columns)), rows)

    def insert_missing(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert those rows whose keys are not there."""
        self._db.executemany(_insert(table, tuple(columns), "ON CONFLICT DO NOTHING"), rows)

    def put(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows, each in the place of the one with its keys."""
        self._db.executemany(_put(table, tuple(keys), tuple(columns)), rows)

    def add(self, table: str, keys: Sequence[str], column: str, rows: Iterable[Row]) -> None:
        """Add to the number in this column of the rows with these keys."""
        self._db.executemany(_add(table, tuple(keys), column), rows)

    def update(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Row]) -> None:
        """Set these columns of the rows with these keys."""
        self._db.executemany(_update(table, tuple(columns), key), rows)

    def merge(self, table: str, columns: Sequence[tuple[str, Merge]], key: str, rows: Iterable[Row]) -> None:
        """Merge values into these columns of the rows with these keys."""
        self._db.executemany(_merge(table, tuple(columns), key), rows)

    def new_url(self) -> int:
        """Return the number of a new row of `url`."""
        if self._last_url is None:
            (self._last_url,) = self._db.execute("SELECT coalesce(max(id), 0) FROM url").fetchone()
        self._last_url += 1
        return self._last_url

    def forget(self) -> None:
        """Give the numbers of the transaction that was rolled back again."""
        self._last_url = None


@lru_cache(maxsize=1000)
def _spelled(query: str) -> str:
    """Return a query in the words of SQLite, which has no arrays."""
    return query.replace(AMONG, _AMONG)


@lru_cache(maxsize=1000)
def _insert(table: str, columns: tuple[str, ...], otherwise: str = "") -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {otherwise}"  # noqa: S608


@lru_cache(maxsize=1000)
def _put(table: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    return _insert(table, (*keys, *columns), or_replace(keys, columns))


@lru_cache(maxsize=1000)
def _add(table: str, keys: tuple[str, ...], column: str) -> str:
    return _insert(table, (*keys, column), or_add(table, keys, column))


@lru_cache(maxsize=1000)
def _update(table: str, columns: tuple[str, ...], key: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE {key} = ?"  # noqa: S608


@lru_cache(maxsize=1000)
def _merge(table: str, columns: tuple[tuple[str, Merge], ...], key: str) -> str:
    changes = ", ".join(f"{column} = {how.value.format(column, '?')}" for column, how in columns)
    return f"UPDATE {table} SET {changes} WHERE {key} = ?"  # noqa: S608
