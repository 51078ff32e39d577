"""The cache of the seen set: most links of a site lead to a URL that is stored already, and cost no SQL then.

Rules
- Only committed rows are in the cache. (A key that was cached before its commit would lose the URL, if the page that
  found it never commits.)
- A find is settled if `core/merging.py` says that it brings the row nothing new. Rows only get better, so a stale row
  of the cache costs a look-up and never a find.
Runs on: the storage thread.
"""

from crawler.core.finds import Find
from crawler.core.merging import UrlRow, merged
from crawler.core.reasons import Reason

_REMEMBERED = 300_000  # keys: about 80 MB

_Rows = dict[bytes, tuple[int, UrlRow | None]]


class SeenCache:
    """A bounded cache of committed rows, by key; it stays empty where no links are followed."""

    def __init__(self, *, follows: bool) -> None:
        self._most = _REMEMBERED if follows else 0
        self._rows: _Rows = {}
        self._new: _Rows = {}
        self._alike: dict[UrlRow, UrlRow] = {}  # thousands of rows are the same, and are one object

    def settled(self, find: Find, refusal: Reason | None) -> int | None:
        """Return the id of the row that a find, refused or not, does not change; None = the row must be looked up."""
        if find.way.seed or (seen := self._rows.get(find.url.key)) is None:
            return None
        url_id, row = seen
        return url_id if row is None or merged(row, find, refusal) is None else None

    def note(self, url_id: int, key: bytes, row: UrlRow | None) -> None:
        """Note the row of a URL as it is now; None = its state is one that no link changes."""
        if row is not None:
            row = row if row.line is None else row._replace(line=None)  # no link has one
            row = self._alike.setdefault(row, row)
        self._new[key] = url_id, row

    def keep(self) -> None:
        """Take over the rows of the committed transaction."""
        if len(self._rows) + len(self._new) > self._most:
            self._rows.clear()
            self._alike.clear()
        if self._most:
            self._rows.update(self._new)
        self._new.clear()

    def forget(self) -> None:
        """Drop the rows of the transaction that was rolled back."""
        self._new.clear()
