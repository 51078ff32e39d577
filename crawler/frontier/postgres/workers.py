"""The workers of a run: who lives, what each may use, and how the dead are buried.

Rules
- Each worker has a row. A worker lives while its row has a life; it is late once its lease is over, and may be buried.
- Hosts are shared evenly when a worker has nothing to do: each one that has more than the mean hands some back.
- Pages of the budget are granted from one number, `pages_left`; what a worker has not used when it ends goes back.
- Parts of the rate are granted under one lock, and never sum up to more than the rate. A worker that uses less from now
  on says so at its next beat, when its engine surely does.
- The rows are few and are read as a whole; each worker writes its own alone, but for those that it buries.
Runs on: the storage thread, inside a transaction.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from crawler.core.leases_and_commits import Wanted
from crawler.frontier.postgres.tables import PostgresTables

_LIVE = "life IS NOT NULL AND lease_until >= clock_timestamp()"
_DEAD = (
    "SELECT id, life, pages FROM worker WHERE life IS NOT NULL AND lease_until < clock_timestamp()"
    " ORDER BY id FOR UPDATE SKIP LOCKED"
)
# A host waits as if a request had been sent at the last moment at which its owner might have sent one.
_FREE = (
    "UPDATE host SET owner = NULL, due = greatest(due, delay + extract(epoch FROM"
    " (SELECT least(lease_until, clock_timestamp()) FROM worker WHERE life = ?)))"
    " WHERE owner = ?"
)
_ENDED = "UPDATE worker SET life = NULL, hosts = 0, wants = 0, rate = 0, pages = ? WHERE id = ?"


def lines_of(worker: str) -> str:
    """Return the lines of output of a worker, in all its lives, as SQL; `worker` is SQL for its number."""
    lines = f"worker = {worker} AND kind = 'state' AND name IN ('DONE', 'FAILED')"
    return f"(SELECT coalesce(sum(n), 0)::bigint FROM tally WHERE tally.{lines})"  # noqa: S608


class Portion(NamedTuple):
    """The part of a run that a worker may use for now; see `core.leases_and_commits.Share`."""

    pages: int | None
    rate: float | None
    surplus: int


class Membership:
    """The part of one worker in a run with these budgets.

    Attributes:
        worker: its number.
        has_list: it has the list of the run in its folder.
    """

    def __init__(self, worker: int, *, max_pages: int | None = None, rate: float | None = None) -> None:
        self.worker = worker
        self.has_list = worker == 1
        self._max_pages = max_pages
        self._rate = rate
        self._told_rate = 0.0  # what the engine may be using

    def is_alone(self, db: PostgresTables) -> bool:
        """Return whether no other worker lives."""
        return db.row(f"SELECT 1 FROM worker WHERE id != ? AND {_LIVE} LIMIT 1", self.worker) is None  # noqa: S608

    def own_lines(self, db: PostgresTables) -> int:
        """Return the lines of output of this worker, in all its lives."""
        return _lines(db, self.worker)

    def free_hosts(self, db: PostgresTables, life: int) -> None:
        """Free the hosts of a life that has ended."""
        db.change(_FREE, life, life)

    def bury(self, db: PostgresTables) -> None:
        """Free the hosts of workers whose leases are over, and take back the pages that they have not used."""
        for worker, life, pages in db.rows(_DEAD):
            if worker != self.worker:
                self.free_hosts(db, life)
                self._end(db, worker, pages)

    def _end(self, db: PostgresTables, worker: int, pages: int) -> None:
        lines = _lines(db, worker)
        if self._max_pages is not None:
            db.change("UPDATE meta SET value = value + ? WHERE key = 'pages_left'", max(0, pages - lines))
        db.change(_ENDED, lines, worker)

    def others(self, db: PostgresTables) -> "Others":
        """Return what the other workers that live have and lack."""
        query = f"SELECT hosts, wants FROM worker WHERE id != ? AND {_LIVE}"  # noqa: S608
        return Others([(hosts, bool(wants)) for hosts, wants in db.rows(query, self.worker)])

    def beat(self, db: PostgresTables, wanted: Wanted, others: "Others", *, held: int, is_hungry: bool) -> Portion:
        """Tell the others what this worker has and lacks; return what it may use."""
        ((own_rate, own_pages),) = db.rows("SELECT rate, pages FROM worker WHERE id = ?", self.worker)
        workers = len(others.rows) + 1
        pages = self._pages(db, own_pages, wanted.pages, workers)
        rate = self._part_of_rate(db, workers)
        noted = own_rate if rate is None else max(rate, self._told_rate)
        self._told_rate = rate or 0.0
        statement = "UPDATE worker SET hosts = ?, wants = ?, rate = ?, pages = ? WHERE id = ?"
        db.change(statement, held, int(is_hungry), noted, own_pages if pages is None else pages, self.worker)
        return Portion(pages, rate, others.surplus(held))

    def _pages(self, db: PostgresTables, granted: int, wanted: int, workers: int) -> int | None:
        """Return the grant after this beat: as much as is wanted, and at most a fair part of what is left."""
        if self._max_pages is None:
            return None
        if wanted == granted:
            return granted
        ((left,),) = db.rows("SELECT value FROM meta WHERE key = 'pages_left' FOR UPDATE")
        change = min(wanted - granted, max(0, ceil(left / workers))) if wanted > granted else wanted - granted
        db.change("UPDATE meta SET value = value - ? WHERE key = 'pages_left'", change)
        return granted + change

    def _part_of_rate(self, db: PostgresTables, workers: int) -> float | None:
        """Return the rate of this worker: its even part, as far as the others leave it."""
        if self._rate is None:
            return None
        db.rows("SELECT value FROM meta WHERE key = 'rate' FOR UPDATE")
        used = db.row(f"SELECT coalesce(sum(rate), 0) FROM worker WHERE id != ? AND {_LIVE}", self.worker)  # noqa: S608
        return max(0.0, min(self._rate / workers, self._rate - (used[0] if used else 0.0)))

    def leave(self, db: PostgresTables, life: int) -> None:
        """End this worker's life in order: its hosts are free at once."""
        self.free_hosts(db, life)  # after a failure, the notes on its last requests are not there
        ((pages,),) = db.rows("SELECT pages FROM worker WHERE id = ?", self.worker)
        self._end(db, self.worker, pages)


def _lines(db: PostgresTables, worker: int) -> int:
    ((lines,),) = db.rows(f"SELECT {lines_of('?')}", worker)
    return int(lines)


class Others(NamedTuple):
    """The other workers that live: the number of hosts of each, and whether it could work on more."""

    rows: Sequence[tuple[int, bool]]

    def _fair(self, held: int) -> int:
        """Return the even share of the hosts that are held, when this worker holds so many."""
        return ceil((held + sum(hosts for hosts, _ in self.rows)) / (len(self.rows) + 1))

    def surplus(self, held: int) -> int:
        """Return the number of hosts that a worker which holds so many hands to idle ones."""
        fair = self._fair(held)
        lacking = sum(max(0, fair - hosts) for hosts, is_hungry in self.rows if is_hungry)
        return max(0, min(held - fair, lacking))

    def room(self, held: int) -> int | None:
        """Return how many hosts a worker that holds so many may take; None = as many as it likes."""
        if not any(is_hungry and hosts < held for hosts, is_hungry in self.rows):
            return None
        return max(1 - held, 0)
