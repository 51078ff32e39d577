"""The frontier of a run in PostgreSQL, as one of its workers sees it (ARCHITECTURE, section 4).

Rules
- A group is one transaction, with the lengths of this worker's own files; leases and sums in memory change only after
  its COMMIT.
- A worker owns hosts, and leases their URLs to its engine in memory. All its hosts have one lease, which each
  transaction renews. A worker that finds it over buries the life and frees its hosts.
- A lease call is also the heartbeat: it renews, buries the dead, takes letters and hosts, and tells what others lack.
- Moments are those of the database's clock: the engine's clock was set by it (`SharedClock`).
Runs on: the storage thread.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from msgspec.structs import replace

from crawler.core.errors import StorageError
from crawler.core.leases_and_commits import Committed, Group, Lease, Opened, SeedCursor, Share, Wanted
from crawler.core.visits import Visit
from crawler.frontier.columns import AMONG, PARKED_DEATHS, READY, SUSPECT, SUSPECT_DEATHS, WAITING
from crawler.frontier.decisions import Decisions
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.postgres import schema
from crawler.frontier.postgres.errors import database_gate
from crawler.frontier.postgres.hosts import SharedHosts
from crawler.frontier.postgres.keys import PostgresKeys
from crawler.frontier.postgres.queues import PostgresQueues
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership, Portion
from crawler.frontier.run_reports import RunReports
from crawler.frontier.tally import Tally

_WAKE_AT_ONCE = 5000  # retries that come due in one transaction
_DUE = (
    f"SELECT url.id, host FROM url JOIN host ON host.id = url.host WHERE {WAITING} AND not_before <= ?"  # noqa: S608
    " AND (owner IS NULL OR owner = ?) ORDER BY not_before LIMIT ?"
)
_WAKE = (
    f"UPDATE url SET not_before = NULL WHERE id {AMONG} AND {WAITING} AND not_before <= ?"  # noqa: S608
    " RETURNING host, deaths"
)
_PARKED = f"SELECT DISTINCT host FROM url WHERE {SUSPECT} AND deaths >= ?"  # noqa: S608


class PostgresFrontier:
    """The frontier of one worker over its `session`, with the URLs in flight on `board`.

    `membership` is this worker's part of the run.
    """

    def __init__(
        self, session: Session, membership: Membership, board: MappedBoard, policy: FrontierPolicy | None = None
    ) -> None:
        self._session = session
        self._membership = membership
        self._board = board
        self._policy = policy or FrontierPolicy()
        self._places = -1  # how often a place was opened, as of the places in memory
        self._taken: set[int] = set()  # by the open transaction
        self._given: set[int] = set()
        self._opened_before = 0  # places that this process had opened when the transaction began

    def _gate(self) -> AbstractContextManager[None]:
        return database_gate(self._session.name)

    # --- opening -------------------------------------------------------------------------------------------------

    def open(self, now: float) -> Opened:
        """Begin a life of this worker, count deaths, and return where its last life stopped."""
        db = self._session.tables
        with self._gate():
            schema.check(db.db, self._session.name)
            self._hosts = SharedHosts(db, self._policy.scope)
            tally = Tally(db, self._membership.worker)
            self._queues = PostgresQueues(db, self._hosts)
            self._decisions = Decisions(
                db,
                PostgresKeys(db, self._hosts.ids),
                self._queues,
                self._policy,
                tally,
                worker=self._membership.worker,
                year=datetime.fromtimestamp(now, UTC).year,
                gate=self._gate,
                post=self._hosts,
                ids=self._hosts.ids,
            )
        generation, ids = self._board.open()  # which keeps other processes out of this folder
        self._session.begin(self._free)
        is_alone = self._session.read(lambda: self._membership.is_alone(db))
        if not is_alone:  # hosts that the run has given up stay so while it goes on elsewhere
            self._decisions.hosts.given_up.clear()
        counted = self._session.transact(lambda: self._count_deaths(generation, ids, is_alone=is_alone), self._undo)
        self._end_transaction()
        self._board.clear(max(generation, counted) + 1)  # a board that was deleted starts again at 0
        suspects = self._session.read(self._decisions.leasing.take_parked)
        stored = dict(self._session.read(lambda: db.rows("SELECT key, value FROM meta WHERE key LIKE 'seeds_%'")))
        is_first = self._membership.has_list
        cursor = SeedCursor(
            offset=stored.get("seeds_offset", 0) if is_first else 0,
            line=stored.get("seeds_line", 0) if is_first else 0,
            finished=bool(stored.get("seeds_finished", 0)) if is_first else True,
        )
        if stored.get("seeds_finished"):
            self._decisions.leasing.end_list()
        files = "SELECT name, length FROM file WHERE worker = ?"
        return Opened(
            totals=self._decisions.tally.totals(),
            cursor=cursor,
            files=dict(self._session.read(lambda: db.rows(files, self._membership.worker))),
            suspects=suspects,
            own_lines=self._session.read(lambda: self._membership.own_lines(db)),
        )

    def _free(self, before: int | None) -> None:
        """Free the hosts of the life before; each waits as if its last request were just sent."""
        if before is not None:
            self._membership.free_hosts(self._session.tables, before)

    def _count_deaths(self, generation: int, ids: Sequence[int], *, is_alone: bool) -> int:
        """Count a death for each URL that was in flight when the last life ended, where its host is free still.

        Return the generation of the board that was counted last before.
        """
        db = self._session.tables
        row = db.row("SELECT value FROM meta WHERE key = ?", self._counted)
        counted = row[0] if row else 0
        if is_alone:
            db.change("UPDATE host SET due = rest_until WHERE down IS NOT NULL AND owner IS NULL")
        if generation > counted:
            hosts = db.rows(f"SELECT DISTINCT host FROM url WHERE id {AMONG}", list(ids))  # noqa: S608
            self._hosts.lock([host for (host,) in hosts])
            ours = list(self._hosts.borrowed)
            died = f"UPDATE url SET deaths = deaths + 1 WHERE id {AMONG} AND host {AMONG} AND state = 0"  # noqa: S608
            db.change(died, list(ids), ours)
            db.change(
                "UPDATE host SET ready = (SELECT count(*) FROM url WHERE url.host = host.id"  # noqa: S608
                f" AND {READY}) WHERE id {AMONG}",
                ours,
            )
            db.put("meta", ("key",), ("value",), [(self._counted, generation)])
        parked = [host for (host,) in db.rows(_PARKED, PARKED_DEATHS)]
        self._hosts.lock(parked)
        taken = self._hosts.borrowed.intersection(parked)
        db.change(f"UPDATE host SET owner = ? WHERE id {AMONG}", self._session.life, list(taken))  # noqa: S608
        self._taken = taken
        return int(counted)

    @property
    def _counted(self) -> str:
        return f"board_counted_{self._membership.worker}"

    # --- transactions --------------------------------------------------------------------------------------------

    def _undo(self) -> None:
        self._decisions.forget()
        self._hosts.forget()
        self._places = -1
        self._opened_before = self._decisions.scope_index.opened

    def _end_transaction(self) -> None:
        """Take over what the committed transaction wrote."""
        self._decisions.keep()
        self._decisions.scope_index.drop(self._hosts.borrowed | self._given)
        self._decisions.leasing.drop(self._given)
        self._hosts.owned -= self._given  # some of these may be taken again
        self._hosts.owned |= self._taken
        self._taken, self._given = set(), set()
        self._hosts.end()

    def _read_places(self, *, may_open: bool) -> None:
        """Hold the places of the scope as they are until the transaction ends; a stale one would leave URLs out."""
        how = "UPDATE" if may_open else "SHARE"
        ((opened,),) = self._session.tables.rows(f"SELECT value FROM meta WHERE key = 'places' FOR {how}")  # noqa: S608
        if opened != self._places:
            self._decisions.scope_index.read_again()
            self._places = opened
        self._opened_before = self._decisions.scope_index.opened

    def _write(self) -> None:
        """Write what is left to write before the COMMIT."""
        self._decisions.write()
        self._hosts.write()
        if more := self._decisions.scope_index.opened - self._opened_before:
            self._session.tables.change("UPDATE meta SET value = value + ? WHERE key = 'places'", more)
            self._places += more
            self._opened_before += more

    # --- leasing -------------------------------------------------------------------------------------------------

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Renew the leases of this worker, and lease pending URLs of its hosts; see `core.protocols.Frontier`."""
        leasing, hosts = self._decisions.leasing, self._decisions.hosts
        self._session.read(lambda: leasing.close(wanted.gone))
        level: int | None = None
        while level != leasing.level:  # hosts are taken for one level at a time
            level = leasing.level
            portion = self._session.transact(lambda: self._beat(wanted, now), self._undo)
            self._end_transaction()
            leasing.gain(hosts.take_gained())
            leasing.look_again()
            self._session.read(self._decisions.tally.read)  # of all workers
            if requests := self._session.read(lambda: leasing.next(wanted, now)):
                break
        fresh = {request.url.host_port for request in requests} - wanted.shares.keys()
        if given_up := fresh & hosts.given_up:
            self._session.transact(lambda: hosts.give_another_chance(given_up, now), self._undo)
            self._end_transaction()
        states, robots = self._session.read(lambda: self._decisions.stored(fresh))
        moments = [self._session.read(self._first_retry), self._session.read(lambda: leasing.next_rested(now))]
        return Lease(
            requests=tuple(requests),
            hosts=states,
            robots=robots,
            is_exhausted=not len(leasing) and leasing.is_list_read and not self._session.read(leasing.is_anything_left),
            next_due=min((moment for moment in moments if moment is not None), default=None),
            gained=self._session.read(lambda: hosts.names(leasing.take_gained())),
            share=Share(until=self._session.until, totals=self._decisions.tally.totals(), **portion._asdict()),
        )

    def _beat(self, wanted: Wanted, now: float) -> Portion:
        """Work as a member of the run: bury the dead, take letters, give hosts back and take others."""
        db, leasing, life = self._session.tables, self._decisions.leasing, self._session.life
        self._taken, self._given = set(), set()
        self._membership.bury(db)
        finished = db.row("SELECT value FROM meta WHERE key = 'seeds_finished'")
        if finished and finished[0]:
            leasing.end_list()
        if letters := self._hosts.receive():
            self._read_places(may_open=any(letter.find and letter.find.way.seed for _, letter in letters))
            self._decisions.admission.receive(letters)
        self._wake(now)
        self._write()
        self._given = set(self._hosts.owned - leasing.busy)
        if self._given:
            self._queues.give_back(self._given)
        held, others = len(self._hosts.owned - self._given), self._membership.others(db)
        if wanted.awaited is None:
            limits, room = leasing.limits(now), others.room(held)
            count = wanted.new_hosts if wanted.new_share else 0
            self._taken = self._queues.take(life, limits, count if room is None else min(room, count))
            if not self._taken and not leasing.busy:
                self._taken = self._queues.take_suspect(life, limits)
        held = len(self._hosts.owned - self._given | self._taken)
        is_hungry = wanted.is_idle and not self._taken
        return self._membership.beat(db, wanted, others, held=held, is_hungry=is_hungry)

    def _first_retry(self) -> float | None:
        row = self._session.tables.row(f"SELECT min(not_before) FROM url WHERE {WAITING}")  # noqa: S608
        return None if row is None or row[0] is None else float(row[0])

    def _wake(self, now: float) -> None:
        """Let the retries whose time has come be ready, of own hosts and of free ones."""
        db = self._session.tables
        due = db.rows(_DUE, now, self._session.life, _WAKE_AT_ONCE)
        self._hosts.lock({host_id for _, host_id in due})
        ours = self._hosts.owned | self._hosts.borrowed
        ids = [url_id for url_id, host_id in due if host_id in ours]
        # Another worker may have woken some of them between the look at the rows and the locks on their hosts.
        for host_id, deaths in db.rows(_WAKE, ids, now) if ids else ():
            if deaths < SUSPECT_DEATHS:
                self._decisions.hosts.count_ready(host_id, 1)
            self._decisions.hosts.gain(host_id)

    # --- committing ----------------------------------------------------------------------------------------------

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Return the visits to be committed, in order; each redirect that closes a circle has failed."""
        return self._session.read(lambda: self._decisions.mark_circles(visits))

    def commit(self, group: Group) -> Committed:
        """Commit the group in one transaction."""

        def work() -> None:
            may_open = bool(group.seeds) or any(visit.request.way.seed and visit.finds for visit in group.visits)
            self._read_places(may_open=may_open)
            self._hosts.prove({visit.request.url.host_port for visit in group.visits})
            self._decisions.enter(group)
            self._write()

        self._session.transact(work, self._undo)
        self._end_transaction()
        committed = self._session.read(lambda: self._decisions.committed(group))
        return replace(committed, until=self._session.until)

    @property
    def reports(self) -> RunReports:
        """Return the reports about the run, as of the last commit; from `open` on."""
        return self._decisions.reports

    def close(self) -> None:
        """End in order: give all hosts back, and empty the board."""
        db = self._session.tables
        try:
            with suppress(StorageError):  # who is not there any more has lost its hosts, or soon will
                self._session.transact(lambda: self._membership.leave(db, self._session.life), self._undo)
        finally:
            self._board.clear(self._board.generation)
            self._board.close()
            self._session.close()

    def __repr__(self) -> str:
        return f"<PostgresFrontier {self._session.name}, {self._decisions.leasing!r}>"
