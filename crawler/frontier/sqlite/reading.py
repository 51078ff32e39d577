"""A frontier opened for reading: no process can work on the run meanwhile, and no file in its folder is changed.

The lock is SQLite's own, on the bytes that its file format names (sqlite.org/fileformat2.html#the_lock_byte_page), but
taken without SQLite: a connection to a database in WAL mode writes into the folder, be it only while it closes.
Rules
- A frontier that was closed in order is read where it lies, declared immutable. One that was not is copied to a
  temporary folder, with what SQLite left beside it, and mended there.
- A process loses its locks on a file as soon as it closes any descriptor of that file (POSIX, fcntl): while the lock is
  held the file is copied through the lock's own descriptor, and a connection is closed before the lock is given back.
Runs on: the main thread of a process that does not work on the run itself.
"""

import errno
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from shutil import copyfile, copyfileobj
from tempfile import TemporaryDirectory

from crawler.core.errors import DiskFull, RunInUse, StorageDamaged
from crawler.frontier.sqlite import schema
from crawler.frontier.sqlite.errors import storage_gate

_SHARED_FIRST = 0x4000_0002
_SHARED_SIZE = 510


@contextmanager
def shared_lock(path: Path) -> Iterator[BufferedReader]:
    """Keep other processes from working on the frontier in `path` within the block; yield the file, open for reading.

    Raises:
        RunInUse: another process works on the run.
    """
    with storage_gate(path.name), path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):  # the system decides which of the two
            raise RunInUse(
                f"{path.name} is locked: another process works on this run; wait for it or stop it"
            ) from None
        yield file


@contextmanager
def reading(path: Path) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """Yield a connection to the frontier in `path`, and True when it was closed in order.

    Raises:
        RunInUse: another process works on the run.
        StorageDamaged: the file is missing, or is no frontier of this version.
    """
    if not path.exists():
        raise StorageDamaged(f"{path.name} is missing; restore it, or start a new run")
    with shared_lock(path) as file:
        logs = map(path.with_name, (f"{path.name}-wal", f"{path.name}-journal"))
        beside = [log for log in logs if log.exists() and log.stat().st_size]
        with TemporaryDirectory(prefix="crawler-verify-") if beside else nullcontext() as folder:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            if folder is not None:
                uri = _copy(file, beside, Path(folder) / path.name).as_uri()
            with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as db:
                db.execute("BEGIN")  # once, instead of once for each question
                schema.check(db, path.name)
                yield db, not beside


def _copy(file: BufferedReader, beside: list[Path], to: Path) -> Path:
    try:
        with to.open("wb") as copy:
            copyfileobj(file, copy, 1024 * 1024)
        for path in beside:
            copyfile(path, to.with_name(path.name))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            lacking = f"no space in {to.parent.parent} for a copy of {to.name}, which was not closed in order"
            raise DiskFull(f"{lacking}; free some, or set TMPDIR to another folder") from None
        raise
    return to
