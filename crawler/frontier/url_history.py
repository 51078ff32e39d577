"""The history of one URL, as a frontier has stored it.

Rules
- The database is only read: `ScopeIndex` judges scope and families, and counts nothing until its `write` is called.
- A URL without a row has a history, too: that of its host, of its robots.txt, and its relation to the scope.
Runs on: the main thread of a process that does not work on the run itself.
"""

import sqlite3
from typing import Any

from crawler.core.frontier_reports import Leader, StoredUrl, Target, Try, UrlHistory, UrlScope
from crawler.core.reasons import Reason
from crawler.core.urls import Host, Url
from crawler.core.visits import State
from crawler.frontier import schema
from crawler.frontier.host_reports import HostReports
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.robots_rows import robots_copies
from crawler.frontier.scope_index import ScopeIndex, full_family
from crawler.frontier.seen_keys import SeenKeys
from crawler.frontier.tally import Tally

_SHOWN_PLACES = 3
_NAMED_HOSTS = 1000
_FIELDS = (
    *("id", "url", "state", "reason", "status", "attempts", "deaths"),
    *("line", "not_before", "referrer", "leads_to"),
)
_COLUMNS = (*_FIELDS, *schema.WAY)
_NO_ROW = 0  # rows begin with 1


class FrontierHistory:
    """The reader of the frontier in the database `db`; `agent` is our name in robots.txt, `year` the present one."""

    def __init__(self, db: sqlite3.Connection, policy: FrontierPolicy, agent: str, year: int) -> None:
        self._db = db
        self._policy = policy
        self._reports = HostReports(db, agent)
        self._scope_index = ScopeIndex(db, policy, year)
        self._keys = SeenKeys(db)

    def of(self, url: Url) -> UrlHistory:
        """Return the history of a URL."""
        row = self._row("id", self._keys.find(url.key))
        host, most = self._reports.of(url.host_port), self._policy.host_pages
        url_id = row["id"] if row else _NO_ROW
        leader = None
        if row and (source := self._row("id", row["referrer"])) is not None:
            redirects, sitemap = source["leads_to"] == row["id"], source["way"].sitemap
            leader = Leader(url=source["url"], redirects=redirects, sitemap=sitemap)
        target = self._row("id", row["leads_to"]) if row and row["leads_to"] else None
        tries = "SELECT at, reason, not_before FROM attempt WHERE url = ? ORDER BY at"
        return UrlHistory(
            row=_stored(row) if row else None,
            leader=leader,
            linked_from=self._one("SELECT count(*) FROM edge WHERE target = ?", url_id) if self._policy.edges else None,
            scope=self._scope_of(url),
            robots=robots_copies(self._db, "origin = ?", url.origin).get(url.origin),
            host=host,
            is_host_closed=host is not None and most is not None and host.pages >= most,
            tries=tuple(
                Try(at=at, reason=Reason(reason), not_before=not_before)
                for at, reason, not_before in self._db.execute(tries, (url_id,))
            ),
            target=None if target is None else Target(row=_stored(target), was_known=target["referrer"] != url_id),
            totals=Tally(self._db).totals(),
            is_list_read=bool(self._one("SELECT value FROM meta WHERE key = 'seeds_finished'")),
        )

    def _row(self, column: str, value: object) -> dict[str, Any] | None:
        query = f"SELECT {', '.join(_COLUMNS)} FROM url WHERE {column} = ?"  # noqa: S608
        row = self._db.execute(query, (value,)).fetchone()
        return {**dict(zip(_FIELDS, row, strict=False)), "way": schema.way_of(row[len(_FIELDS) :])} if row else None

    def _one(self, query: str, *values: object) -> Any:
        row = self._db.execute(query, values).fetchone()
        return row[0] if row else None

    def _scope_of(self, url: Url) -> UrlScope:
        host_id = self._one("SELECT id FROM host WHERE name = ?", url.host_port) or _NO_ROW
        families = self._scope_index.families(url, host_id) if self._policy.traps else ()
        places = self._db.execute("SELECT name FROM place ORDER BY name LIMIT ?", (_SHOWN_PLACES,)).fetchall()
        named = self._db.execute("SELECT name FROM host WHERE named ORDER BY id LIMIT ?", (_NAMED_HOSTS,)).fetchall()
        return UrlScope(
            place=self._scope_index.place_of(url),
            places=tuple(name for (name,) in places),
            all_places=int(self._one("SELECT count(*) FROM place")),
            named=tuple(Host(name) for (name,) in named),
            families=families,
            full=full_family(families),
        )


def _stored(row: dict[str, Any]) -> StoredUrl:
    return StoredUrl(
        url=row["url"],
        state=State(row["state"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        status=row["status"],
        way=row["way"],
        attempts=row["attempts"],
        line=row["line"],
        not_before=row["not_before"],
        is_suspect=row["deaths"] >= schema.SUSPECT_DEATHS,
    )
