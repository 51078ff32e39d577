"""What each host of a run brought and how it stands, out of the sums that the frontier keeps per host.

Rules
- A host that is only known from links out of scope is none of the run's: nothing was asked of it, nothing will be.
- Busiest first; hosts that are alike by name.
- The waiting hosts and the seconds in vain are counted over all rows when the account is made.
Runs on: the storage thread, or whoever reads a frontier that nobody works on.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator

from crawler.core.scope import Scope, ScopeMode
from crawler.core.stored import LEAST_IN_VAIN, ChiefHosts, HostReport, HostRobots, HostsInVain
from crawler.core.urls import Host, parse
from crawler.frontier import schema
from crawler.frontier.host_rows import ANSWERED, HostRows
from crawler.frontier.robots_rows import robots_copies
from crawler.robots.rules import RobotsRules

_COLUMNS = "id, name, pages, failed, ready, first_at, last_at"
_OURS = (
    "(pages > 0 OR ready > 0 OR down IS NOT NULL OR id IN (SELECT host FROM robots)"
    " OR id IN (SELECT host FROM trouble))"
)
_BUSIEST = "ORDER BY pages DESC, name"
_DOWN = f"SELECT id FROM host WHERE down IS NOT NULL {_BUSIEST} LIMIT ?"  # noqa: S608
_TROUBLED = "SELECT host FROM trouble GROUP BY host ORDER BY sum(n) DESC, host LIMIT ?"
_COSTLY = "SELECT id FROM host WHERE waited >= ? ORDER BY waited DESC, name LIMIT ?"
_BUSY = f"SELECT id FROM host WHERE {_OURS} {_BUSIEST} LIMIT ?"  # noqa: S608
_NOT_READY = " UNION ".join(f"SELECT host FROM url WHERE {rows}" for rows in (schema.WAITING, schema.SUSPECT))  # noqa: S608
_PENDING = f"ready > 0 OR id IN ({_NOT_READY})"
_TRIED = "(failures > 0 OR waited > 0)"
_WAITING = f"SELECT count(*) FROM host WHERE {_TRIED} AND down IS NULL AND NOT ({ANSWERED}) AND ({_PENDING})"  # noqa: S608
_IN_VAIN = "SELECT count(*), total(waited) FROM host WHERE waited >= ?"

_Row = tuple[int, str, int, int, int, float | None, float | None]


class HostReports:
    """The hosts of the database `db`; `agent` is whom a robots.txt addresses."""

    def __init__(self, db: sqlite3.Connection, agent: str) -> None:
        self._db = db
        self._agent = agent
        self._hosts = HostRows(db, Scope(ScopeMode.ALL))  # asked for states alone
        self._not_ready = dict(self._count_not_ready())

    def _count_not_ready(self) -> Iterator[tuple[int, int]]:
        counted = Counter[int]()
        for rows in (schema.WAITING, f"{schema.SUSPECT} AND not_before IS NULL"):
            for host_id, n in self._db.execute(f"SELECT host, count(*) FROM url WHERE {rows} GROUP BY host"):  # noqa: S608
                counted[host_id] += n
        yield from counted.items()

    def of(self, host: Host) -> HostReport | None:
        """One host; None = nothing of it was found."""
        return next(self._reports("WHERE name = ?", host), None)

    def all(self) -> Iterator[HostReport]:
        """Every host of the run."""
        return self._reports(f"WHERE {_OURS} {_BUSIEST}")

    def chief(self, most: int) -> ChiefHosts:
        """At most so many hosts, up to a quarter each for being down, for failed tries and for waits in vain."""
        few = most // 4
        chosen = self._ids(_DOWN, few) | self._ids(_TROUBLED, few) | self._ids(_COSTLY, LEAST_IN_VAIN, few)
        ids = list(chosen | self._ids(_BUSY, most))[:most]
        marks = ", ".join("?" * len(ids))
        (count,) = self._db.execute(f"SELECT count(*) FROM host WHERE {_OURS}").fetchone()  # noqa: S608
        (given_up,) = self._db.execute("SELECT count(*) FROM host WHERE down IS NOT NULL").fetchone()
        (waiting,) = self._db.execute(_WAITING).fetchone()
        hosts, seconds = self._db.execute(_IN_VAIN, (LEAST_IN_VAIN,)).fetchone()
        return ChiefHosts(
            tuple(self._reports(f"WHERE id IN ({marks}) {_BUSIEST}", *ids)),
            more=count - len(ids),
            given_up=given_up,
            waiting=waiting,
            in_vain=HostsInVain(hosts=hosts, seconds=seconds),
        )

    def _ids(self, query: str, *values: float) -> dict[int, None]:
        return dict.fromkeys(host_id for (host_id,) in self._db.execute(query, values))

    def _reports(self, which: str, *values: object) -> Iterator[HostReport]:
        for row in self._db.execute(f"SELECT {_COLUMNS} FROM host {which}", values):  # noqa: S608
            yield self._report(row)

    def _report(self, row: _Row) -> HostReport:
        host_id, name, pages, failed, ready, first_at, last_at = row
        return HostReport(
            host=Host(name),
            pages=pages,
            failed=failed,
            pending=ready + self._not_ready.get(host_id, 0),
            first_at=first_at,
            last_at=last_at,
            state=self._hosts.states([Host(name)])[Host(name)],
            troubles=self._troubles(host_id),
            robots=self._robots(host_id),
        )

    def _robots(self, host_id: int) -> HostRobots | None:
        """What the latest robots.txt of this host says; it has two at the most, one for each scheme."""
        for origin, copy in robots_copies(self._db, "host = ? ORDER BY fetched_at DESC LIMIT 1", host_id).items():
            rules = RobotsRules(copy.body, self._agent)
            is_closed = not rules.allows(parse(f"{origin}/"))
            return HostRobots(status=copy.status, is_closed=is_closed, crawl_delay=rules.crawl_delay)
        return None

    def _troubles(self, host_id: int) -> dict[str, int]:
        rows = self._db.execute("SELECT reason, n FROM trouble WHERE host = ? ORDER BY n DESC, reason", (host_id,))
        return dict(rows.fetchall())
