"""One connection to PostgreSQL: the SQL that both stores share, in psycopg's words.

Rules
- Transactions are begun and ended by name (autocommit), so that none is open while this process waits for others.
- What is committed is on the disk, or the connection is refused: `synchronous_commit` and `fsync` are on.
- The server ends a transaction whose client has gone silent, so an orphan never holds a lock for long.
Runs on: the thread that made it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo

from crawler.core.errors import StorageError, UsageError
from crawler.core.text import safe

_ORPHAN = 10  # seconds that the server lets a transaction wait for its client
_LONGEST = 300  # seconds for one statement
_SETTINGS: Mapping[str, object] = {
    "application_name": "crawler",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SESSION = (
    "SET synchronous_commit TO on",
    "SET client_encoding TO 'UTF8'",
    "SET default_transaction_isolation TO 'read committed'",
    f"SET idle_in_transaction_session_timeout TO '{_ORPHAN}s'",
    f"SET statement_timeout TO '{_LONGEST}s'",
    "SET client_min_messages TO warning",
)


class Connection:
    """A connection to the database that `dsn` names.

    Raises:
        UsageError: `dsn` is none.
        StorageError: the database cannot be used; the message says why.
        psycopg.OperationalError: nobody answers, or not for now.
    """

    def __init__(self, dsn: str) -> None:
        parts = parse_dsn(dsn)
        self._db = psycopg.connect(**{**_SETTINGS, **parts}, autocommit=True)
        try:
            self._begin_session()
        except BaseException:
            self._db.close()
            raise

    def _begin_session(self) -> None:
        for statement in _SESSION:
            self.execute(statement)
        wanted = {"synchronous_commit": {"on", "remote_write", "remote_apply", "local"}, "fsync": {"on"}}
        for setting, values in {**wanted, "server_encoding": {"UTF8"}}.items():
            row = self.row(f"SHOW {setting}")
            if row is None or row[0] not in values:
                found = "nothing" if row is None else row[0]
                raise StorageError(
                    f"the database has {setting} = {found}: it must be {min(values)}, or what it confirms may be lost"
                )

    @property
    def is_lost(self) -> bool:
        """Return whether the server is gone, or has ended this connection."""
        return self._db.closed or self._db.broken

    def execute(self, query: str, *values: object) -> psycopg.Cursor[Any]:
        """Execute a statement."""
        return self._db.execute(spelled(query), values or None)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.execute(query, *values).fetchall()

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of a query; None = it has none."""
        found: tuple[Any, ...] | None = self.execute(query, *values).fetchone()
        return found

    def scan(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, a thousand at a time."""
        is_alone = self._db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._db.cursor(f"scan_{id(values)}", withhold=is_alone) as cursor:
            cursor.itersize = 1000
            cursor.execute(spelled(query), values or None)
            yield from cursor

    def execute_each(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute a statement once for each of these rows of values, without waiting in between."""
        with self._db.cursor() as cursor:
            cursor.executemany(spelled(query), rows)

    def begin(self) -> None:
        """Begin a transaction."""
        self.execute("BEGIN")

    def commit(self) -> None:
        """Make the transaction durable; after a lost connection nobody knows whether it is."""
        self.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo the transaction, if there is one; a server that loses this connection undoes it by itself."""
        if not self.is_lost and self._db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with suppress(psycopg.OperationalError):  # the error that led here is the one to tell
                self.execute("ROLLBACK")

    def close(self) -> None:
        """End the connection; an open transaction is undone."""
        self._db.close()


def is_dsn(text: str) -> bool:
    """Return whether this names a database, and no folder."""
    return text.startswith(("postgresql://", "postgres://"))


def parse_dsn(dsn: str) -> dict[str, Any]:
    """Return the parts of a name like `postgresql://USER@HOST/DB`.

    Raises:
        UsageError: it is none; the message does not show it, as it may hold a password.
    """
    if not is_dsn(dsn):
        raise UsageError(f"{shown(dsn)!r} names no database: write postgresql://USER@HOST/DB")
    try:
        return conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # it quotes parts of what may be a password
        advice = "write postgresql://USER@HOST/DB, and / # ? % and blanks in a password as %2F %23 %3F %25 %20"
        raise UsageError(f"{shown(dsn)}: no name of a database: {advice}") from None


def shown(dsn: str) -> str:
    """Return the name of a database without its password and its settings."""
    try:
        parts = urlsplit(dsn)
        if "@" in parts.path + parts.query + parts.fragment or parts.port == 0:  # of a password that is not escaped
            return f"{parts.scheme}://..."
        name = f"{parts.username}@" if parts.username else ""
        return safe(f"{parts.scheme}://{name}{parts.netloc.rpartition('@')[2]}{parts.path}", 120)
    except ValueError:  # what should be a port is no number
        return f"{safe(dsn.partition(':')[0], 20)}://..."


@lru_cache(maxsize=1000)
def spelled(query: str) -> str:
    """Return a query in the words of psycopg."""
    return query.replace("%", "%%").replace("?", "%s")
