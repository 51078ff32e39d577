"""The tables of a run in PostgreSQL (`frontier/tables.py` says what each method does).

Rules
- Sets of rows travel as one array for each column, in one statement: a sixth of the time of a statement for each row.
- Rows of a set are sorted by their keys where others may write the same ones, so that no two wait for each other.
- A text has no NUL in PostgreSQL; it becomes U+FFFD.
Runs on: the thread that has the connection.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from crawler.core.urls import Host
from crawler.frontier.columns import AMONG
from crawler.frontier.postgres.connection import Connection
from crawler.frontier.postgres.schema import TYPES
from crawler.frontier.tables import Merge, Row, or_add, or_replace

_BLOCK = 1000  # numbers that one draw from the sequence gives
_FREE_TEXT = {"rejected", "bad_link"}


class PostgresTables:
    """The tables of the run that `db` works with."""

    is_far = True

    def __init__(self, db: Connection) -> None:
        self.db = db
        self._next_url = self._last_url = 0

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query."""
        return self.db.rows(query, *values)

    def scan(self, query: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query, however many."""
        return self.db.scan(query, *values)

    def row(self, query: str, *values: object) -> Row | None:
        """Return the first row of a query; None = it has none."""
        return self.db.row(query, *values)

    def among(self, values: Iterable[int | str]) -> object:
        """Return the parameter for AMONG that stands for these values."""
        return list(values)

    def rows_with(self, table: str, keys: Sequence[str], column: str, wanted: Iterable[Row]) -> Iterable[Row]:
        """Return the keys and this column of the rows with these keys, as far as there are."""
        if not (found := sorted(wanted)):
            return []
        arrays = [_array(values, TYPES[table, key]) for key, values in zip(keys, zip(*found, strict=True), strict=True)]
        return self.db.rows(_with_keys(table, tuple(keys), column), *arrays)

    def change(self, statement: str, *values: object) -> int:
        """Execute a statement; return the number of rows that it changed."""
        return self.db.execute(statement, *values).rowcount

    def change_each(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute a statement once for each of these rows of values."""
        if found := list(rows):
            self.db.execute_each(statement, found)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert new rows."""
        self._send(_insert(table, tuple(columns)), table, columns, rows)

    def insert_missing(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert those rows whose keys are not there."""
        self._send(_insert(table, tuple(columns), "ON CONFLICT DO NOTHING"), table, columns, sorted(set(rows)))

    def put(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows, each in the place of the one with its keys."""
        last = {row[: len(keys)]: row for row in rows}
        statement = _put(table, tuple(keys), tuple(columns))
        self._send(statement, table, (*keys, *columns), [last[key] for key in sorted(last)])

    def add(self, table: str, keys: Sequence[str], column: str, rows: Iterable[Row]) -> None:
        """Add to the number in this column of the rows with these keys."""
        self._send(_add(table, tuple(keys), column), table, (*keys, column), sorted(rows))

    def update(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Row]) -> None:
        """Set these columns of the rows with these keys."""
        last = {row[-1]: row for row in rows}
        self._send(_update(table, tuple(columns), key), table, (*columns, key), last.values())

    def merge(self, table: str, columns: Sequence[tuple[str, Merge]], key: str, rows: Iterable[Row]) -> None:
        """Merge values into these columns of the rows with these keys."""
        names = [name for name, _ in columns]
        self._send(_merge(table, tuple(columns), key), table, (*names, key), rows)

    def host_ids(self, hosts: Iterable[Host]) -> dict[Host, int]:
        """Return the rows of these hosts, as far as they have one."""
        return dict(self.db.rows(f"SELECT name, id FROM host WHERE name {AMONG}", list(hosts)))  # noqa: S608

    def new_url(self) -> int:
        """Return the number of a new row of `url`; a number may be given to no row, and never to two."""
        if self._next_url >= self._last_url:
            ((first,),) = self.db.rows("SELECT nextval('url_number')")
            self._next_url, self._last_url = first, first + _BLOCK
        self._next_url += 1
        return self._next_url - 1

    def _send(self, statement: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        arrays = [
            _array(values, TYPES[table, column], has_any_text=table in _FREE_TEXT)
            for column, values in zip(columns, zip(*rows, strict=True), strict=False)  # of no rows there is no column
        ]
        if arrays:
            self.db.execute(statement, *arrays)


def _array(values: Iterable[Any], kind: str, *, has_any_text: bool = False) -> list[Any]:
    """Return the values of a column as an array, all of one type."""
    if kind == "double precision":
        return [None if value is None else float(value) for value in values]
    if kind == "text":
        found = [None if value is None else str(value) for value in values]
        return [value and value.replace("\0", "\ufffd") for value in found] if has_any_text else found
    return list(values)


def _arrays(table: str, columns: Iterable[str]) -> str:
    return ", ".join(f"?::{TYPES[table, column]}[]" for column in columns)


@lru_cache(maxsize=1000)
def _insert(table: str, columns: tuple[str, ...], otherwise: str = "") -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_arrays(table, columns)}) {otherwise}"  # noqa: S608


@lru_cache(maxsize=1000)
def _put(table: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    return _insert(table, (*keys, *columns), or_replace(keys, columns))


@lru_cache(maxsize=1000)
def _add(table: str, keys: tuple[str, ...], column: str) -> str:
    return _insert(table, (*keys, column), or_add(table, keys, column))


@lru_cache(maxsize=1000)
def _update(table: str, columns: tuple[str, ...], key: str) -> str:
    return _update_by(table, {column: f'given."{column}"' for column in columns}, key)


@lru_cache(maxsize=1000)
def _merge(table: str, columns: tuple[tuple[str, Merge], ...], key: str) -> str:
    changes = {name: how.value.format(f'{table}."{name}"', f'given."{name}"') for name, how in columns}
    return _update_by(table, changes, key)


def _update_by(table: str, values: Mapping[str, str], key: str) -> str:
    changes = ", ".join(f'"{column}" = {value}' for column, value in values.items())
    given = _given(table, (*values, key))
    return f'UPDATE {table} SET {changes} FROM {given} WHERE {table}."{key}" = given."{key}"'  # noqa: S608


@lru_cache(maxsize=1000)
def _with_keys(table: str, keys: tuple[str, ...], column: str) -> str:
    conditions = " AND ".join(f"{table}.{key} = given.{key}" for key in keys)
    given = _given(table, keys)
    columns = ", ".join(f"given.{key}" for key in keys)
    return f"SELECT {columns}, {table}.{column} FROM {given} JOIN {table} ON {conditions}"  # noqa: S608


def _given(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f"unnest({_arrays(table, columns)}) AS given ({names})"
