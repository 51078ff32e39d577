"""The cache of the seen set: most links of a site lead to a URL that is stored already, and cost one look-up then.

Rules
- Only committed rows are in the cache. (A URL that was cached before its commit would be lost, if the page that
  found it never commits.)
- A find is settled if `core/merging.py` says that it brings the row nothing new. Rows only get better, so a stale row
  of the cache costs a look-up and never a find.
- Whether a row settles a find depends on the row and on the facts that all finds of a run share. So the merge is
  judged once for each run and kind of row, and never for each link.
Strategy: links to URLs that it lacks are looked up first, in one statement, and what the index of keys tells of their
rows comes into the cache (`frontier/shapes.py`). Two halves. When the younger is full it becomes the older, whose rows
are forgotten but for those asked for.
Runs on: the storage thread.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from crawler.core.discovery import START
from crawler.core.finds import Find, Run
from crawler.core.merging import UrlRow, first, merged
from crawler.core.reasons import Reason

_REMEMBERED = 200_000  # URLs of one half: 70 MB are both, at 70 characters each
_CHARACTERS = 20_000_000  # of one half: no site fills the memory by long URLs

_UNKNOWN = UrlRow(START, None, 0, None)  # a stand-in that is compared by identity


class SeenCache:
    """A bounded cache of committed rows, by URL; it stays empty where no links are followed.

    `ids`: the ids of the rows are remembered, too.
    """

    def __init__(self, *, follows: bool, ids: bool) -> None:
        self._most = _REMEMBERED if follows else 0
        self._rows: dict[str, UrlRow | None] = {}
        self._older: dict[str, UrlRow | None] = {}
        self._ids: dict[str, int] | None = {} if ids else None
        self._older_ids: dict[str, int] = {}
        self._characters = 0
        self._alike: dict[UrlRow, UrlRow] = {}  # thousands of rows are the same, and are one object

    def unsettled(self, run: Run, refusal: Reason | None, hrefs: Sequence[str]) -> Sequence[str]:
        """Return those URLs of a run, in order, whose rows its finds, refused or not, may change: look these up."""
        find = run.find
        if find.way.seed or not (self._rows or self._older):
            return hrefs
        row_of = self._rows.get
        settling: UrlRow | None = None  # the row that settled the last find: most links of a page lead to alike ones
        unsettled = []
        for href in hrefs:
            row = row_of(href, _UNKNOWN)
            if row is _UNKNOWN and href in self._older:
                row = self._renew(href)
            if row is None or row is settling:
                continue
            if row is not _UNKNOWN and merged(row, find, refusal) is None:
                settling = row
            else:
                unsettled.append(href)
        return unsettled

    def missing(self, hrefs: Iterable[str]) -> Iterator[str]:
        """Yield those of these URLs that the cache could hold and does not."""
        return (href for href in hrefs if self._most and href not in self._rows and href not in self._older)

    def ids(self, hrefs: Iterable[str]) -> Iterator[int]:
        """Yield the ids of the rows of URLs that are settled."""
        own, older = self._ids or {}, self._older_ids
        return (own[href] if href in own else older[href] for href in hrefs)

    def keep(self, rows: Collection[tuple[int, str, UrlRow | None]]) -> None:
        """Take in committed rows: id, URL and row; None = no find changes it any more."""
        if not self._most:
            return
        if len(self._rows) + len(rows) > self._most or self._characters > _CHARACTERS:
            self._older, self._rows, self._alike, self._characters = self._rows, {}, {}, 0
            if self._ids is not None:
                self._older_ids, self._ids = self._ids, {}
        for url_id, href, row in rows:
            self._put(url_id, href, None if row is None else self._shared(row))

    def merge(self, find: Find, refusal: Reason | None) -> None:
        """Take in a find that is on its way to the row of its URL."""
        if not self._most:
            return
        href = find.url.href
        known = self._rows.get(href, self._older.get(href, _UNKNOWN))
        if known is not None and (row := first(find, refusal) if known is _UNKNOWN else merged(known, find, refusal)):
            self.keep([(0, href, row)])

    def _renew(self, href: str) -> UrlRow | None:
        """Return the row of a URL from the older half, and keep it in the younger one."""
        row = self._older[href]
        self._put(self._older_ids.get(href, 0), href, row)
        return row

    def _put(self, url_id: int, href: str, row: UrlRow | None) -> None:
        if href not in self._rows:
            self._characters += len(href)
        self._rows[href] = row
        if self._ids is not None:
            self._ids[href] = url_id

    def _shared(self, row: UrlRow) -> UrlRow:
        bare = row if row.line is None else row._replace(line=None)  # no link has one
        return self._alike.setdefault(bare, bare)
