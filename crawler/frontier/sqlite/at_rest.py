"""A frontier in a SQLite file that no process works on, opened for reading; see `frontier.at_rest.FrontierAtRest`.

Runs on: the main thread, blocking; holds the run's lock for as long as it is open.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from crawler.core.errors import StorageDamaged
from crawler.core.text import safe
from crawler.frontier.sqlite.errors import reading_gate
from crawler.frontier.sqlite.reading import reading
from crawler.frontier.sqlite.seen_keys import SeenKeys
from crawler.frontier.sqlite.tables import SqliteTables


class SqliteAtRest:
    """The frontier in the database `db`, whose file has this `name`."""

    def __init__(self, db: sqlite3.Connection, name: str, *, is_closed: bool) -> None:
        self.tables = SqliteTables(db)
        self.name = name
        self.is_closed = is_closed

    @cached_property
    def keys(self) -> SeenKeys:
        """The index that finds the rows of URLs; the newest of them are read when it is first asked for."""
        try:
            return SeenKeys(self.tables)
        except UnicodeError as error:
            raise StorageDamaged(f"{self.name}: a URL in it is none: {safe(str(error), 100)}") from error

    def gate(self) -> AbstractContextManager[None]:
        """Map the errors of sqlite3 within the block."""
        return reading_gate(self.name)

    def owners(self) -> None:
        """Return None: one process works on all hosts."""

    def workers(self) -> tuple[()]:
        """Return nothing: the run is one process's alone."""
        return ()

    def letters(self) -> int:
        """Return 0: each find has its row at once."""
        return 0

    def problems(self) -> Iterator[str]:
        """Yield the faults of the file, and of the index of keys."""
        for (answer,) in self.tables.rows("PRAGMA integrity_check(10)"):
            if answer != "ok":
                yield f"{self.name}: {answer}"
        ((rows,),) = self.tables.rows("SELECT count(*) FROM url")
        if rows != (keys := self.keys.count()):
            yield f"accounting: {rows} URLs have a row, but {keys} have a key"
        ((strange,),) = self.tables.rows(
            "SELECT count(*) FROM seen WHERE NOT EXISTS (SELECT 1 FROM url WHERE id = seen.url AND shape = seen.shape)"
        )
        if strange:
            yield f"accounting: {strange} keys tell of another row than there is"


@contextmanager
def at_rest(path: Path) -> Iterator[SqliteAtRest]:
    """Open the frontier in `path` for reading within the block.

    Raises:
        RunInUse: another process works on the run.
        StorageDamaged: the file is missing, or is no frontier of this version.
    """
    with ExitStack() as stack:
        with reading_gate(path.name):
            db, is_closed = stack.enter_context(reading(path))
        yield SqliteAtRest(db, path.name, is_closed=is_closed)
