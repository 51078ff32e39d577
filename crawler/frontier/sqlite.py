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
from crawler.frontier import schema
from crawler.frontier.admission import Admission
from crawler.frontier.host_rows import HostRows
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.leasing import Leasing
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.redirect_loops import mark_circles
from crawler.frontier.robots_rows import robots_copies, write_robots
from crawler.frontier.run_reports import RunReports
from crawler.frontier.scope_index import ScopeIndex
from crawler.frontier.seen_keys import SeenKeys
from crawler.frontier.sqlite_errors import storage_gate
from crawler.frontier.tally import Tally

LONGEST_WAIT = 3600.0  # seconds; the longest delay that a retry may have
_OF_HOSTS = f"host IN (SELECT id FROM host WHERE name {schema.AMONG})"  # noqa: S608
_WAKE_AT_ONCE = 5000  # retries that come due in one transaction: about 50 ms


class SqliteFrontier:
    """The frontier in the file `path`, with the URLs in flight on `board`.

    `create`: the run is new, so the tables are made, in one transaction, unless they are there.

    Attributes:
        reports: the reports about the run; from `open` on.
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
        self._tally = Tally(self._db)
        self._hosts = HostRows(self._db, self._policy.scope)
        self._scope_index = ScopeIndex(self._db, self._policy, datetime.fromtimestamp(now, UTC).year)
        self._keys = SeenKeys(self._db)
        self._admission = Admission(self._db, self._tally, self._hosts, self._scope_index, self._keys, self._policy)
        self._leasing = Leasing(self._db, self._hosts, self._policy)
        self.reports = RunReports(self._db, self._tally, lambda: storage_gate(self._path.name))
        self._count_deaths()
        suspects = self._leasing.take_parked()
        stored = dict(self._db.execute("SELECT key, value FROM meta WHERE key LIKE 'seeds_%'"))
        cursor = SeedCursor(
            offset=stored.get("seeds_offset", 0),
            line=stored.get("seeds_line", 0),
            finished=bool(stored.get("seeds_finished", 0)),
        )
        self._leasing.is_list_read = cursor.finished
        latest = now + LONGEST_WAIT  # the clock may have been set back between two lives
        self._db.execute(f"UPDATE url SET not_before = ? WHERE {schema.WAITING} AND not_before > ?", (latest, latest))  # noqa: S608
        self._db.execute("UPDATE host SET due = rest_until WHERE down IS NOT NULL")  # given up, and now asked again
        self._db.execute("UPDATE host SET due = ? WHERE due > ?", (latest, latest))
        return Opened(
            totals=self._tally.totals(),
            cursor=cursor,
            files=dict(self._db.execute("SELECT name, length FROM file")),
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
                for part in (self._hosts, self._scope_index, self._tally):
                    part.write()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                for undone in (self._hosts, self._scope_index, self._tally, self._admission):
                    undone.forget()
                raise
            self._tally.keep()
            self._admission.keep()

    # --- opening -------------------------------------------------------------------------------------------------

    def _count_deaths(self) -> None:
        """Count a death for each URL that was in flight when the last life ended."""
        generation, ids = self._board.open()
        row = self._db.execute("SELECT value FROM meta WHERE key = 'board_counted'").fetchone()
        counted = row[0] if row else 0
        with self._transaction():
            if generation > counted:
                died = (schema.values(ids),)
                self._db.execute(f"UPDATE url SET deaths = deaths + 1 WHERE id {schema.AMONG} AND state = 0", died)  # noqa: S608
                self._db.execute(
                    "UPDATE host SET ready = (SELECT count(*) FROM url WHERE url.host = host.id"  # noqa: S608
                    f" AND {schema.READY}) WHERE id IN (SELECT host FROM url WHERE id {schema.AMONG})",
                    died,
                )
                self._db.execute("REPLACE INTO meta VALUES ('board_counted', ?)", (generation,))
        self._board.clear(max(generation, counted) + 1)  # a board that was deleted starts again at 0

    # --- leasing -------------------------------------------------------------------------------------------------

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Lease pending URLs, breadth first over hosts; see `core.protocols.Frontier`."""
        with storage_gate(self._path.name):
            first = self._first_retry()
            if first is not None and first <= now:
                self._wake(now)
                first = self._first_retry()
            requests = self._leasing.next(wanted, now)
            fresh = {request.url.host_port for request in requests} - wanted.shares.keys()
            if given_up := fresh & self._hosts.given_up:
                with self._transaction():
                    self._hosts.give_another_chance(given_up, now)
            moments = [moment for moment in (first, self._leasing.next_rested(now)) if moment is not None]
            return Lease(
                requests=tuple(requests),
                hosts=self._hosts.states(fresh) if fresh else {},
                robots=robots_copies(self._db, _OF_HOSTS, schema.values(fresh)) if fresh else {},
                is_exhausted=not len(self._leasing) and not self._leasing.is_anything_left(),
                next_due=min(moments, default=None),
                gained=self._hosts.names(self._leasing.take_gained()),
            )

    def _first_retry(self) -> float | None:
        """Return the moment of the first waiting retry; None = none waits."""
        (moment,) = self._db.execute(f"SELECT min(not_before) FROM url WHERE {schema.WAITING}").fetchone()  # noqa: S608
        return None if moment is None else float(moment)

    def _wake(self, now: float) -> None:
        """Let the retries whose time has come be ready, as many as one transaction takes."""
        due = self._db.execute(
            f"SELECT id, host, deaths FROM url WHERE {schema.WAITING} AND not_before <= ?"  # noqa: S608
            " ORDER BY not_before LIMIT ?",
            (now, _WAKE_AT_ONCE),
        ).fetchall()
        with self._transaction():
            self._db.executemany("UPDATE url SET not_before = NULL WHERE id = ?", [(row[0],) for row in due])
            self._db.executemany(
                "UPDATE host SET ready = ready + 1 WHERE id = ?",
                [(row[1],) for row in due if row[2] < schema.SUSPECT_DEATHS],
            )
        self._leasing.gain({row[1] for row in due})

    # --- committing ----------------------------------------------------------------------------------------------

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Return the visits to be committed, in order; each redirect that closes a circle has failed."""
        with storage_gate(self._path.name):
            return mark_circles(self._db, self._keys, visits)

    def commit(self, group: Group) -> Committed:
        """Commit the group in one transaction."""
        with self._transaction():
            self._admission.enter(group)
            self._hosts.note(group.hosts)
            write_robots(self._db, self._hosts, group.robots)
            self._db.executemany("REPLACE INTO file VALUES (?, ?)", group.files.items())
            self._tally.add("sum", "seconds", group.seconds)
        self._leasing.is_list_read |= any(batch.last for batch in group.seeds)
        self._leasing.forget(visit.request for visit in group.visits)
        self._leasing.forget(retry.request for retry in group.retries)
        self._leasing.take_back(group.returned)
        self._leasing.put_off(retry.request for retry in group.retries)
        self._leasing.put_off(request for request in group.returned if request.attempts)
        self._leasing.gain(self._hosts.take_gained())
        gained = self._hosts.names(self._leasing.take_gained())
        return Committed(group=group, totals=self._tally.totals(), gained=gained)

    def close(self) -> None:
        """End in order: empty the board and release the lock."""
        self._board.clear(self._board.generation)
        self._board.close()
        self._db.close()

    def __repr__(self) -> str:
        return f"<SqliteFrontier {self._path.name}, {self._leasing!r}>"
