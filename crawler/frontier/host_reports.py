"""The reports about the hosts of a run, out of the sums that the frontier keeps per host.

Rules
- A host that only links out of scope name is left out: the run never sends it a request.
- The busiest hosts come first; equally busy ones are sorted by name.
- The waiting hosts and the seconds in vain are counted over all rows when the report is made.
Runs on: the thread that has the connection.
"""

from collections import Counter
from collections.abc import Iterator

from crawler.core.frontier_reports import LEAST_IN_VAIN, ChiefHosts, HostReport, HostRobots, HostsInVain
from crawler.core.scope import Scope, ScopeMode
from crawler.core.urls import Host, parse
from crawler.frontier.columns import SUSPECT, WAITING
from crawler.frontier.host_rows import ANSWERED, HostRows
from crawler.frontier.robots_rows import robots_copies
from crawler.frontier.tables import Row, Tables
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
_NOT_READY = " UNION ".join(f"SELECT host FROM url WHERE {rows}" for rows in (WAITING, SUSPECT))  # noqa: S608
_PENDING = f"ready > 0 OR id IN ({_NOT_READY})"
_TRIED = "(failures > 0 OR waited > 0)"
_WAITING = f"SELECT count(*) FROM host WHERE {_TRIED} AND down IS NULL AND NOT ({ANSWERED}) AND ({_PENDING})"  # noqa: S608
_IN_VAIN = "SELECT count(*), coalesce(sum(waited), 0) FROM host WHERE waited >= ?"


class HostReports:
    """The reader of the hosts in the database `db`; a robots.txt addresses `agent`."""

    def __init__(self, db: Tables, agent: str) -> None:
        self._db = db
        self._agent = agent
        self._hosts = HostRows(db, Scope(ScopeMode.ALL))  # asked for states alone
        self._not_ready = Counter[int]()  # pending URLs that wait for a retry or are suspects, by host
        for rows in (WAITING, f"{SUSPECT} AND not_before IS NULL"):
            for host_id, n in db.rows(f"SELECT host, count(*) FROM url WHERE {rows} GROUP BY host"):  # noqa: S608
                self._not_ready[host_id] += n

    def of(self, host: Host) -> HostReport | None:
        """Return the report about one host; None = no URL of it was found."""
        return next(self._reports("WHERE name = ?", host), None)

    def all(self) -> Iterator[HostReport]:
        """Yield the report about every host of the run."""
        return self._reports(f"WHERE {_OURS} {_BUSIEST}")

    def chief(self, most: int) -> ChiefHosts:
        """Return at most so many hosts; up to a quarter each are down, had failed tries, or let requests wait."""
        few = most // 4
        chosen = self._ids(_DOWN, few) | self._ids(_TROUBLED, few) | self._ids(_COSTLY, LEAST_IN_VAIN, few)
        ids = list(chosen | self._ids(_BUSY, most))[:most]
        marks = ", ".join("?" * len(ids))
        (count,) = self._one(f"SELECT count(*) FROM host WHERE {_OURS}")  # noqa: S608
        (given_up,) = self._one("SELECT count(*) FROM host WHERE down IS NOT NULL")
        (waiting,) = self._one(_WAITING)
        hosts, seconds = self._one(_IN_VAIN, LEAST_IN_VAIN)
        return ChiefHosts(
            tuple(self._reports(f"WHERE id IN ({marks}) {_BUSIEST}", *ids)),
            more=count - len(ids),
            given_up=given_up,
            waiting=waiting,
            in_vain=HostsInVain(hosts=hosts, seconds=seconds),
        )

    def _one(self, query: str, *values: object) -> Row:
        row = self._db.row(query, *values)
        assert row is not None  # noqa: S101 - aggregates
        return row

    def _ids(self, query: str, *values: float) -> dict[int, None]:
        return dict.fromkeys(host_id for (host_id,) in self._db.rows(query, *values))

    def _reports(self, which: str, *values: object) -> Iterator[HostReport]:
        for host_id, name, *counts in list(self._db.rows(f"SELECT {_COLUMNS} FROM host {which}", *values)):  # noqa: S608
            pages, failed, ready, first_at, last_at = counts
            troubles = "SELECT reason, n FROM trouble WHERE host = ? ORDER BY n DESC, reason"
            robots = None
            # The latest alone: a host has two at the most, one for each scheme.
            latest = robots_copies(self._db, "host = ? ORDER BY fetched_at DESC LIMIT 1", host_id)
            for origin, copy in latest.items():
                rules = RobotsRules(copy.body, self._agent)
                is_closed = not rules.allows(parse(f"{origin}/"))
                robots = HostRobots(status=copy.status, is_closed=is_closed, crawl_delay=rules.crawl_delay)
            yield HostReport(
                host=Host(name),
                pages=pages,
                failed=failed,
                pending=ready + self._not_ready[host_id],
                first_at=first_at,
                last_at=last_at,
                state=self._hosts.states([Host(name)])[Host(name)],
                troubles=dict(self._db.rows(troubles, host_id)),
                robots=robots,
            )
