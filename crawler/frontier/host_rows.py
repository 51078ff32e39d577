"""The rows of hosts, with counters that follow the rows of their URLs.

Rules
- `ready`, `pages` and `trouble` change in the same transaction as the rows that they count, a row of a host once.
- A rollback drops its counts, and the ids of rows that it undid.
Runs on: the storage thread; what changes rows, inside a transaction.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from crawler.core.leases_and_commits import HostState
from crawler.core.reasons import Reason
from crawler.core.scope import Scope
from crawler.core.urls import Host
from crawler.frontier.columns import AMONG
from crawler.frontier.tables import Merge, Tables

_REMEMBERED = 100_000
_LONG_AGO = 3600.0  # seconds; older failures are forgotten when a later life asks again
_STATE = tuple(field.name for field in fields(HostState) if field.name != "answered")
_QUOTED = ", ".join(f'"{name}"' for name in _STATE)  # WINDOW is a word of SQL
_COUNTED = (
    ("ready", Merge.ADD),
    ("pages", Merge.ADD),
    ("failed", Merge.ADD),
    ("first_at", Merge.KEEP),
    ("last_at", Merge.SET),
)
_INSERT = "INSERT INTO host (name, site) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id"
ANSWERED = "pages > failed OR EXISTS (SELECT 1 FROM robots WHERE robots.host = host.id)"


class _PageCounts(msgspec.Struct):
    """The lines of output of one host that are not written to its row yet."""

    count: int = 0
    failed: int = 0
    first_at: float | None = None
    last_at: float = 0.0


class HostRows:
    """The writer of the hosts in the database `db`; `scope` tells which of them come into scope together.

    `ids` are the rows that are known already; what is learned is added.

    Attributes:
        given_up: hosts that an earlier life of the run gave up and this one has not leased yet; their rows say why.
    """

    def __init__(self, db: Tables, scope: Scope, ids: dict[Host, int] | None = None) -> None:
        self._db = db
        self._scope = scope
        self._ids = {} if ids is None else ids
        self._named: set[int] = set()  # hosts of which that is stored
        self._ready: Counter[int] = Counter()
        self._pages: dict[int, _PageCounts] = {}
        self._troubles: Counter[tuple[int, Reason]] = Counter()
        self._gained: set[int] = set()
        self.given_up = {Host(name) for (name,) in db.rows("SELECT name FROM host WHERE down IS NOT NULL")}

    def id(self, host: Host) -> int:
        """Return the id of the row of a host; a row is made when there is none."""
        found = self._ids.get(host)
        if found is None:
            row = (host, self._scope.site(host))
            made = self._db.row(_INSERT, *row) or self._db.row("SELECT id FROM host WHERE name = ?", host)
            assert made is not None  # noqa: S101 - a row that is there is never deleted
            found = int(made[0])
            if len(self._ids) >= _REMEMBERED:
                self._ids.clear()
            self._ids[host] = found
        return found

    def name_by_user(self, host_id: int) -> None:
        """Note that the user named this host."""
        if host_id not in self._named:
            self._db.change("UPDATE host SET named = 1 WHERE id = ? AND named = 0", host_id)
            if len(self._named) >= _REMEMBERED:
                self._named.clear()
            self._named.add(host_id)

    def count_ready(self, host_id: int, n: int) -> None:
        """Count so many ready rows more, or fewer."""
        self._ready[host_id] += n

    def count_page(self, host_id: int, at: float, *, trouble: Reason | None) -> None:
        """Count one more line of output, written at `at` (wall clock); `trouble` None = it tells of no failure."""
        if (pages := self._pages.get(host_id)) is None:
            pages = self._pages[host_id] = _PageCounts()
        pages.count += 1
        pages.first_at = pages.first_at or at
        pages.last_at = at
        if trouble is not None:
            pages.failed += 1
            self.count_trouble(host_id, trouble)

    def count_trouble(self, host_id: int, reason: Reason) -> None:
        """Count one more failed try."""
        self._troubles[host_id, reason] += 1

    def note(self, states: Mapping[Host, HostState]) -> None:
        """Store the states that politeness has of these hosts."""
        rows = [(*(getattr(state, name) for name in _STATE), self.id(host)) for host, state in states.items()]
        self._db.update("host", _STATE, "id", rows)

    def give_another_chance(self, hosts: Collection[Host], now: float) -> None:
        """Let this life of the run ask these hosts again, which an earlier life gave up.

        A host that began to fail less than an hour ago keeps its failures, so one more gives it up.
        """
        self.given_up.difference_update(hosts)
        since = now - _LONG_AGO
        self._db.change_each(
            "UPDATE host SET down = NULL, rest_until = 0, robots_attempts = 0,"
            " failures = CASE WHEN failing_since > ? THEN failures ELSE 0 END,"
            " failing_since = CASE WHEN failing_since > ? THEN failing_since END WHERE name = ?",
            [(since, since, host) for host in hosts],
        )

    def states(self, hosts: Iterable[Host]) -> dict[Host, HostState]:
        """Return the stored states of these hosts, without those that have no row."""
        columns = f"name, {_QUOTED}, {ANSWERED}"
        found = self._db.rows(f"SELECT {columns} FROM host WHERE name {AMONG}", self._db.among(hosts))  # noqa: S608
        states = {}
        for name, *values, answered in found:
            state: dict[str, Any] = dict(zip(_STATE, values, strict=True))
            state["down"] = Reason(state["down"]) if state["down"] else None
            states[Host(name)] = HostState(**state, answered=bool(answered))
        return states

    def names(self, host_ids: Collection[int]) -> frozenset[Host]:
        """Return the names of the hosts in these rows."""
        if not host_ids:
            return frozenset()
        rows = self._db.rows(f"SELECT name FROM host WHERE id {AMONG}", self._db.among(host_ids))  # noqa: S608
        return frozenset(Host(name) for (name,) in rows)

    def gain(self, host_id: int) -> None:
        """Note that there may be more URLs of this host to lease than before."""
        self._gained.add(host_id)

    def take_gained(self) -> set[int]:
        """Return the rows of the hosts that gained something since the last call."""
        gained, self._gained = self._gained, set()
        return gained

    def ready(self, host_ids: Iterable[int]) -> dict[int, int]:
        """Return the number of ready rows of each of these hosts, without hosts that have none."""
        query = f"SELECT id, ready FROM host WHERE id {AMONG} AND ready > 0"  # noqa: S608
        return dict(self._db.rows(query, self._db.among(host_ids)))

    def write(self) -> None:
        """Write the counts into the transaction."""
        ready = [(n, host_id) for host_id, n in self._ready.items() if n and host_id not in self._pages]
        self._db.merge("host", _COUNTED[:1], "id", ready)
        counts = [(self._ready[host_id], *astuple(pages), host_id) for host_id, pages in self._pages.items()]
        self._db.merge("host", _COUNTED, "id", counts)
        troubles = [(host_id, str(reason), n) for (host_id, reason), n in self._troubles.items()]
        self._db.add("trouble", ("host", "reason"), "n", troubles)
        self._clear()

    def forget(self) -> None:
        """Drop the counts, gains and rows of the transaction that was rolled back."""
        self._clear()
        self._gained.clear()
        self._ids.clear()
        self._named.clear()

    def _clear(self) -> None:
        for counts in (self._ready, self._pages, self._troubles):
            counts.clear()
