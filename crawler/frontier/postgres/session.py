"""The connection of one life of a worker: transactions that prove the life, and survive a lost connection.

Rules
- Every transaction first counts itself in the row of its worker, where the life still stands. That is the fence: a life
  that was buried matches no row, and its transaction is undone. It also renews the lease of all its hosts.
- After a connection was lost within COMMIT, the number of the group in that row says whether it landed. It is asked for
  under the lock of the row, so the old transaction has ended by then. No group is ever repeated blindly.
- What the database asks to try again (40001, deadlocks) is decided and written anew.
- A server that is away is tried again for `PATIENCE` seconds.
Runs on: the storage thread.
"""

import random
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

import psycopg

from crawler.core.errors import CrawlerError, LeaseLost, RunInUse, StorageDamaged
from crawler.frontier.postgres import schema
from crawler.frontier.postgres.connection import Connection, shown
from crawler.frontier.postgres.errors import AGAIN, database_gate, is_away, named
from crawler.frontier.postgres.tables import PostgresTables
from crawler.runtime.clock import boot_time

X = TypeVar("X")

PATIENCE = 120.0  # seconds
_PAUSE = 0.2  # seconds between two tries, at first
_LONGEST_PAUSE = 3.0
_PROVE = (
    "UPDATE worker SET groups = groups + 1, seen = clock_timestamp(),"
    " lease_until = clock_timestamp() + ? * INTERVAL '1 second' WHERE id = ? AND life = ? RETURNING groups"
)


class Session:
    """The session of `worker` in the run `run` of the database `dsn`; its hosts are leased for `lease` seconds.

    Attributes:
        tables: the tables of the run.
        life: the number of this life; 0 = it has not begun.
        until: the moment of `boot_time` at which the lease ends.
    """

    def __init__(self, dsn: str, run: str, worker: int, lease: float) -> None:
        self._dsn = dsn
        self._run = run
        self._worker = worker
        self._lease = lease
        self._groups = 0
        self.life = 0
        self.until = 0.0
        self.name = f"{shown(dsn)} run {run}"
        with database_gate(self.name):
            self.tables = PostgresTables(self._connected())

    def _connected(self) -> Connection:
        db = Connection(self._dsn)
        schema.use(db, schema.schema_of(self._run))
        return db

    def begin(self, work: Callable[[int | None], None]) -> None:
        """Begin a life of the worker; `work` is called with the life before, whose hosts are to be freed.

        A life whose COMMIT was cut off may stand already, and is then the one before.
        """
        began = boot_time()
        while True:
            sent = boot_time()
            try:
                self._begin(work)
            except psycopg.Error as error:
                self._recover(error, began)
                self._pause()
            else:
                self.until = sent + self._lease
                return

    def _begin(self, work: Callable[[int | None], None]) -> None:
        db = self.tables.db
        db.begin()
        try:
            row = db.row("SELECT life, groups FROM worker WHERE id = ? FOR UPDATE", self._worker)
            if row is None:
                self._miss()
            before, self._groups = row
            ((self.life,),) = db.rows("SELECT nextval('life_number')")
            work(before)
            db.execute("UPDATE worker SET life = ? WHERE id = ?", self.life, self._worker)
            self._prove()
        except CrawlerError:
            db.roll_back()
            raise
        db.commit()
        self._groups += 1

    def _miss(self) -> NoReturn:
        raise StorageDamaged(f"{self.name}: worker {self._worker} is not in this run; start a new one")

    def transact(self, work: Callable[[], X], undo: Callable[[], None]) -> X:
        """Return what `work` returns within a transaction that was committed; `undo` drops what it did in memory.

        Raises:
            LeaseLost: others have buried this life.
            RunInUse: another process works as this worker.
            StorageError: the database is away for too long, or refuses.
        """
        began = boot_time()
        while True:
            sent, has_result = boot_time(), False
            db = self.tables.db
            try:
                db.begin()
                self._prove()
                result = work()
                has_result = True
                db.commit()
            except psycopg.Error as error:
                has_landed = False
                try:
                    has_landed = self._recover(error, began) and has_result
                finally:
                    if not has_landed:
                        undo()
                if not has_landed:
                    self._pause()
                    continue
            except BaseException:
                db.roll_back()
                undo()
                raise
            self._groups += 1
            self.until = sent + self._lease
            return result

    def read(self, work: Callable[[], X]) -> X:
        """Return what `work` reads, outside of a transaction; it is asked again after a lost connection."""
        began = boot_time()
        while True:
            try:
                return work()
            except psycopg.Error as error:
                if not is_away(error, is_lost=self.tables.db.is_lost):
                    raise named(error, self.name) from error
                self._come_back(began, error)

    def _prove(self) -> None:
        if self.tables.db.row(_PROVE, self._lease, self._worker, self.life) is not None:
            return
        row = self.tables.db.row("SELECT life FROM worker WHERE id = ?", self._worker)
        if row is not None and row[0] is not None:
            raise RunInUse(f"{self.name}: another process works as worker {self._worker}; stop one of them")
        raise LeaseLost(f"{self.name}: worker {self._worker} was silent for more than {self._lease:g} s")

    def _recover(self, error: psycopg.Error, since: float) -> bool:
        """Get over an error, or raise it; return whether the group that was being committed has landed."""
        db = self.tables.db
        if is_away(error, is_lost=db.is_lost):
            return self._come_back(since, error)
        db.roll_back()
        if not isinstance(error, AGAIN) or boot_time() - since > PATIENCE:
            raise named(error, self.name) from error
        return False

    def _pause(self) -> None:
        time.sleep(_PAUSE * random.random())  # noqa: S311 - two that met do not meet again

    def _come_back(self, since: float, error: psycopg.Error) -> bool:
        """Connect again; return whether the group that was being committed has landed."""
        self.tables.db.close()
        pause = _PAUSE
        while True:
            try:
                self.tables.db = self._connected()
                self.tables.db.begin()
                row = self.tables.db.row("SELECT groups FROM worker WHERE id = ? FOR UPDATE", self._worker)
                self.tables.db.commit()
            except psycopg.Error as again:
                if boot_time() - since > PATIENCE or not is_away(again, is_lost=self.tables.db.is_lost):
                    raise named(again, self.name) from error
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return row is not None and row[0] == self._groups + 1

    def close(self) -> None:
        """End the connection."""
        self.tables.db.close()
