"""The gate for sqlite3's errors: each becomes a StorageError that says what to do.

Runs on: the thread that has the connection.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from crawler.core.errors import RunInUse, StorageDamaged, StorageError
from crawler.run.disk import disk_full, disk_gate

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def storage_gate(name: str) -> Iterator[None]:
    """Map every error of sqlite3, and of a row that is no way; `name` is the file that is worked on."""
    try:
        with disk_gate(name):
            yield
    except sqlite3.DatabaseError as error:
        raise _named(error, name) from error
    except msgspec.ValidationError as error:  # `schema.way_of`
        raise _damaged(error, name) from error


@contextmanager
def reading_gate(name: str) -> Iterator[None]:
    """Map errors as `storage_gate` does, and those of columns that hold another type than the schema says."""
    try:
        with storage_gate(name):
            yield
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(error, name) from error


def _damaged(error: Exception, name: str) -> StorageDamaged:
    return StorageDamaged(f"{name}: damaged ({error}); restore the file, or start a new run")


def _named(error: sqlite3.DatabaseError, name: str) -> StorageError | RunInUse:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
    if code == sqlite3.SQLITE_FULL:
        return disk_full(name)
    if code in _DAMAGED or "no such table" in str(error) or "no such column" in str(error):
        return _damaged(error, name)
    if code in _BUSY:
        return RunInUse(f"{name} is locked: another process works on this run; wait for it or stop it")
    return StorageError(f"{name}: {error}; check the disk, then resume")
