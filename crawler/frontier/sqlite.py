"""The frontier in one SQLite file: the run's one truth (ARCHITECTURE, section 4).

Rules
- One connection, on the storage thread, WAL, synchronous=FULL, locked exclusively from the first statement on.
- A group is one transaction; what is in memory (leases, sums) changes only after its COMMIT.
- A lease is a promise in memory: on disk the URL stays pending, so whatever dies, nothing is lost.
Runs on: the storage thread.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from crawler.core.errors import StorageDamaged
from crawler.core.models import (
    Committed,
    Group,
    HostState,
    Lease,
    Opened,
    RejectedLine,
    Request,
    RobotsCopy,
    SeedCursor,
)
from crawler.core.reasons import Reason
from crawler.core.urls import Host, parse
from crawler.frontier import schema
from crawler.frontier.admission import Admission
from crawler.frontier.board import MappedBoard
from crawler.frontier.gate import storage_gate
from crawler.frontier.tally import Tally

LONGEST_WAIT = 3600.0  # seconds; the longest delay that a retry may have
_WAKE_AT_ONCE = 5000  # retries that come due in one transaction: about 50 ms

_COLUMNS = """
    SELECT url.id, url.url, url.depth, url.hops, url.attempts, url.seed, url.foreign_hop, host.named, source.url
    FROM url JOIN host ON host.id = url.host LEFT JOIN url AS source ON source.id = url.referrer
"""


class SqliteFrontier:
    """The frontier in the file `path`.

    `create` says whether the run is new: the tables are then made, in one transaction, unless they are there.
    """

    def __init__(self, path: Path, board: MappedBoard, *, create: bool) -> None:
        self._path = path
        self._board = board
        self._create = create
        self._leased: dict[int, int] = {}  # url id -> host id
        self._per_host: Counter[int] = Counter()
        self._alone: int | None = None

    def open(self, now: float) -> Opened:
        """Take the lock, count deaths, and tell where the last life stopped."""
        with storage_gate(self._path.name):
            self._lock()
            try:
                return self._open_locked(now)
            except BaseException:
                self._db.close()
                raise

    def _open_locked(self, now: float) -> Opened:
        schema.check(self._db, self._path.name)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA cache_size = -65536")  # KiB; the index of keys is what needs it
        self._tally = Tally(self._db)
        self._admission = Admission(self._db, self._tally)
        suspects = self._count_deaths()
        latest = now + LONGEST_WAIT  # the clock may have been set back while nobody looked
        self._db.execute("UPDATE url SET not_before = ?1 WHERE not_before > ?1", (latest,))
        self._db.execute("UPDATE host SET due = ?1 WHERE due > ?1", (latest,))
        return Opened(
            totals=self._tally.totals(),
            cursor=self._read_cursor(),
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
                self._admission.write()
                self._tally.write()
                self._db.execute("COMMIT")
            except BaseException:
                self._admission.forget()
                self._tally.forget()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._tally.keep()

    # --- opening -------------------------------------------------------------------------------------------------

    def _count_deaths(self) -> tuple[Request, ...]:
        """What was in flight when the last life ended gets a death; those that died alone twice are given up."""
        generation, ids = self._board.open()
        row = self._db.execute("SELECT value FROM meta WHERE key = 'board_counted'").fetchone()
        counted = row[0] if row else 0
        with self._transaction():
            if generation > counted:
                self._add_deaths(ids)
                self._db.execute("REPLACE INTO meta VALUES ('board_counted', ?)", (generation,))
        self._board.clear(max(generation, counted) + 1)  # a board that was deleted starts again at 0
        parked = self._db.execute(f"{_COLUMNS} WHERE url.state = 0 AND url.deaths >= ?", (schema.PARKED_DEATHS,))
        suspects = tuple(_request(row, alone=True) for row in parked.fetchall())
        self._remember(suspects)
        return suspects

    def _add_deaths(self, ids: Iterable[int]) -> None:
        chosen = [(url_id,) for url_id in ids]
        self._db.executemany("UPDATE url SET deaths = deaths + 1 WHERE id = ? AND state = 0", chosen)
        self._db.execute("CREATE TEMP TABLE died (id INTEGER PRIMARY KEY)")
        self._db.executemany("INSERT OR IGNORE INTO died VALUES (?)", chosen)
        self._db.execute(
            "UPDATE host SET ready = (SELECT count(*) FROM url WHERE url.host = host.id"  # noqa: S608
            f" AND {schema.READY}) WHERE id IN (SELECT host FROM url WHERE id IN (SELECT id FROM died))"
        )
        self._db.execute("DROP TABLE died")

    def _read_cursor(self) -> SeedCursor:
        found = dict(self._db.execute("SELECT key, value FROM meta WHERE key LIKE 'seeds_%'"))
        return SeedCursor(
            offset=found.get("seeds_offset", 0),
            line=found.get("seeds_line", 0),
            finished=bool(found.get("seeds_finished", 0)),
        )

    # --- leasing -------------------------------------------------------------------------------------------------

    def lease(self, shares: Mapping[Host, int], new_hosts: int, new_share: int, now: float) -> Lease:
        """Hand out pending URLs, breadth first over hosts; see `core.protocols.Frontier`."""
        with storage_gate(self._path.name):
            self._wake_retries(now)
            requests: list[Request] = []
            if self._alone is None:
                wanted = self._shares_by_id(shares) + self._other_hosts(new_hosts, new_share, shares)
                for host_id, share in wanted:
                    requests += self._take(host_id, share)
            if not requests and not self._leased:
                requests += self._take_suspect()
            self._remember(requests)
            (next_due,) = self._db.execute(
                "SELECT min(not_before) FROM url WHERE state = 0 AND not_before IS NOT NULL"
            ).fetchone()
            return Lease(
                requests=tuple(requests),
                hosts=self._host_states({request.url.host_port for request in requests} - shares.keys()),
                robots=self._robots({request.url.host_port for request in requests} - shares.keys()),
                pending=self._tally.pending,
                leased=len(self._leased),
                next_due=next_due,
            )

    def _wake_retries(self, now: float) -> None:
        due = self._db.execute(
            "SELECT id, host, deaths FROM url WHERE state = 0 AND not_before IS NOT NULL AND not_before <= ?"
            " ORDER BY not_before LIMIT ?",
            (now, _WAKE_AT_ONCE),
        ).fetchall()
        if due:
            with self._transaction():
                self._db.executemany("UPDATE url SET not_before = NULL WHERE id = ?", [(row[0],) for row in due])
                self._db.executemany(
                    "UPDATE host SET ready = ready + 1 WHERE id = ?",
                    [(row[1],) for row in due if row[2] < schema.SUSPECT_DEATHS],
                )

    def _shares_by_id(self, shares: Mapping[Host, int]) -> list[tuple[int, int]]:
        return [(self._admission.host_id(host), share) for host, share in shares.items() if share > 0]

    def _other_hosts(self, count: int, share: int, known: Mapping[Host, int]) -> list[tuple[int, int]]:
        """Hosts that nobody asked for by name and that have something to give, earliest due first."""
        if count <= 0:
            return []
        rows = self._db.execute(
            "SELECT id, name, ready FROM host WHERE ready > 0 ORDER BY due, id LIMIT ?",
            (count + len(known) + len(self._per_host),),
        )
        fresh = [host_id for host_id, name, ready in rows if name not in known and ready > self._per_host[host_id]]
        return [(host_id, share) for host_id in fresh[:count]]

    def _take(self, host_id: int, share: int) -> list[Request]:
        """The first `share` ready URLs of a host that are not leased yet, by (depth, discovery)."""
        rows = self._db.execute(
            f"SELECT id FROM url WHERE host = ? AND {schema.READY} ORDER BY depth, id LIMIT ?",  # noqa: S608
            (host_id, share + self._per_host[host_id]),
        )
        ids = [url_id for (url_id,) in rows if url_id not in self._leased][:share]
        return [_request(self._db.execute(f"{_COLUMNS} WHERE url.id = ?", (url_id,)).fetchone()) for url_id in ids]

    def _take_suspect(self) -> list[Request]:
        """One URL that was in flight at repeated deaths; the fewest go first, so that a kill hits another."""
        row = self._db.execute(
            f"SELECT id FROM url WHERE {schema.SUSPECT} AND not_before IS NULL ORDER BY depth, deaths, id LIMIT 1"  # noqa: S608
        ).fetchone()
        if row is None:
            return []
        self._alone = row[0]
        return [_request(self._db.execute(f"{_COLUMNS} WHERE url.id = ?", row).fetchone(), alone=True)]

    def _remember(self, requests: Iterable[Request]) -> None:
        for request in requests:
            host_id = self._admission.host_id(request.url.host_port)
            self._leased[request.id] = host_id
            self._per_host[host_id] += 1

    def _forget(self, requests: Iterable[Request]) -> None:
        for request in requests:
            host_id = self._leased.pop(request.id, None)
            if host_id is None:
                continue
            self._per_host[host_id] -= 1
            if not self._per_host[host_id]:
                del self._per_host[host_id]
            if request.id == self._alone:
                self._alone = None

    def _host_states(self, hosts: Iterable[Host]) -> dict[Host, HostState]:
        found = {}
        for host in hosts:
            due, named = self._db.execute("SELECT due, named FROM host WHERE name = ?", (host,)).fetchone()
            found[host] = HostState(due=due, named=bool(named))
        return found

    def _robots(self, hosts: Iterable[Host]) -> dict[str, RobotsCopy]:
        found = {}
        for host in hosts:
            rows = self._db.execute(
                "SELECT origin, fetched_at, status, body FROM robots WHERE host = ?", (self._admission.host_id(host),)
            )
            for origin, fetched_at, status, body in rows:
                found[origin] = RobotsCopy(fetched_at=fetched_at, status=status, body=body)
        return found

    # --- committing ----------------------------------------------------------------------------------------------

    def commit(self, group: Group) -> Committed:
        """One transaction for all of the group; only then may anybody act on it."""
        with self._transaction():
            for batch in group.seeds:
                self._admission.import_lines(batch)
            for visit in group.visits:
                self._admission.finish(visit)
            for retry in group.retries:
                self._admission.postpone(retry)
            self._admission.write_hosts(group.hosts)
            self._write_robots(group.robots)
            self._db.executemany("REPLACE INTO file VALUES (?, ?)", group.files.items())
            self._tally.add("sum", "seconds", group.seconds)
        self._forget(visit.request for visit in group.visits)
        self._forget(retry.request for retry in group.retries)
        self._forget(group.returned)
        return Committed(group=group, totals=self._tally.totals())

    def _write_robots(self, robots: Mapping[str, RobotsCopy]) -> None:
        for origin, copy in robots.items():
            host_id = self._admission.host_id(parse(origin).host_port)
            row = (origin, host_id, copy.fetched_at, copy.status, copy.body)
            self._db.execute("REPLACE INTO robots VALUES (?, ?, ?, ?, ?)", row)

    def rejected(self) -> Iterator[RejectedLine]:
        """The lines of the list that did not become a URL of their own, in order."""
        rows = self._db.execute("SELECT line, reason, message, text FROM rejected ORDER BY line")
        for line, reason, message, text in rows:
            yield RejectedLine(line=line, reason=Reason(reason), message=message, text=text)

    def close(self) -> None:
        """An orderly end: nothing is in flight any more, and the lock is given back."""
        self._board.clear(self._board.generation)
        self._board.close()
        self._db.close()

    def __repr__(self) -> str:
        return f"<SqliteFrontier {self._path.name}, {len(self._leased)} leased on {len(self._per_host)} hosts>"


def _request(row: tuple[int, str, int, int, int, int, int, int, str | None], *, alone: bool = False) -> Request:
    url_id, url, depth, hops, attempts, seed, foreign, named, referrer = row
    return Request(
        url=parse(url),
        id=url_id,
        depth=depth,
        hops=hops,
        attempts=attempts,
        seed=bool(seed),
        named=bool(named),
        foreign=bool(foreign),
        referrer=referrer,
        alone=alone,
    )
