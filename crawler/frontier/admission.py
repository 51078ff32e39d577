"""How URLs enter the frontier and leave it: one merging insert, one finishing update, one postponement.

Rules
- A URL is one row, found by the 128-bit digest of its canonical form (odds of a collision at 10^9 URLs: 1.5e-21).
- Finds merge as `core/merging.py` says. What had its turn is final, but a redirect that is reached in a better way
  afterwards leads its target on in that way, so that the order of answers makes no difference.
- Every change of a row changes the counters of its host and the sums within the same transaction.
Runs on: the storage thread, inside a transaction.
"""

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple, replace

from crawler.core.finds import Find, Guess
from crawler.core.handover import RejectedLine, SeedBatch
from crawler.core.histogram import bucket
from crawler.core.merging import UrlRow, first, hop, merged
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.sessions import LinkingDocument
from crawler.core.urls import Url, parse
from crawler.core.visits import Retry, State, Visit
from crawler.core.ways import Way
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
    """Where a row stands."""

    id: int
    url: Url
    host_id: int


class Admission:
    """The changes of rows in the database `db`."""

    def __init__(
        self, db: sqlite3.Connection, tally: Tally, hosts: HostRows, borders: ScopeIndex, rules: FrontierPolicy
    ) -> None:
        self._db = db
        self._tally = tally
        self._hosts = hosts
        self._borders = borders
        self._judge = rules.judge
        self._edges = rules.edges
        self._known = SeenCache(follows=rules.follows)
        self._onward: deque[tuple[Find, int]] = deque()
        self._document: LinkingDocument | None = None  # whose links are being entered

    def keep(self) -> None:
        """The transaction is committed."""
        self._known.keep()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._known.forget()
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
            else:
                self._reject_duplicate(find)
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

    def _reject_duplicate(self, find: Find) -> None:
        (first,) = self._db.execute("SELECT line FROM url WHERE key = ?", (find.url.key,)).fetchone()
        is_own = first in (None, find.line)  # a row that something else found takes the first line that names it
        message = "already found through a redirect or link" if is_own else f"same URL as line {first}"
        line = RejectedLine(line=find.line or 0, reason=Reason.DUPLICATE, message=message, text=find.url.href)
        self._reject(line)

    # --- finds ---------------------------------------------------------------------------------------------------

    def admit(self, find: Find) -> bool:
        """A URL that no page led to; True when it was new."""
        is_new = self._enter(find, referrer=None)
        self._pass_on()
        return is_new

    def _enter(self, find: Find, referrer: int | None) -> bool:
        """Insert the find, or merge it into the row that is there; True when it was new."""
        if find.way.seed and (place := self._borders.open_for(find.url)) is not None:
            self._let_in(place)
        refusal = self._refusal(find)
        if (url_id := self._known.settled(find, refusal)) is not None:
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

    def _refusal(self, find: Find) -> Reason | None:
        if find.way.seed:
            return None
        is_inside = find.way.sitemap or self._borders.covers(find.url)
        return find.refusal or (None if is_inside else Reason.OUT_OF_SCOPE)

    def _merge(self, find: Find, host_id: int, refusal: Reason | None, referrer: int | None) -> int:
        """Improve the row that is there, if the find does; gives its id."""
        url_id, state, reason, leads_to, *columns = self._db.execute(_FIND, (find.url.key,)).fetchone()
        place = _UrlPlace(url_id, find.url, host_id)
        is_over = state in {State.DONE, State.FAILED} or reason == Reason.ROBOTS_DENIED
        row = _row(columns, Reason(reason) if state == State.SKIPPED and not is_over else None)
        better = None if is_over and (leads_to is None or refusal) else merged(row, find, refusal)
        if better is None:
            self._known.note(url_id, find.url.key, None if is_over and leads_to is None else row)
            return place.id
        self._improve(place, row, better, referrer)
        if not is_over:
            self._stand(place, row, better)
        else:
            self._known.note(url_id, find.url.key, better)
            self._lead_on(place, better.way, leads_to)
        return place.id

    def _improve(self, place: _UrlPlace, before: UrlRow, row: UrlRow, referrer: int | None) -> None:
        """Write what the row has become; whoever else found the best way to it is its referrer."""
        self._db.execute(_IMPROVE, (*_values(row), place.id))
        if referrer != place.id and (row.way.is_better_than(before.way) or row.refusal is not before.refusal):
            self._db.execute("UPDATE url SET referrer = ? WHERE id = ?", (referrer, place.id))

    def _stand(self, place: _UrlPlace, before: UrlRow | None, row: UrlRow) -> None:
        """A row is made (`before` None) or has changed: where does it stand now? The one door to pending.

        So whatever comes in, new or after all, is counted by the families that may be traps.
        """
        self._hosts.gain(place.host_id)
        if before is None or before.refusal is not row.refusal:
            if row.refusal is None and not row.way.seed:
                row = row._replace(refusal=self._borders.trap(place.url, place.host_id, self._document))
            if before is not None:
                self._count(place, before.refusal, -1)
            self._count(place, row.refusal, 1)
            if row.refusal or before is not None:
                state = State.SKIPPED if row.refusal else State.PENDING
                self._db.execute("UPDATE url SET state = ?, reason = ? WHERE id = ?", (state, row.refusal, place.id))
        self._known.note(place.id, place.url.key, row)

    def _count(self, place: _UrlPlace, refusal: Reason | None, n: int) -> None:
        if refusal:
            self._tally.skip(refusal, n)
        else:
            self._hosts.count_ready(place.host_id, n)
            self._tally.add("state", State.PENDING.name, n)

    def _let_in(self, name: str) -> None:
        """A place came into scope: what was found there and left out becomes pending."""
        rows = self._db.execute(
            f"SELECT url.id, url.url, url.host, {_ROW} FROM url JOIN host ON host.id = url.host"  # noqa: S608
            " WHERE host.site = ? AND url.reason = ?",
            (name.partition("/")[0], Reason.OUT_OF_SCOPE),
        ).fetchall()
        for url_id, text, host_id, *columns in rows:
            if self._borders.covers(url := parse(text)):
                row = _row(columns, Reason.OUT_OF_SCOPE)
                self._stand(_UrlPlace(url_id, url, host_id), row, row._replace(refusal=None))

    # --- redirects -----------------------------------------------------------------------------------------------

    def _lead(self, request: Request, target: Url | None) -> None:
        """Remember where a finished URL leads, for better ways to it that come later or came during its turn."""
        if target is None:
            self._known.note(request.id, request.url.key, None)
            return
        self._db.execute(
            "UPDATE url SET leads_to = (SELECT id FROM url WHERE key = ?) WHERE id = ?", (target.key, request.id)
        )
        place, leads_to, row = self._reached(request)
        self._known.note(request.id, request.url.key, row)
        if leads_to is not None and replace(row.way, lastmod=request.way.lastmod) != request.way:
            self._lead_on(place, row.way, leads_to)

    def _reached(self, request: Request) -> tuple[_UrlPlace, int | None, UrlRow]:
        """Read what the row of a request has become during its turn."""
        host_id, leads_to, *columns = self._db.execute(
            f"SELECT host, leads_to, {_ROW} FROM url WHERE id = ?",  # noqa: S608
            (request.id,),
        ).fetchone()
        return _UrlPlace(request.id, request.url, host_id), leads_to, _row(columns, None)

    def _leave_open(self, request: Request) -> None:
        """Skip a guess until a find names its scheme; one that came during its turn has it tried at once."""
        place, _, row = self._reached(request)
        skipped = row._replace(refusal=Reason.HTTP_INSTEAD)
        self._stand(place, skipped, row if row.guess == Guess.BOTH else skipped)

    def _lead_on(self, source: _UrlPlace, way: Way, target_id: int) -> None:
        """A redirect that had its turn is reached in a better way: so is its target."""
        (text,) = self._db.execute("SELECT url FROM url WHERE id = ?", (target_id,)).fetchone()
        find = hop(source.url, way, parse(text))
        if self._judge and not find.way.seed:
            refusal = self._judge.refusal(find.url, find.way.depth, is_sitemap=find.way.sitemap)
            find = replace(find, refusal=refusal or find.refusal)
        self._onward.append((find, source.id))

    def _pass_on(self) -> None:
        """Let all that is led on arrive; it ends even in a loop, since only what makes a row better goes on."""
        while self._onward:  # no recursion: a chain of redirects may be longer than the stack is high
            self._enter(*self._onward.popleft())

    # --- the end of a turn ---------------------------------------------------------------------------------------

    def finish(self, visit: Visit) -> None:
        """The URL has its final state, and what it led to is known."""
        request, reason, record = visit.request, visit.reason, visit.record
        onto = visit.target
        self._document = LinkingDocument(request.url, visit.finds)
        source = request.id if visit.state is State.DONE else None  # what was not had leads nowhere, its line does
        for find in visit.finds:  # before its turn ends, as a page may find a better way to itself
            self._enter(find, referrer=source)
            onto = onto or (find.url if _is_hop(find) else None)
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
            self._leave_open(request)
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


def _row(columns: Sequence[Any], refusal: Reason | None) -> UrlRow:
    *way, line, guess = columns
    return UrlRow(schema.way_of(way), line, guess, refusal)


def _values(row: UrlRow) -> tuple[Any, ...]:
    return (*astuple(row.way), row.line, row.guess)


def _is_hop(find: Find) -> bool:
    """Whether it is a refresh that is followed."""
    return find.way.chain > 0 and (find.way.seed or find.refusal is not Reason.NOFOLLOW)
