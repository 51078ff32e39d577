"""The history of one URL, as a frontier has stored it.

Rules
- The database is only read: `ScopeIndex` judges scope and families, and counts nothing until its `write` is called.
- A URL without a row has a history, too: that of its host, of its robots.txt, and its relation to the scope.
Runs on: the main thread of a process that does not work on the run itself.
"""

from typing import Any

from crawler.core.frontier_reports import Leader, StoredUrl, Target, Try, UrlHistory, UrlScope
from crawler.core.reasons import Reason
from crawler.core.urls import Host, Url, parse
from crawler.core.visits import State
from crawler.frontier.columns import SUSPECT_DEATHS, WAY, way_of
from crawler.frontier.host_reports import HostReports
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.robots_rows import robots_copies
from crawler.frontier.scope_index import ScopeIndex, full_family
from crawler.frontier.tables import Tables, UrlKeys
from crawler.frontier.tally import Tally

_SHOWN_PLACES = 3
_NAMED_HOSTS = 1000
_FIELDS = (
    *("id", "url", "state", "reason", "status", "attempts", "deaths"),
    *("line", "not_before", "referrer", "leads_to"),
)
_COLUMNS = (*_FIELDS, *WAY)
_NO_ROW = 0  # rows begin with 1
_NO_WORKER = 0  # nothing is added


class FrontierHistory:
    """The reader of the frontier in the database `db`; `agent` is our name in robots.txt, `year` the present one.

    `keys` finds its rows.
    """

    def __init__(self, db: Tables, keys: UrlKeys, policy: FrontierPolicy, agent: str, year: int) -> None:
        self._db = db
        self._keys = keys
        self._policy = policy
        self._reports = HostReports(db, agent)
        self._scope_index = ScopeIndex(db, policy, year)

    def of(self, url: Url) -> UrlHistory:
        """Return the history of a URL."""
        row = self._row(self._keys.find(url))
        host, most = self._reports.of(url.host_port), self._policy.host_pages
        url_id = row["id"] if row else _NO_ROW
        leader = None
        if row and (source := self._row(row["referrer"])) is not None:
            redirects, sitemap = source["leads_to"] == row["url"], source["way"].sitemap
            leader = Leader(url=source["url"], redirects=redirects, sitemap=sitemap)
        target = self._row(self._keys.find(parse(row["leads_to"]))) if row and row["leads_to"] else None
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
                for at, reason, not_before in self._db.rows(tries, url_id)
            ),
            target=None if target is None else Target(row=_stored(target), was_known=target["referrer"] != url_id),
            totals=Tally(self._db, _NO_WORKER).totals(),
            is_list_read=bool(self._one("SELECT value FROM meta WHERE key = 'seeds_finished'")),
        )

    def _row(self, url_id: int | None) -> dict[str, Any] | None:
        row = self._db.row(f"SELECT {', '.join(_COLUMNS)} FROM url WHERE id = ?", url_id)  # noqa: S608
        return {**dict(zip(_FIELDS, row, strict=False)), "way": way_of(row[len(_FIELDS) :])} if row else None

    def _one(self, query: str, *values: object) -> Any:
        row = self._db.row(query, *values)
        return row[0] if row else None

    def _scope_of(self, url: Url) -> UrlScope:
        host_id = self._one("SELECT id FROM host WHERE name = ?", url.host_port) or _NO_ROW
        families = self._scope_index.families(url, host_id) if self._policy.traps else ()
        places = self._db.rows("SELECT name FROM place ORDER BY name LIMIT ?", _SHOWN_PLACES)
        named = self._db.rows("SELECT name FROM host WHERE named = 1 ORDER BY id LIMIT ?", _NAMED_HOSTS)
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
        is_suspect=row["deaths"] >= SUSPECT_DEATHS,
    )
