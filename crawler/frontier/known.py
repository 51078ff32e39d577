"""URLs of which nothing new can be learned: most links of a site lead to what is known, and cost no statement then.

Rules
- Only what is committed is known. (A key that was remembered before its commit would lose the URL, if the page that
  found it never commits.)
- A find is settled if no field of it could improve the row that is there: it neither comes nearer, nor is it a seed or
  a sitemap, nor dated, nor allowed where the row is refused. Rows only get better, so what is remembered here may only
  be too modest.
Runs on: the storage thread.
"""

from dataclasses import dataclass

from crawler.core.models import Find
from crawler.core.reasons import Reason

_REMEMBERED = 300_000  # keys: about 80 MB


@dataclass(frozen=True, slots=True)
class _Row:
    """What is known of a row: how good it is at least."""

    id: int
    depth: int
    hops: int
    foreign: bool
    is_refused: bool

    def settles(self, find: Find, refusal: Reason | None) -> bool:
        return (
            find.depth >= self.depth
            and find.hops >= self.hops
            and self.foreign <= find.foreign
            and (not self.is_refused or refusal is not None)
        )


class Known:
    """A bounded memory of committed rows, by key; it remembers nothing where no links are followed."""

    def __init__(self, *, follows: bool) -> None:
        self._most = _REMEMBERED if follows else 0
        self._rows: dict[bytes, _Row] = {}
        self._new: dict[bytes, _Row] = {}

    def settled(self, find: Find, refusal: Reason | None) -> int | None:
        """The row of a find, refused or not, that changes nothing; None = it has to be looked up."""
        row = self._rows.get(find.url.key)
        if row is None or find.seed or find.sitemap or find.lastmod:
            return None
        return row.id if row.settles(find, refusal) else None

    def note(self, url_id: int, find: Find, refusal: Reason | None) -> None:
        """A row was made for this find."""
        row = _Row(url_id, find.depth, find.hops, find.foreign, refusal is not None)
        self._new[find.url.key] = row

    def note_final(self, url_id: int, key: bytes) -> None:
        """A row has a state that no link changes."""
        self._new[key] = _Row(url_id, -1, -1, foreign=False, is_refused=False)

    def keep(self) -> None:
        """The transaction is committed."""
        if len(self._rows) + len(self._new) > self._most:
            self._rows.clear()
        if self._most:
            self._rows.update(self._new)
        self._new.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._new.clear()
