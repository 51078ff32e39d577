"""How URLs enter the frontier and leave it: one merging insert, one finishing update, one postponement.

Rules
- A URL is one row, found by the 128-bit digest of its canonical form (odds of a collision at 10^9 URLs: 1.5e-21).
- Finds merge: allowed beats refused, seed beats link, the smaller depth wins, while the row is pending or refused.
- Every change of a row changes `host.ready` and the sums within the same transaction.
Runs on: the storage thread, inside a transaction.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping

from crawler.core.histogram import bucket
from crawler.core.models import Find, HostState, RejectedLine, Request, Retry, SeedBatch, State, Visit
from crawler.core.reasons import Reason
from crawler.core.urls import Host
from crawler.frontier.tally import Tally

_KNOWN_HOSTS = 100_000


class Admission:
    """The changes of rows in the database `db`."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._hosts: dict[Host, int] = {}
        self._ready: Counter[int] = Counter()  # host id -> change of its ready rows within this transaction

    def write(self) -> None:
        """Put the changes of `host.ready` into the transaction: one statement per host, not per URL."""
        changes = [(n, host_id) for host_id, n in self._ready.items() if n]
        self._db.executemany("UPDATE host SET ready = ready + ? WHERE id = ?", changes)
        self._ready.clear()

    def forget(self) -> None:
        """The transaction was rolled back: hosts that it made are gone too."""
        self._ready.clear()
        self._hosts.clear()

    def host_id(self, host: Host) -> int:
        """The row of a host; it is made when there is none."""
        found = self._hosts.get(host)
        if found is None:
            self._db.execute("INSERT OR IGNORE INTO host (name) VALUES (?)", (host,))
            (found,) = self._db.execute("SELECT id FROM host WHERE name = ?", (host,)).fetchone()
            if len(self._hosts) >= _KNOWN_HOSTS:
                self._hosts.clear()
            self._hosts[host] = found
        return found

    def import_lines(self, batch: SeedBatch) -> None:
        """Account for some lines of the list, each exactly once, and move the cursor behind them."""
        for rejected in batch.rejected:
            self._reject(rejected)
        for find in batch.finds:
            if self._admit(find, referrer=None):
                self._tally.add("line", "url")
            else:
                self._reject_duplicate(find)
        self._tally.add("line", "read", batch.lines)
        self._tally.add("line", "blank", batch.blank)
        self._tally.add("line", "comment", batch.comments)
        cursor = [("seeds_offset", batch.cursor), ("seeds_line", batch.line), ("seeds_finished", int(batch.last))]
        self._db.executemany("REPLACE INTO meta VALUES (?, ?)", cursor)

    def _reject(self, rejected: RejectedLine) -> None:
        row = (rejected.line, rejected.reason, rejected.message, rejected.text)
        self._db.execute("INSERT INTO rejected VALUES (?, ?, ?, ?)", row)
        self._tally.add("line", rejected.reason)

    def _reject_duplicate(self, find: Find) -> None:
        (first,) = self._db.execute("SELECT line FROM url WHERE key = ?", (find.url.key,)).fetchone()
        is_own = first in (None, find.line)  # a row that something else found takes the first line that names it
        message = "already found through a redirect or link" if is_own else f"same URL as line {first}"
        line = RejectedLine(line=find.line or 0, reason=Reason.DUPLICATE, message=message, text=find.url.href)
        self._reject(line)

    def _admit(self, find: Find, referrer: int | None) -> bool:
        """Insert the find, or merge it into the row that is there; True when it was new."""
        host_id = self.host_id(find.url.host_port)
        state = State.SKIPPED if find.refusal else State.PENDING
        url = find.url
        place = (url.key, url.href, host_id, state, find.depth, find.hops)
        inserted = self._db.execute(
            "INSERT INTO url (key, url, host, state, depth, hops, seed, foreign_hop, line, referrer, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (*place, find.seed, find.foreign, find.line, referrer, find.refusal),
        ).rowcount
        if inserted:
            self._count(host_id, find)
        else:
            self._merge(find, host_id)
        if find.named:
            self._db.execute("UPDATE host SET named = 1 WHERE id = ? AND NOT named", (host_id,))
        return bool(inserted)

    def _count(self, host_id: int, find: Find) -> None:
        if find.refusal:
            self._tally.add("skipped", find.refusal)
            self._tally.add("state", State.SKIPPED.name)
        else:
            self._ready[host_id] += 1
            self._tally.add("state", State.PENDING.name)

    def _merge(self, find: Find, host_id: int) -> None:
        if find.refusal:
            return
        url_id, state, reason = self._db.execute(
            "SELECT id, state, reason FROM url WHERE key = ?", (find.url.key,)
        ).fetchone()
        if state == State.SKIPPED and reason != Reason.ROBOTS_DENIED:
            self._db.execute("UPDATE url SET state = 0, reason = NULL WHERE id = ?", (url_id,))
            self._tally.add("skipped", reason, -1)
            self._tally.add("state", State.SKIPPED.name, -1)
            self._count(host_id, find)
        elif state != State.PENDING:
            return
        self._db.execute(
            "UPDATE url SET depth = min(depth, ?1), hops = min(hops, ?2),"
            " seed = max(seed, ?3), line = coalesce(line, ?4), foreign_hop = min(foreign_hop, ?5)"
            " WHERE id = ?6 AND (depth > ?1 OR hops > ?2 OR seed < ?3 OR foreign_hop > ?5 OR line IS NULL)",
            (find.depth, find.hops, find.seed, find.line, find.foreign, url_id),
        )

    def finish(self, visit: Visit) -> None:
        """The URL has its final state, and what it led to is known."""
        request, reason = visit.request, visit.reason
        self._leave_ready(request)
        self._db.execute(
            "UPDATE url SET state = ?, reason = ?, attempts = ?, deaths = 0, not_before = NULL WHERE id = ?",
            (visit.state, reason, visit.record.attempts if visit.record else request.attempts, request.id),
        )
        self._tally.add("state", State.PENDING.name, -1)
        self._tally.add("state", visit.state.name)
        if visit.state is State.SKIPPED:
            self._tally.add("skipped", reason)
        elif visit.state is State.FAILED:
            self._tally.add("failed", reason)
        self._measure(visit)
        for find in visit.finds:
            self._admit(find, referrer=request.id)

    def _measure(self, visit: Visit) -> None:
        if visit.record is not None:
            self._tally.add("sum", "bytes", visit.record.bytes or 0)
            if visit.record.status is not None:
                self._tally.add("status", str(visit.record.status))
        if visit.latency is not None:
            self._tally.add("latency", str(bucket(int(visit.latency * 1e9))))

    def postpone(self, retry: Retry) -> None:
        """The URL waits for another try; that it came back at all clears its deaths."""
        request = retry.request
        self._leave_ready(request)
        self._db.execute(
            "UPDATE url SET attempts = ?, not_before = ?, deaths = 0, reason = ? WHERE id = ?",
            (request.attempts, retry.not_before, retry.reason, request.id),
        )
        self._tally.add("sum", "retries")

    def _leave_ready(self, request: Request) -> None:
        if not request.alone:  # a suspect is no ready row; whatever else is leased was one
            self._ready[self.host_id(request.url.host_port)] -= 1

    def write_hosts(self, hosts: Mapping[Host, HostState]) -> None:
        """Remember what politeness knows of these hosts."""
        for host, state in hosts.items():
            self._db.execute("UPDATE host SET due = ? WHERE id = ?", (state.due, self.host_id(host)))
