"""The seen set: one merging insert for each find, one finishing update for each visit, one postponement for each retry.

Rules
- A URL is one row, found by the 128-bit digest of its canonical form (odds of a collision at 10^9 URLs: 1.5e-21).
- Finds merge as `core/merging.py` says. A visited URL is final. But a visited redirect that a better way reaches
  afterwards passes that way on to its target, so that the order of answers makes no difference.
- Every change of a row changes the counters of its host and the sums within the same transaction.
Runs on: the storage thread, inside a transaction.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple, replace

from crawler.core.discovery import Way
from crawler.core.finds import Find, Guess
from crawler.core.histogram import bucket
from crawler.core.leases_and_commits import RejectedLine, SeedBatch
from crawler.core.merging import UrlRow, first, hop, merged
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.sessions import LinkingDocument
from crawler.core.urls import Url, parse
from crawler.core.visits import Retry, State, Visit
from crawler.frontier import schema
from crawler.frontier.host_rows import HostRows
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.scope_index import ScopeIndex
from crawler.frontier.seen import SeenCache
from crawler.frontier.tally import Tally

_COLUMNS = (*schema.WAY, "line", "guess")  # of a `UrlRow`, but for its refusal
_ROW, _MARKS = ", ".join(_COLUMNS), ", ?" * len(_COLUMNS)
_INSERT = f"INSERT INTO url (key, url, host, referrer, {_ROW}) VALUES (?, ?, ?, ?{_MARKS}) ON CONFLICT DO NOTHING"  # noqa: S608
_FIND = f"SELECT id, state, reason, leads_to, {_ROW} FROM url WHERE key = ?"  # noqa: S608
_IMPROVE = f"UPDATE url SET {', '.join(f'{column} = ?' for column in _COLUMNS)} WHERE id = ?"  # noqa: S608


class _UrlPlace(NamedTuple):
    """The identity of a row."""

    id: int
    url: Url
    host_id: int


class Admission:
    """The writer of the rows of URLs in the database `db`."""

    def __init__(
        self, db: sqlite3.Connection, tally: Tally, hosts: HostRows, scope_index: ScopeIndex, policy: FrontierPolicy
    ) -> None:
        self._db = db
        self._tally = tally
        self._hosts = hosts
        self._scope_index = scope_index
        self._judge = policy.judge
        self._edges = policy.edges
        self._seen = SeenCache(follows=policy.follows)
        self._onward: deque[tuple[Find, int]] = deque()
        self._document: LinkingDocument | None = None  # whose links are being entered

    def keep(self) -> None:
        """Take over what the committed transaction wrote."""
        self._seen.keep()

    def forget(self) -> None:
        """Drop the writes of the transaction that was rolled back."""
        self._seen.forget()
        self._onward.clear()
        self._document = None

    # --- lines of the list ---------------------------------------------------------------------------------------

    def import_lines(self, batch: SeedBatch) -> None:
        """Account for some lines of the list, each exactly once, and move the cursor behind them."""
        for rejected in batch.rejected:
            self._reject(rejected)
        for find in batch.finds:
            if self.admit(find):
                self._tally.add("line", "url")
                continue
            (first,) = self._db.execute("SELECT line FROM url WHERE key = ?", (find.url.key,)).fetchone()
            is_own = first in (None, find.line)  # a row that something else found takes the first line that names it
            message = "already found through a redirect or link" if is_own else f"same URL as line {first}"
            text = find.url.href
            self._reject(RejectedLine(line=find.line or 0, reason=Reason.DUPLICATE, message=message, text=text))
        self._tally.add("line", "read", batch.lines)
        self._tally.add("line", "blank", batch.blank)
        self._tally.add("line", "comment", batch.comments)
        self._tally.add("reading", "guessed", batch.guessed)
        self._tally.add("reading", "unwrapped", batch.unwrapped)
        cursor = [("seeds_offset", batch.cursor), ("seeds_line", batch.line), ("seeds_finished", int(batch.last))]
        self._db.executemany("REPLACE INTO meta VALUES (?, ?)", cursor)

    def _reject(self, rejected: RejectedLine) -> None:
        row = (rejected.line, rejected.reason, rejected.message, rejected.text)
        self._db.execute("INSERT INTO rejected VALUES (?, ?, ?, ?)", row)
        self._tally.add("line", rejected.reason)

    # --- finds ---------------------------------------------------------------------------------------------------

    def admit(self, find: Find) -> bool:
        """Take in a URL that no page links to; return True when it is new."""
        is_new = self._enter(find, referrer=None)
        self._pass_on()
        return is_new

    def _enter(self, find: Find, referrer: int | None) -> bool:
        """Insert the find, or merge it into its row; return True when it is new."""
        if find.way.seed and (opened := self._scope_index.open_for(find.url)) is not None:
            # The URLs that were left out of scope and lie in the place that this seed has opened are pending now.
            rows = self._db.execute(
                f"SELECT url.id, url.url, url.host, {_ROW} FROM url JOIN host ON host.id = url.host"  # noqa: S608
                " WHERE host.site = ? AND url.reason = ?",
                (opened.partition("/")[0], Reason.OUT_OF_SCOPE),
            ).fetchall()
            for left_id, text, left_host_id, *columns in rows:
                if self._scope_index.covers(left_out := parse(text)):
                    row = _row(columns, Reason.OUT_OF_SCOPE)
                    self._stand(_UrlPlace(left_id, left_out, left_host_id), row, row._replace(refusal=None))
        refusal = None if find.way.seed else find.refusal
        if not (refusal or find.way.seed or find.way.sitemap or self._scope_index.covers(find.url)):
            refusal = Reason.OUT_OF_SCOPE
        if (url_id := self._seen.settled(find, refusal)) is not None:
            self._connect(referrer, url_id)
            return False
        host_id = self._hosts.id(find.url.host_port)
        if find.named:
            self._hosts.name_by_user(host_id)
        row = first(find, refusal)
        inserted = self._db.execute(_INSERT, (find.url.key, find.url.href, host_id, referrer, *_values(row)))
        if is_new := inserted.rowcount > 0:
            url_id = inserted.lastrowid or 0
            self._stand(_UrlPlace(url_id, find.url, host_id), None, row)
        else:
            url_id = self._merge(find, host_id, refusal, referrer)
        self._connect(referrer, url_id)
        return is_new

    def _connect(self, source: int | None, target: int) -> None:
        if self._edges and source is not None:
            self._db.execute("INSERT OR IGNORE INTO edge VALUES (?, ?)", (source, target))

    def _merge(self, find: Find, host_id: int, refusal: Reason | None, referrer: int | None) -> int:
        """Merge the find into its row; return the id of the row."""
        url_id: int
        url_id, state, reason, leads_to, *columns = self._db.execute(_FIND, (find.url.key,)).fetchone()
        place = _UrlPlace(url_id, find.url, host_id)
        is_over = state in {State.DONE, State.FAILED} or reason == Reason.ROBOTS_DENIED
        row = _row(columns, Reason(reason) if state == State.SKIPPED and not is_over else None)
        better = None if is_over and (leads_to is None or refusal) else merged(row, find, refusal)
        if better is None:
            self._seen.note(url_id, find.url.key, None if is_over and leads_to is None else row)
            return url_id
        self._db.execute(_IMPROVE, (*_values(better), url_id))
        if referrer != url_id and (better.way.is_better_than(row.way) or better.refusal is not row.refusal):
            self._db.execute("UPDATE url SET referrer = ? WHERE id = ?", (referrer, url_id))
        if not is_over:
            self._stand(place, row, better)
        else:
            self._seen.note(url_id, find.url.key, better)
            self._lead_on(place, better.way, leads_to)
        return url_id

    def _stand(self, place: _UrlPlace, before: UrlRow | None, row: UrlRow) -> None:
        """Set the state of a row that is new (`before` None) or has changed.

        Every row becomes pending here, so each one is counted by the families that may be traps.
        """
        self._hosts.gain(place.host_id)
        if before is None or before.refusal is not row.refusal:
            if row.refusal is None and not row.way.seed:
                row = row._replace(refusal=self._scope_index.trap(place.url, place.host_id, self._document))
            if before is not None:
                self._count(place, before.refusal, -1)
            self._count(place, row.refusal, 1)
            if row.refusal or before is not None:
                state = State.SKIPPED if row.refusal else State.PENDING
                self._db.execute("UPDATE url SET state = ?, reason = ? WHERE id = ?", (state, row.refusal, place.id))
        self._seen.note(place.id, place.url.key, row)

    def _count(self, place: _UrlPlace, refusal: Reason | None, n: int) -> None:
        if refusal:
            self._tally.skip(refusal, n)
        else:
            self._hosts.count_ready(place.host_id, n)
            self._tally.add("state", State.PENDING.name, n)

    # --- redirects -----------------------------------------------------------------------------------------------

    def _lead(self, request: Request, target: Url | None) -> None:
        """Store the target of a visited URL; pass a better way on to it that was found during the visit."""
        if target is None:
            self._seen.note(request.id, request.url.key, None)
            return
        self._db.execute(
            "UPDATE url SET leads_to = (SELECT id FROM url WHERE key = ?) WHERE id = ?", (target.key, request.id)
        )
        place, leads_to, row = self._reached(request)
        self._seen.note(request.id, request.url.key, row)
        if leads_to is not None and replace(row.way, lastmod=request.way.lastmod) != request.way:
            self._lead_on(place, row.way, leads_to)

    def _reached(self, request: Request) -> tuple[_UrlPlace, int | None, UrlRow]:
        """Return the row of a request as finds have changed it during the visit."""
        host_id, leads_to, *columns = self._db.execute(
            f"SELECT host, leads_to, {_ROW} FROM url WHERE id = ?",  # noqa: S608
            (request.id,),
        ).fetchone()
        return _UrlPlace(request.id, request.url, host_id), leads_to, _row(columns, None)

    def _lead_on(self, source: _UrlPlace, way: Way, target_id: int) -> None:
        """Queue the target of a visited redirect, which a better way has reached."""
        (text,) = self._db.execute("SELECT url FROM url WHERE id = ?", (target_id,)).fetchone()
        find = hop(source.url, way, parse(text))
        if self._judge and not find.way.seed:
            refusal = self._judge.refusal(find.url, find.way.depth, is_sitemap=find.way.sitemap)
            find = replace(find, refusal=refusal or find.refusal)
        self._onward.append((find, source.id))

    def _pass_on(self) -> None:
        """Enter the queued targets; a loop ends, since only a find that makes a row better goes on."""
        while self._onward:  # no recursion: a chain of redirects may be longer than the stack is high
            self._enter(*self._onward.popleft())

    # --- the end of a visit --------------------------------------------------------------------------------------

    def finish(self, visit: Visit) -> None:
        """Give the URL its final state, and enter its finds."""
        request, reason, record = visit.request, visit.reason, visit.record
        onto = visit.target
        self._document = LinkingDocument(request.url, visit.finds)
        source = request.id if visit.state is State.DONE else None  # a failed URL leads nowhere, its line does
        for find in visit.finds:  # before the visit ends, as a page may find a better way to itself
            self._enter(find, referrer=source)
            is_followed = find.way.seed or find.refusal is not Reason.NOFOLLOW
            if onto is None and find.way.chain > 0 and is_followed:  # a refresh
                onto = find.url
        self._document = None
        self._leave_ready(request)
        attempts, status = (record.attempts, record.status) if record else (request.attempts, None)
        self._db.execute(
            "UPDATE url SET state = ?, reason = ?, status = ?, attempts = ?, deaths = 0, not_before = NULL"
            " WHERE id = ?",
            (visit.state, reason, status, attempts, request.id),
        )
        self._tally.add("state", State.PENDING.name, -1)
        if visit.state is State.SKIPPED:
            self._tally.skip(reason)
        else:
            self._tally.add("state", visit.state.name)
        if visit.state is State.FAILED:
            self._tally.add("failed", reason)
        elif reason.is_unread:
            self._tally.add("unread", reason)
        self._measure(visit)
        if self._edges:
            rows = [(bad.text, bad.reason, request.id) for bad in visit.bad_links]
            self._db.executemany("INSERT OR IGNORE INTO bad_link VALUES (?, ?, ?)", rows)
        if reason is Reason.HTTP_INSTEAD:
            # A skipped guess waits for a find that names its scheme; if one did during the visit, it is tried at once.
            place, _, row = self._reached(request)
            skipped = row._replace(refusal=Reason.HTTP_INSTEAD)
            self._stand(place, skipped, row if row.guess == Guess.BOTH else skipped)
        else:
            self._lead(request, onto)
        self._pass_on()

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
        """Let the URL wait for another try; the process has survived it, so its deaths are cleared."""
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


def _row(columns: Sequence[Any], refusal: Reason | None) -> UrlRow:
    *way, line, guess = columns
    return UrlRow(schema.way_of(way), line, guess, refusal)


def _values(row: UrlRow) -> tuple[Any, ...]:
    return (*astuple(row.way), row.line, row.guess)
