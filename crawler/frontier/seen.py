"""URLs of which nothing new can be learned: most links of a site lead to what is known, and cost no statement then.

Rules
- Only what is committed is known. (A key that was remembered before its commit would lose the URL, if the page that
  found it never commits.)
- A find is settled if `core/merging.py` says that it brings the row nothing new. Rows only get better, so what is
  remembered here may only be too modest.
Runs on: the storage thread.
"""

from crawler.core.finds import Find
from crawler.core.merging import UrlRow, merged
from crawler.core.reasons import Reason

_REMEMBERED = 300_000  # keys: about 80 MB

_Rows = dict[bytes, tuple[int, UrlRow | None]]


class SeenCache:
    """A bounded memory of committed rows, by key; it remembers nothing where no links are followed."""

    def __init__(self, *, follows: bool) -> None:
        self._most = _REMEMBERED if follows else 0
        self._rows: _Rows = {}
        self._new: _Rows = {}
        self._alike: dict[UrlRow, UrlRow] = {}  # thousands of rows are the same, and are one object

    def settled(self, find: Find, refusal: Reason | None) -> int | None:
        """The row of a find, refused or not, that changes nothing; None = it has to be looked up."""
        if find.way.seed or (known := self._rows.get(find.url.key)) is None:
            return None
        url_id, row = known
        return url_id if row is None or merged(row, find, refusal) is None else None

    def note(self, url_id: int, key: bytes, row: UrlRow | None) -> None:
        """What a row is now; None = it has a state that no link changes."""
        if row is not None:
            row = row if row.line is None else row._replace(line=None)  # no link has one
            row = self._alike.setdefault(row, row)
        self._new[key] = url_id, row

    def keep(self) -> None:
        """The transaction is committed."""
        if len(self._rows) + len(self._new) > self._most:
            self._rows.clear()
            self._alike.clear()
        if self._most:
            self._rows.update(self._new)
        self._new.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._new.clear()
