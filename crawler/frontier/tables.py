"""The tables of a frontier, as its decisions work with them: rows are read and written as sets.

Rules
- Queries are written once, in the SQL that both stores have in common; `?` stands for a value, AMONG for a set of them.
- What a transaction has written is read by its own queries at once, and by others after its COMMIT.
Runs on: anywhere (pure); an implementation on the thread that has its connection.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from crawler.core.urls import Url

Row = Any
"""A tuple of the values of a row's columns."""


class Merge(Enum):
    """A way to merge a value into a column, as SQL: `{0}` is the column and `{1}` the value."""

    ADD = "{0} + {1}"
    KEEP = "coalesce({0}, {1})"  # the first value that there was
    SET = "coalesce({1}, {0})"  # NULL = as it was


class Tables(Protocol):
    """The tables of one run, within one connection.

    Attributes:
        is_far: each query is a round trip to a server, so it pays to ask for a set ahead of its use.
    """

    is_far: bool

    def rows(self, query: str, *values: object) -> Iterable[Row]:
        """Return the rows of a query; few enough to be in memory at once."""
        ...

    def scan(self, query: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query, however many."""
        ...

    def row(self, query: str, *values: object) -> Row | None:
        """Return the first row of a query; None = it has none."""
        ...

    def among(self, values: Iterable[int | str]) -> object:
        """Return the parameter for AMONG that stands for these values."""
        ...

    def rows_with(self, table: str, keys: Sequence[str], column: str, wanted: Iterable[Row]) -> Iterable[Row]:
        """Return the keys and this column of the rows with these keys, as far as there are."""
        ...

    def change(self, statement: str, *values: object) -> int:
        """Execute a statement; return the number of rows that it changed."""
        ...

    def change_each(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute a statement once for each of these rows of values."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert new rows."""
        ...

    def insert_missing(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert those rows whose keys are not there."""
        ...

    def put(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows, each in the place of the one with its keys; a row has its keys first."""
        ...

    def add(self, table: str, keys: Sequence[str], column: str, rows: Iterable[Row]) -> None:
        """Add to the number in this column of the rows with these keys; a row that is not there begins with 0."""
        ...

    def update(self, table: str, columns: Sequence[str], key: str, rows: Iterable[Row]) -> None:
        """Set these columns of the rows with these keys; a row has its key last."""
        ...

    def merge(self, table: str, columns: Sequence[tuple[str, Merge]], key: str, rows: Iterable[Row]) -> None:
        """Merge values into these columns of the rows with these keys; a row has its key last."""
        ...

    def new_url(self) -> int:
        """Return the number of a new row of `url`: higher than all that this process was given before."""
        ...


class UrlKeys(Protocol):
    """The index of the rows of `url` by the 128-bit digest of their URLs.

    Attributes:
        columns: of `url`, in which this index keeps what `values` returns for a key.
    """

    columns: tuple[str, ...]

    def values(self, key: bytes) -> tuple[Any, ...]:
        """Return the values of `columns` in the row with this key."""
        ...

    def shapes(self, keys: Mapping[bytes, str]) -> Sequence[tuple[bytes, int, str]]:
        """Return the key, the row and its shape of each of these keys that is known; the values are their URLs."""
        ...

    def find(self, url: Url) -> int | None:
        """Return the row of a URL; None = there is none."""
        ...

    def write(self, added: Iterable[tuple[bytes, int]], changed: Collection[tuple[str, bytes]]) -> None:
        """Take the keys of new rows into the transaction, and changed shapes by key; the rows are written already."""
        ...

    def keep(self) -> None:
        """Take over what the committed transaction wrote."""
        ...

    def forget(self) -> None:
        """Drop what the transaction that was rolled back wrote."""
        ...


def or_replace(keys: Sequence[str], columns: Sequence[str]) -> str:
    """Return the end of an INSERT that sets these columns where the keys are there, as both stores spell it."""
    changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def or_add(table: str, keys: Sequence[str], column: str) -> str:
    """Return the end of an INSERT that adds to this column where the keys are there, as both stores spell it."""
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {column} = {table}.{column} + excluded.{column}"
