"""The frontier in one SQLite file, the single source of truth of a run (ARCHITECTURE, section 4).

Rules
- One connection, on the storage thread, WAL, synchronous=FULL, locked exclusively from the first statement on.
- A group is one transaction; leases and sums in memory change only after its COMMIT.
Runs on: the storage thread.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crawler.core.errors import StorageDamaged
from crawler.core.leases_and_commits import (
    Committed,
    Group,
    Lease,
    Opened,
    SeedCursor,
    Wanted,
)
from crawler.core.visits import Visit
from crawler.frontier.columns import AMONG, READY, SUSPECT_DEATHS, WAITING
from crawler.frontier.decisions import Decisions
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.run_reports import RunReports
from crawler.frontier.sqlite import schema
from crawler.frontier.sqlite.errors import storage_gate
from crawler.frontier.sqlite.queues import SqliteQueues
from crawler.frontier.sqlite.seen_keys import SeenKeys
from crawler.frontier.sqlite.tables import SqliteTables
from crawler.frontier.tally import Tally

LONGEST_WAIT = 3600.0  # seconds; the longest delay that a retry may have
_WORKER = 1  # the only one of a run in a file
_WAKE_AT_ONCE = 5000  # retries that come due in one transaction: about 50 ms


class SqliteFrontier:
    """The frontier in the file `path`, with the URLs in flight on `board`.

    `create`: the run is new, so the tables are made, in one transaction, unless they are there.
    """

    def __init__(self, path: Path, board: MappedBoard, *, create: bool, policy: FrontierPolicy | None = None) -> None:
        self._path = path
        self._board = board
        self._create = create
        self._policy = policy or FrontierPolicy()

    def open(self, now: float) -> Opened:
        """Take the lock, count deaths, and return where the last life stopped."""
        with storage_gate(self._path.name):
            self._lock()
            try:
                return self._read(now)
            except BaseException:
                self._db.close()
                raise

    def _read(self, now: float) -> Opened:
        schema.check(self._db, self._path.name)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA cache_size = -65536")  # KiB; the index of keys is what needs it
        db = self._tables = SqliteTables(self._db)
        self._decisions = Decisions(
            db,
            SeenKeys(db),
            SqliteQueues(db),
            self._policy,
            Tally(db, _WORKER),
            worker=_WORKER,
            year=datetime.fromtimestamp(now, UTC).year,
            gate=lambda: storage_gate(self._path.name),
        )
        self._count_deaths()
        suspects = self._decisions.leasing.take_parked()
        stored = dict(db.rows("SELECT key, value FROM meta WHERE key LIKE 'seeds_%'"))
        cursor = SeedCursor(
            offset=stored.get("seeds_offset", 0),
            line=stored.get("seeds_line", 0),
            finished=bool(stored.get("seeds_finished", 0)),
        )
        if cursor.finished:
            self._decisions.leasing.end_list()
        latest = now + LONGEST_WAIT  # the clock may have been set back between two lives
        db.change(f"UPDATE url SET not_before = ? WHERE {WAITING} AND not_before > ?", latest, latest)  # noqa: S608
        db.change("UPDATE host SET due = rest_until WHERE down IS NOT NULL")  # given up, and now asked again
        db.change("UPDATE host SET due = ? WHERE due > ?", latest, latest)
        return Opened(
            totals=self._decisions.tally.totals(),
            cursor=cursor,
            files=dict(db.rows("SELECT name, length FROM file")),
            suspects=suspects,
        )

    def _lock(self) -> None:
        if not (self._create or self._path.exists()):
            raise StorageDamaged(f"{self._path.name} is missing; restore it, or start a new run")
        mode = "rwc" if self._create else "rw"
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        self._db = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            # The PRAGMA alone takes its lock late and lets a second writer in; this takes it now and keeps it.
            self._db.execute("BEGIN EXCLUSIVE")
            if self._create:
                schema.create(self._db)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with storage_gate(self._path.name):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._decisions.write()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._tables.forget()
                self._decisions.forget()
                raise
            self._decisions.keep()

    # --- opening -------------------------------------------------------------------------------------------------

    def _count_deaths(self) -> None:
        """Count a death for each URL that was in flight when the last life ended."""
        generation, ids = self._board.open()
        db = self._tables
        row = db.row("SELECT value FROM meta WHERE key = 'board_counted'")
        counted = row[0] if row else 0
        with self._transaction():
            if generation > counted:
                died = db.among(ids)
                db.change(f"UPDATE url SET deaths = deaths + 1 WHERE id {AMONG} AND state = 0", died)  # noqa: S608
                db.change(
                    "UPDATE host SET ready = (SELECT count(*) FROM url WHERE url.host = host.id"  # noqa: S608
                    f" AND {READY}) WHERE id IN (SELECT host FROM url WHERE id {AMONG})",
                    died,
                )
                db.put("meta", ("key",), ("value",), [("board_counted", generation)])
        self._board.clear(max(generation, counted) + 1)  # a board that was deleted starts again at 0

    # --- leasing -------------------------------------------------------------------------------------------------

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Lease pending URLs, breadth first over hosts; see `core.protocols.Frontier`."""
        with storage_gate(self._path.name):
            first = self._first_retry()
            if first is not None and first <= now:
                self._wake(now)
                first = self._first_retry()
            leasing, hosts = self._decisions.leasing, self._decisions.hosts
            leasing.close(wanted.gone)
            requests = leasing.next(wanted, now)
            fresh = {request.url.host_port for request in requests} - wanted.shares.keys()
            if given_up := fresh & hosts.given_up:
                with self._transaction():
                    hosts.give_another_chance(given_up, now)
            states, robots = self._decisions.stored(fresh)
            moments = [moment for moment in (first, leasing.next_rested(now)) if moment is not None]
            return Lease(
                requests=tuple(requests),
                hosts=states,
                robots=robots,
                is_exhausted=not len(leasing) and not leasing.is_anything_left(),
                next_due=min(moments, default=None),
                gained=hosts.names(leasing.take_gained()),
            )

    def _first_retry(self) -> float | None:
        """Return the moment of the first waiting retry; None = none waits."""
        row = self._tables.row(f"SELECT min(not_before) FROM url WHERE {WAITING}")  # noqa: S608
        return None if row is None or row[0] is None else float(row[0])

    def _wake(self, now: float) -> None:
        """Let the retries whose time has come be ready, as many as one transaction takes."""
        query = f"SELECT id, host, deaths FROM url WHERE {WAITING} AND not_before <= ? ORDER BY not_before LIMIT ?"  # noqa: S608
        due = list(self._tables.rows(query, now, _WAKE_AT_ONCE))
        with self._transaction():
            self._tables.change_each("UPDATE url SET not_before = NULL WHERE id = ?", [(row[0],) for row in due])
            self._tables.change_each(
                "UPDATE host SET ready = ready + 1 WHERE id = ?", [(row[1],) for row in due if row[2] < SUSPECT_DEATHS]
            )
        self._decisions.leasing.gain({row[1] for row in due})

    # --- committing ----------------------------------------------------------------------------------------------

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Return the visits to be committed, in order; each redirect that closes a circle has failed."""
        with storage_gate(self._path.name):
            return self._decisions.mark_circles(visits)

    def commit(self, group: Group) -> Committed:
        """Commit the group in one transaction."""
        with self._transaction():
            self._decisions.enter(group)
        return self._decisions.committed(group)

    @property
    def reports(self) -> RunReports:
        """Return the reports about the run, as of the last commit; from `open` on."""
        return self._decisions.reports

    def close(self) -> None:
        """End in order: empty the board and release the lock."""
        self._board.clear(self._board.generation)
        self._board.close()
        self._db.close()

    def __repr__(self) -> str:
        return f"<SqliteFrontier {self._path.name}, {self._decisions.leasing!r}>"
