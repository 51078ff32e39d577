"""The rows of hosts, and how their counters follow the rows of their URLs.

Rules
- `ready` and `pages` change in the same transaction as the rows that they count, one statement per host, not per URL.
- A rollback forgets what it undid, rows that were made included.
Runs on: the storage thread; what changes rows, inside a transaction.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping

from crawler.core.models import HostState
from crawler.core.scope import Scope
from crawler.core.urls import Host

_REMEMBERED = 100_000


class Hosts:
    """The hosts of the database `db`; `scope` tells which of them come into scope together."""

    def __init__(self, db: sqlite3.Connection, scope: Scope) -> None:
        self._db = db
        self._scope = scope
        self._ids: dict[Host, int] = {}
        self._ready: Counter[int] = Counter()
        self._pages: Counter[int] = Counter()

    def id(self, host: Host) -> int:
        """The row of a host; it is made when there is none."""
        found = self._ids.get(host)
        if found is None:
            row = (host, self._scope.site(host))
            self._db.execute("INSERT INTO host (name, site) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", row)
            (found,) = self._db.execute("SELECT id FROM host WHERE name = ?", (host,)).fetchone()
            if len(self._ids) >= _REMEMBERED:
                self._ids.clear()
            self._ids[host] = found
        return found

    def name_by_user(self, host_id: int) -> None:
        """The user named this host."""
        self._db.execute("UPDATE host SET named = 1 WHERE id = ? AND NOT named", (host_id,))

    def count_ready(self, host_id: int, n: int) -> None:
        """So many rows more are ready, or fewer."""
        self._ready[host_id] += n

    def count_page(self, host_id: int) -> None:
        """A line of output more."""
        self._pages[host_id] += 1

    def note(self, states: Mapping[Host, HostState]) -> None:
        """Remember what politeness knows of these hosts."""
        rows = [(state.due, self.id(host)) for host, state in states.items()]
        self._db.executemany("UPDATE host SET due = ? WHERE id = ?", rows)

    def state(self, host: Host) -> HostState:
        """What is remembered of a host that is there."""
        (due,) = self._db.execute("SELECT due FROM host WHERE name = ?", (host,)).fetchone()
        return HostState(due=due)

    def write(self) -> None:
        """Put what was counted into the transaction."""
        for column, counts in (("ready", self._ready), ("pages", self._pages)):
            changes = [(n, host_id) for host_id, n in counts.items() if n]
            self._db.executemany(f"UPDATE host SET {column} = {column} + ? WHERE id = ?", changes)  # noqa: S608
            counts.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._ready.clear()
        self._pages.clear()
        self._ids.clear()
