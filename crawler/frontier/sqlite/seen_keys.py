"""The index of keys: the row of each URL, by the 128-bit digest of its canonical form, with the shape of the row.

Rules
- A key is in the table `seen` or *young*, in memory. Rows up to `meta.seen_up_to` have their keys in the table; the
  keys of later rows are read again from these rows when the frontier is opened, so no crash loses one.
- A young key may be in the table already. Both say the same, as no row ever gives up its URL, and the shape of a young
  one is read from its row.
- What a transaction adds counts for look-ups after its COMMIT; until then `UrlRows` has the new rows.
Strategy: keys are random. In a table of millions each of them would change a page of its own, and ten times as many
bytes would be written as for the row itself. So keys wait until they are many, and go in the order of the table, where
neighbours share a page. A transaction moves as many as it adds, so none is slow (a log-structured merge of two levels).
Runs on: the thread that has the connection.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from crawler.core.urls import Url, key_of
from crawler.frontier.columns import AMONG
from crawler.frontier.tables import Tables

_YOUNG = 100_000  # keys that begin a move: about 20 MB in memory, and twice as much before it ends

# Keys come in one parameter, 16 bytes each: half the time of one statement for each.
_SHAPES = (
    "WITH RECURSIVE place (at) AS (VALUES (1) UNION ALL SELECT at + 16 FROM place WHERE at + 16 < length(?))"
    " SELECT key, url, shape FROM place CROSS JOIN seen ON key = substr(?, at, 16)"
)
_OF_YOUNG = f"SELECT id, shape FROM url WHERE id {AMONG}"  # noqa: S608
_MOVE = "INSERT OR IGNORE INTO seen SELECT ?, id, shape FROM url WHERE id = ?"


class SeenKeys:
    """The keys of all rows of `url` in the database `db`; see `frontier.url_rows.UrlKeys`."""

    columns: tuple[str, ...] = ()

    def __init__(self, db: Tables) -> None:
        self._db = db
        stored = db.row("SELECT value FROM meta WHERE key = 'seen_up_to'")
        self._up_to = stored[0] if stored else 0  # as this life began
        later = db.scan("SELECT id, url FROM url WHERE id > ? ORDER BY id", self._up_to)
        self._young = {key_of(href): url_id for url_id, href in later}
        self._added: dict[bytes, int] = {}
        self._moving: Sequence[bytes] = ()  # in the order of the table; those before `_moved` are in it
        self._moved = 0
        self._moving_up_to = 0  # the last row that is young now
        self._moved_now = 0

    def values(self, key: bytes) -> tuple[Any, ...]:
        """Return nothing: the keys have a table of their own."""
        return ()

    def shapes(self, keys: Mapping[bytes, str]) -> list[tuple[bytes, int, str]]:
        """Return the key, the row and its shape of each of these keys that is known."""
        young: dict[int, bytes] = {}
        old = []
        for key in keys:
            if (url_id := self._young.get(key)) is None:
                old.append(key)
            else:
                young[url_id] = key
        found: list[tuple[bytes, int, str]] = []
        if young:
            shapes = self._db.rows(_OF_YOUNG, self._db.among(young))
            found += [(young[url_id], url_id, shape) for url_id, shape in shapes]
        if old:
            old.sort()  # the table is walked in its order
            found += [(key, url_id, shape) for key, url_id, shape in self._db.rows(_SHAPES, *2 * [b"".join(old)])]
        return found

    def find(self, url: Url) -> int | None:
        """Return the row of a URL; None = there is none."""
        found = self.shapes({url.key: url.href})
        return found[0][1] if found else None

    def count(self) -> int:
        """Return the number of keys in a database that no transaction has changed since it was opened."""
        old = self._db.row("SELECT count(*) FROM seen WHERE url <= ?", self._up_to)
        assert old is not None  # noqa: S101 - a count
        return int(old[0]) + len(self._young)

    def write(self, added: Iterable[tuple[bytes, int]], changed: Collection[tuple[str, bytes]]) -> None:
        """Take the keys of new rows into the transaction, and changed shapes by key; the rows are written already."""
        before = len(self._added)
        self._added.update(added)
        if changed:
            self._db.update("seen", ("shape",), "key", changed)
        if (new := len(self._added) - before) and len(self._moving) > self._moved_now:
            self._move(new)

    def _move(self, count: int) -> None:
        """Move so many of the keys that are to move; with the last of them their rows are done."""
        part = self._moving[self._moved_now : self._moved_now + count]
        self._db.change_each(_MOVE, [(key, self._young[key]) for key in part])
        self._moved_now += len(part)
        if self._moved_now == len(self._moving):
            self._db.put("meta", ("key",), ("value",), [("seen_up_to", self._moving_up_to)])

    def keep(self) -> None:
        """Take over what the committed transaction wrote."""
        for key in self._moving[self._moved : self._moved_now]:
            del self._young[key]
        self._moved = self._moved_now
        self._young.update(self._added)
        self._added.clear()
        if self._moved == len(self._moving):
            self._moving, self._moved, self._moved_now = (), 0, 0
            if len(self._young) >= _YOUNG:
                self._moving = sorted(self._young)
                self._moving_up_to = max(self._young.values())

    def forget(self) -> None:
        """Drop what the transaction that was rolled back wrote."""
        self._added.clear()
        self._moved_now = self._moved
