"""How URLs enter the frontier and leave it: one merging insert, one finishing update, one postponement.

Rules
- A URL is one row, found by the 128-bit digest of its canonical form (odds of a collision at 10^9 URLs: 1.5e-21).
- Finds merge: allowed beats refused, seed beats link, the smaller depth wins, while the row is pending or refused for
  what another find may not have (out of scope, too deep, nofollow); a seed is refused for nothing.
- Every change of a row changes the counters of its host and the sums within the same transaction.
Runs on: the storage thread, inside a transaction.
"""

import sqlite3

from crawler.core.histogram import bucket
from crawler.core.models import Find, RejectedLine, Request, Retry, SeedBatch, State, Visit
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.frontier.borders import Borders
from crawler.frontier.hosts import Hosts
from crawler.frontier.known import Known
from crawler.frontier.rules import Rules
from crawler.frontier.tally import Tally

_OF_THE_FIND = frozenset({Reason.OUT_OF_SCOPE, Reason.DEPTH_LIMIT, Reason.NOFOLLOW, Reason.REFRESH_LIMIT})


class Admission:
    """The changes of rows in the database `db`."""

    def __init__(self, db: sqlite3.Connection, tally: Tally, hosts: Hosts, borders: Borders, rules: Rules) -> None:
        self._db = db
        self._tally = tally
        self._hosts = hosts
        self._borders = borders
        self._edges = rules.edges
        self._known = Known(follows=rules.follows)

    def keep(self) -> None:
        """The transaction is committed."""
        self._known.keep()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._known.forget()

    # --- lines of the list ---------------------------------------------------------------------------------------

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

    # --- finds ---------------------------------------------------------------------------------------------------

    def admit(self, find: Find) -> None:
        """A URL that no page led to."""
        self._admit(find, referrer=None)

    def _admit(self, find: Find, referrer: int | None) -> bool:
        """Insert the find, or merge it into the row that is there; True when it was new."""
        if find.seed and (place := self._borders.open_for(find.url)) is not None:
            self._let_in(place)
        refusal = self._refusal(find)
        if (url_id := self._known.settled(find, refusal)) is not None:
            self._connect(referrer, url_id)
            return False
        host_id = self._hosts.id(find.url.host_port)
        if find.named:
            self._hosts.name_by_user(host_id)
        url = find.url
        inserted = self._db.execute(
            "INSERT INTO url (key, url, host, depth, hops, seed, foreign_hop, line, referrer, sitemap, lastmod)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (
                *(url.key, url.href, host_id, find.depth, find.hops, find.seed, find.foreign, find.line, referrer),
                *(find.sitemap, find.lastmod),
            ),
        )
        if is_new := inserted.rowcount > 0:
            self._settle(inserted.lastrowid or 0, host_id, find, refusal)
        else:
            self._merge(find, host_id, refusal)
        if self._edges:
            (found,) = self._db.execute("SELECT id FROM url WHERE key = ?", (url.key,)).fetchone()
            self._connect(referrer, found)
        return is_new

    def _connect(self, source: int | None, target: int) -> None:
        if self._edges and source is not None:
            self._db.execute("INSERT OR IGNORE INTO edge VALUES (?, ?)", (source, target))

    def _settle(self, url_id: int, host_id: int, find: Find, refusal: Reason | None) -> None:
        """The state of a row that is new, and pending by default."""
        if refusal is None and not find.seed:
            refusal = self._borders.trap(find.url, host_id)
        if refusal:
            self._db.execute("UPDATE url SET state = ?, reason = ? WHERE id = ?", (State.SKIPPED, refusal, url_id))
            self._tally.skip(refusal, find.url.href)
        else:
            self._hosts.count_ready(host_id, 1)
            self._tally.add("state", State.PENDING.name)
        if refusal is None or refusal in _OF_THE_FIND:
            self._known.note(url_id, find, refusal)
        else:
            self._known.note_final(url_id, find.url.key)

    def _refusal(self, find: Find) -> Reason | None:
        if find.seed:
            return None
        is_inside = find.sitemap or self._borders.covers(find.url)
        return find.refusal or (None if is_inside else Reason.OUT_OF_SCOPE)

    def _merge(self, find: Find, host_id: int, refusal: Reason | None) -> None:
        url_id, state, reason = self._db.execute(
            "SELECT id, state, reason FROM url WHERE key = ?", (find.url.key,)
        ).fetchone()
        if state in {State.DONE, State.FAILED} or reason == Reason.ROBOTS_DENIED:
            self._known.note_final(url_id, find.url.key)
            return
        is_refused = state == State.SKIPPED
        if find.refusal or (is_refused and reason not in _OF_THE_FIND and not find.seed):
            return
        if is_refused and refusal is None:
            self._readmit(url_id, host_id, reason)
        self._db.execute(
            "UPDATE url SET depth = min(depth, ?1), hops = min(hops, ?2),"
            " seed = max(seed, ?3), line = coalesce(line, ?4), foreign_hop = min(foreign_hop, ?5)"
            " WHERE id = ?6 AND (depth > ?1 OR hops > ?2 OR seed < ?3 OR foreign_hop > ?5 OR line IS NULL)",
            (find.depth, find.hops, find.seed, find.line, find.foreign, url_id),
        )

    def _readmit(self, url_id: int, host_id: int, reason: str) -> None:
        """A URL that was refused is wanted after all."""
        self._db.execute("UPDATE url SET state = 0, reason = NULL WHERE id = ?", (url_id,))
        self._hosts.count_ready(host_id, 1)
        self._tally.add("skipped", reason, -1)
        self._tally.add("state", State.SKIPPED.name, -1)
        self._tally.add("state", State.PENDING.name)

    def _let_in(self, place: str) -> None:
        """A place came into scope: what was found there and left out becomes pending."""
        rows = self._db.execute(
            "SELECT url.id, url.url, url.host FROM url JOIN host ON host.id = url.host"
            " WHERE host.site = ? AND url.reason = ?",
            (place.partition("/")[0], Reason.OUT_OF_SCOPE),
        ).fetchall()
        for url_id, text, host_id in rows:
            if self._borders.covers(url := parse(text)):
                if trap := self._borders.trap(url, host_id):
                    self._db.execute("UPDATE url SET reason = ? WHERE id = ?", (trap, url_id))
                    self._tally.add("skipped", Reason.OUT_OF_SCOPE, -1)
                    self._tally.add("skipped", trap)
                else:
                    self._readmit(url_id, host_id, Reason.OUT_OF_SCOPE)

    # --- the end of a turn ---------------------------------------------------------------------------------------

    def finish(self, visit: Visit) -> None:
        """The URL has its final state, and what it led to is known."""
        request, reason, record = visit.request, visit.reason, visit.record
        self._leave_ready(request)
        attempts, status = (record.attempts, record.status) if record else (request.attempts, None)
        self._db.execute(
            "UPDATE url SET state = ?, reason = ?, status = ?, attempts = ?, deaths = 0, not_before = NULL"
            " WHERE id = ?",
            (visit.state, reason, status, attempts, request.id),
        )
        self._known.note_final(request.id, request.url.key)
        self._tally.add("state", State.PENDING.name, -1)
        if visit.state is State.SKIPPED:
            self._tally.skip(reason, request.url.href)
        else:
            self._tally.add("state", visit.state.name)
        if visit.state is State.FAILED:
            self._tally.add("failed", reason)
        elif reason.is_unread:
            self._tally.leave_unread(reason, request.url.href)
        self._measure(visit)
        for find in visit.finds:
            self._admit(find, referrer=request.id)
        if visit.target is not None:
            self._db.execute(
                "UPDATE url SET leads_to = (SELECT id FROM url WHERE key = ?) WHERE id = ?",
                (visit.target.key, request.id),
            )

    def _measure(self, visit: Visit) -> None:
        if visit.record is not None:
            host_id = self._hosts.id(visit.request.url.host_port)
            failed = visit.state is State.FAILED
            self._hosts.count_page(host_id, visit.at, failed=failed)
            if failed:
                self._hosts.count_trouble(host_id, visit.reason)
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
        self._db.execute(
            "INSERT OR IGNORE INTO attempt VALUES (?, ?, ?, ?)", (request.id, retry.at, retry.reason, retry.not_before)
        )
        self._hosts.count_trouble(self._hosts.id(request.url.host_port), retry.reason)
        self._tally.add("sum", "retries")

    def _leave_ready(self, request: Request) -> None:
        if not request.alone:  # a suspect is no ready row; whatever else is leased was one
            self._hosts.count_ready(self._hosts.id(request.url.host_port), -1)
