"""frontier.seen_keys: every row is found by its key, be it in memory or in the table, and after any end."""

import random
import sqlite3
from collections.abc import Iterator

import pytest

from crawler.core.urls import key_of
from crawler.frontier.sqlite import schema, seen_keys
from crawler.frontier.sqlite.seen_keys import SeenKeys
from crawler.frontier.sqlite.tables import SqliteTables


class Rows:
    """A table of URLs with keys, and the moves of transactions that add to it."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.create(self.db)
        self.keys = SeenKeys(SqliteTables(self.db))
        self.known: dict[bytes, tuple[int, str]] = {}

    def add(self, count: int, *, fails: bool = False) -> None:
        """Add URLs in one transaction."""
        first = len(self.known) + 1
        rows = [(number, f"http://h/{number}", str(number % 3)) for number in range(first, first + count)]
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO url (id, url, shape, host, depth) VALUES (?, ?, ?, 1, 0)", rows)
        self.keys.write([(key_of(href), url_id) for url_id, href, _ in rows], [])
        self._end(fails=fails)
        if not fails:
            self.known.update((key_of(href), (url_id, shape)) for url_id, href, shape in rows)

    def change(self, url_id: int, shape: str, *, fails: bool = False) -> None:
        """Give one URL another shape."""
        key = key_of(f"http://h/{url_id}")
        self.db.execute("BEGIN")
        self.db.execute("UPDATE url SET shape = ? WHERE id = ?", (shape, url_id))
        self.keys.write([], [(shape, key)])
        self._end(fails=fails)
        if not fails:
            self.known[key] = url_id, shape

    def _end(self, *, fails: bool) -> None:
        if fails:
            self.db.execute("ROLLBACK")
            self.keys.forget()
        else:
            self.db.execute("COMMIT")
            self.keys.keep()

    def reopen(self) -> None:
        """Begin another life with what is stored."""
        self.keys = SeenKeys(SqliteTables(self.db))

    def found(self) -> dict[bytes, tuple[int, str]]:
        """Return what the keys of all URLs find, and of some that are unknown."""
        asked = [*self.known, *(key_of(f"http://h/{-number}") for number in range(5))]
        return {key: (url_id, shape) for key, url_id, shape in self.keys.shapes(dict.fromkeys(asked, ""))}

    @property
    def moved(self) -> int:
        """Return the number of keys in the table."""
        return int(self.db.execute("SELECT count(*) FROM seen").fetchone()[0])


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    """An empty table; ten young keys begin a move."""
    monkeypatch.setattr(seen_keys, "_YOUNG", 10)
    rows = Rows()
    yield rows
    rows.db.close()


def test_every_row_is_found_by_its_key(rows: Rows) -> None:
    """Transactions of any size that end or fail, changes and new lives lose no key and invent none."""
    chance = random.Random(2)  # noqa: S311
    for _ in range(300):
        fails = chance.random() < 0.2
        if rows.known and chance.random() < 0.4:
            rows.change(chance.randint(1, len(rows.known)), str(chance.randint(0, 9)), fails=fails)
        else:
            rows.add(chance.randint(0, 7), fails=fails)
        if chance.random() < 0.1:
            rows.reopen()

        assert rows.found() == rows.known
    rows.reopen()
    assert rows.keys.count() == len(rows.known)
    assert rows.moved > 100


def test_few_keys_stay_in_memory(rows: Rows) -> None:
    """A transaction moves as many as it adds: those that begin a move, and those of one transaction, are most."""
    for _ in range(50):
        rows.add(1)

        assert len(rows.keys._young) <= 11
    assert rows.moved >= 39


def test_a_small_run_writes_no_key(rows: Rows) -> None:
    """Its keys are read again from its rows."""
    rows.add(9)
    rows.add(0)
    rows.reopen()

    assert rows.moved == 0
    assert rows.found() == rows.known
