"""The gate for psycopg's errors: each becomes a StorageError that says what to do.

Runs on: the thread that has the connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import psycopg
from psycopg import errors

from crawler.core.errors import DiskFull, StorageDamaged, StorageError
from crawler.core.text import safe

AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
"""Errors after which a transaction was undone, and may succeed when it is tried again."""

_AWAY = (
    *(errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.IdleInTransactionSessionTimeout),
    *(errors.TooManyConnections, errors.QueryCanceled),
)
_NO_RIGHT = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)
_NO_TABLES = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)


def is_away(error: psycopg.Error, *, is_lost: bool) -> bool:
    """Return whether the server is gone for now, so that another connection may succeed later."""
    if isinstance(error, _AWAY):
        return True
    return is_lost or (
        isinstance(error, psycopg.OperationalError) and error.sqlstate is None and not _is_refused(error)
    )


def _is_refused(error: psycopg.Error) -> bool:
    """Return whether this is about who asks and for what, which no waiting mends."""
    return _tells(error, "authentication failed", "does not exist", "no pg_hba.conf", "no password", "not permitted")


def _is_full(error: psycopg.Error) -> bool:
    """Return whether the server has as many connections as it takes; libpq gives no code for that."""
    return isinstance(error, errors.TooManyConnections) or _tells(error, "too many c", "connection slots are reserved")


def _tells(error: psycopg.Error, *parts: str) -> bool:
    text = str(error)
    return any(part in text for part in parts)


@contextmanager
def database_gate(name: str) -> Iterator[None]:
    """Map every error of psycopg, and of a row that is no way; `name` is the database that is worked on."""
    try:
        yield
    except psycopg.Error as error:
        raise named(error, name) from error
    except msgspec.ValidationError as error:  # `columns.way_of`
        raise StorageDamaged(f"{name}: damaged ({error}); restore the run, or start a new one") from error


def named(error: psycopg.Error, name: str) -> StorageError:
    """Return our error for one of psycopg's."""
    told = safe(" ".join(str(error.diag.message_primary or error).split()), 200)
    if isinstance(error, errors.DiskFull):
        return DiskFull(f"{name}: the database's disk is full; free some space there, then resume")
    if isinstance(error, _NO_RIGHT):
        return StorageError(f"{name}: {told}; let this user create and write there, or use a database of its own")
    if isinstance(error, _NO_TABLES):
        return StorageDamaged(f"{name}: {told}: the run was dropped, or is not whole; restore it, or start a new one")
    if _is_full(error):
        return StorageError(f"{name}: {told}; raise max_connections there, or end some of its clients, then resume")
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        start, mend = "start the database, or mend its address, then resume", "mend its name, user or password"
        return StorageError(f"{name}: {told}; {mend if _is_refused(error) else start}")
    return StorageError(f"{name}: {told}; see to the database, then resume")
