"""The rows of URLs that one transaction works on: read as sets, changed in memory, written as sets.

Rules
- A row that was read stands for the row on disk until the transaction ends: whatever changes it changes it here.
- Values are plain numbers and strings: sqlite3 takes a microsecond for each member of an enum.
- The end of a visit is written without reading the row, as most visits need no more. What is read afterwards is read
  behind it.
Runs on: the storage thread, inside a transaction.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from crawler.core.merging import UrlRow
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url, key_of
from crawler.core.visits import BadLink, Retry, State
from crawler.frontier.columns import AMONG, WAY, columns_of, way_of
from crawler.frontier.shapes import row_of, shape_of
from crawler.frontier.tables import Tables, UrlKeys

_PENDING, _DONE, _FAILED, _SKIPPED = map(int, State)
_VISITED = (_DONE, _FAILED)
_KEPT = ("state", "reason", "referrer", *WAY, "line", "guess")
_WRITTEN = (*_KEPT, "shape")
_COLUMNS = ", ".join(f"url.{column}" for column in ("id", "url", "host", "leads_to", *_KEPT))
_BY_ID = f"SELECT {_COLUMNS} FROM url WHERE id = ?"  # noqa: S608
_BY_IDS = f"SELECT {_COLUMNS} FROM url WHERE id {AMONG}"  # noqa: S608
_OUTSIDE = f"url.reason = '{Reason.OUT_OF_SCOPE}'"
_LEFT_OUT = f"SELECT {_COLUMNS} FROM url JOIN host ON host.id = url.host WHERE host.site = ? AND {_OUTSIDE}"  # noqa: S608
_LEFT_OUT_OF = f"SELECT {_COLUMNS} FROM url WHERE host = ? AND {_OUTSIDE}"  # noqa: S608
_INSERTED = ("id", "url", "host", *_WRITTEN)
_ENDED = ("state", "reason", "status", "attempts", "deaths", "not_before")
_PUT_OFF = ("attempts", "not_before", "reason", "deaths")


class LoadedUrl(msgspec.Struct, eq=False):
    """A row in memory; the columns as in `frontier/columns.py`, and what its finds made of it as `row`."""

    id: int
    href: str
    host_id: int
    leads_to: str | None
    state: int
    reason: str | None
    referrer: int | None
    row: UrlRow

    @property
    def is_over(self) -> bool:
        """Return whether the URL was visited, or need not be."""
        return self.state in _VISITED or self.reason == Reason.ROBOTS_DENIED

    @property
    def is_final(self) -> bool:
        """Return whether no find changes the row any more, since it is over and leads nowhere."""
        return self.leads_to is None and self.is_over


class UrlRows:
    """The rows of the database `db` that the open transaction has read or changed; `keys` finds them."""

    def __init__(self, db: Tables, keys: UrlKeys) -> None:
        self._db = db
        self._keys = keys
        self._rows: dict[str, LoadedUrl] = {}
        self._by_id: dict[int, LoadedUrl] = {}
        self._absent: dict[str, bytes] = {}  # keys of URLs that have no row yet
        self._inserted: dict[int, tuple[bytes, LoadedUrl]] = {}
        self._changed: dict[int, LoadedUrl] = {}
        self._ends: list[tuple[Any, ...]] = []
        self._leads: list[tuple[str, int]] = []
        self._delays: list[tuple[Any, ...]] = []
        self._attempts: list[tuple[Any, ...]] = []
        self._edges: list[tuple[int, int]] = []
        self._bad_links: list[tuple[str, str, int]] = []
        self._has_left_out = False  # a change that is not written yet leaves a URL out of scope

    # --- reading -------------------------------------------------------------------------------------------------

    def shapes(self, hrefs: Iterable[str]) -> Sequence[tuple[int, str, UrlRow]]:
        """Return the id, the URL and the shape of each of these URLs that has a row, as the last commit left it.

        No row of the transaction may have been changed yet.
        """
        keys = {key_of(href): href for href in hrefs}
        known = [(url_id, keys.pop(key), row_of(shape)) for key, url_id, shape in self._keys.shapes(dict(keys))]
        self._absent.update((href, key) for key, href in keys.items())
        return known

    def load(self, hrefs: Iterable[str]) -> None:
        """Read the rows of these URLs, as far as they are not in memory."""
        keys = {key_of(href): href for href in hrefs if href not in self._rows and href not in self._absent}
        if not keys:
            return
        if self._ends or self._delays:
            self.write()
        if known := [url_id for _, url_id, _ in self._keys.shapes(keys)]:
            for columns in self._db.rows(_BY_IDS, self._db.among(known)):
                self._keep(columns)
        rows = self._rows
        self._absent.update((href, key) for key, href in keys.items() if href not in rows)

    def find(self, url: Url) -> LoadedUrl | None:
        """Return the row of a URL; None = there is none."""
        found = self._rows.get(url.href)
        if found is None and url.href not in self._absent:
            self.load((url.href,))
            found = self._rows.get(url.href)
        return found

    def of(self, url_id: int) -> LoadedUrl:
        """Return the row with this id."""
        found = self._by_id.get(url_id)
        if found is None:
            self.write()
            columns = self._db.row(_BY_ID, url_id)
            assert columns is not None  # noqa: S101 - no row is ever deleted
            found = self._keep(columns)
        return found

    def left_out(self, site: str) -> Sequence[LoadedUrl]:
        """Return the URLs of a site that were left out of scope."""
        return self._outside(_LEFT_OUT, site)

    def left_out_of(self, host_id: int) -> Sequence[LoadedUrl]:
        """Return the URLs of a host that were left out of scope."""
        return self._outside(_LEFT_OUT_OF, host_id)

    def _outside(self, query: str, value: str | int) -> Sequence[LoadedUrl]:
        if self._has_left_out:
            self.write()
        found = [self._keep(columns) for columns in self._db.rows(query, value)]
        return [url for url in found if url.reason == Reason.OUT_OF_SCOPE]

    def lacks(self, href: str) -> bool:
        """Return whether it is known of a URL that it has no row."""
        return href in self._absent

    def loaded(self) -> Collection[LoadedUrl]:
        """Return all rows in memory."""
        return self._rows.values()

    def is_loaded(self, url: Url) -> bool:
        """Return whether the row of a URL is in memory."""
        return url.href in self._rows

    def _keep(self, columns: Sequence[Any]) -> LoadedUrl:
        url_id, href, host_id, leads_to, state, reason, referrer, *way, line, guess = columns
        if (known := self._rows.get(href)) is not None:
            return known
        url = LoadedUrl(
            url_id, href, host_id, leads_to, state, reason, referrer, UrlRow(way_of(way), line, guess, None)
        )
        if state == _SKIPPED and not url.is_over:
            url.row = url.row._replace(refusal=Reason(reason))
        self._rows[href] = self._by_id[url_id] = url
        return url

    # --- changing ------------------------------------------------------------------------------------------------

    def insert(self, href: str, host_id: int, row: UrlRow, referrer: int | None) -> LoadedUrl:
        """Return a new row of a URL that `find` has just missed."""
        url = LoadedUrl(self._db.new_url(), href, host_id, None, _PENDING, None, referrer, row)
        self._rows[href] = self._by_id[url.id] = url
        self._inserted[url.id] = self._absent.pop(href), url
        return url

    def change(self, url: LoadedUrl) -> None:
        """Note that a row was changed."""
        if url.id not in self._inserted:
            self._changed[url.id] = url

    def judge(self, url: LoadedUrl, refusal: Reason | None) -> None:
        """Let a row be pending, or skipped with a reason."""
        url.state = _SKIPPED if refusal else _PENDING
        url.reason = str(refusal) if refusal else None
        self._has_left_out |= refusal is Reason.OUT_OF_SCOPE

    def finish(self, request: Request, state: State, reason: Reason, status: int | None, attempts: int) -> None:
        """Give a visited URL its final state."""
        if (url := self._rows.get(request.url.href)) is not None:
            url.state, url.reason = int(state), str(reason)
        self._ends.append((int(state), str(reason), status, attempts, 0, None, request.id))

    def lead(self, source: LoadedUrl, target: Url) -> None:
        """Note where a visited URL leads."""
        source.leads_to = target.href
        self._leads.append((target.href, source.id))

    def postpone(self, retry: Retry) -> None:
        """Let a URL wait for another try."""
        request = retry.request
        if (url := self._rows.get(request.url.href)) is not None:
            url.reason = str(retry.reason)
        self._delays.append((request.attempts, retry.not_before, str(retry.reason), 0, request.id))
        self._attempts.append((request.id, retry.at, str(retry.reason), retry.not_before))

    def connect(self, source: int, targets: Iterable[int]) -> None:
        """Note that a page links to these URLs."""
        self._edges.extend((source, target) for target in targets)

    def note_bad_links(self, source: int, links: Iterable[BadLink]) -> None:
        """Note the links of a page that are no URL."""
        self._bad_links.extend((bad.text, str(bad.reason), source) for bad in links)

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write every change into the transaction."""
        db, keys = self._db, self._keys
        if inserts := [
            (url.id, url.href, url.host_id, *_written(url), *keys.values(key)) for key, url in self._inserted.values()
        ]:
            db.insert("url", (*_INSERTED, *keys.columns), inserts)
        if self._ends:
            db.update("url", _ENDED, "id", self._ends)
        if self._leads:
            db.update("url", ("leads_to",), "id", self._leads)
        if self._delays:
            db.update("url", _PUT_OFF, "id", self._delays)
            db.insert_missing("attempt", ("url", "at", "reason", "not_before"), self._attempts)
        if changes := [(*_written(url), url.id) for url in self._changed.values()]:
            db.update("url", _WRITTEN, "id", changes)  # last, as it holds the states that the others have left
        if self._edges:
            db.insert_missing("edge", ("source", "target"), self._edges)
        if self._bad_links:
            db.insert_missing("bad_link", ("text", "reason", "source"), self._bad_links)
        self._keys.write(
            added=((key, url.id) for key, url in self._inserted.values()),
            changed=[(_written(url)[-1], key_of(url.href)) for url in self._changed.values()],
        )
        self._forget_changes()

    def keep(self) -> None:
        """Let go of the rows of the committed transaction."""
        self._keys.keep()
        self._let_go()

    def _let_go(self) -> None:
        for rows in (self._rows, self._by_id, self._absent):
            rows.clear()

    def forget(self) -> None:
        """Drop the rows of the transaction that was rolled back."""
        self._keys.forget()
        self._let_go()
        self._forget_changes()

    def _forget_changes(self) -> None:
        self._has_left_out = False
        for changes in (self._inserted, self._changed, self._ends, self._leads, self._delays, self._attempts):
            changes.clear()
        self._edges.clear()
        self._bad_links.clear()


def _written(url: LoadedUrl) -> tuple[Any, ...]:
    row = url.row
    shape = shape_of(row.way, row.guess, row.refusal)
    return url.state, url.reason, url.referrer, *columns_of(row.way), row.line, int(row.guess), shape
