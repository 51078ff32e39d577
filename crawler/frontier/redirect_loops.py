"""Redirect circles: redirects that lead back to themselves by way of others.

Rules
- The last redirect of a circle that is committed closes it, and fails, as a redirect to itself does. The others of the
  circle, and redirects into it, stay done.
- A redirect is judged before any write, on committed rows and on its own group. So its line, its state and
  the sums say the same, and a group that is written again after a crash comes to the same.
- Chains are followed for LONGEST redirects: a server may make one that has no end.
Strategy: only redirects cost anything: one look-up for all of a group, if none of their targets was visited yet.
Runs on: the storage thread.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from crawler.core import records
from crawler.core.reasons import Reason
from crawler.core.urls import key_of
from crawler.core.visits import State, Visit
from crawler.frontier.columns import AMONG
from crawler.frontier.tables import Tables, UrlKeys

LONGEST = 1000

_LEAD_ON = (
    f"SELECT url, leads_to FROM url WHERE id {AMONG}"  # noqa: S608
    f" AND reason = '{Reason.REDIRECT}' AND leads_to IS NOT NULL"
)


def mark_circles(db: Tables, keys: UrlKeys, visits: Sequence[Visit]) -> Sequence[Visit]:
    """Return the visits of one group, in order; each redirect that closes a circle has failed."""
    targets = {visit.target.href for visit in visits if visit.reason is Reason.REDIRECT and visit.target is not None}
    if not targets:
        return visits
    chains = _Chains(db, keys)
    chains.look_up(targets)
    return [_marked(visit, chains) for visit in visits]


def _marked(visit: Visit, chains: "_Chains") -> Visit:
    if visit.reason is not Reason.REDIRECT or visit.target is None:
        return visit
    source, end = visit.request.url.href, chains.end(visit.target.href)
    if end != source:
        chains.ends[source] = end
        return visit
    record = visit.record and records.failed(visit.record, Reason.REDIRECT_LOOP)
    return replace(visit, state=State.FAILED, reason=Reason.REDIRECT_LOOP, record=record, finds=())


class _Chains:
    """The redirects that are known: committed ones, which are read as they are asked for, and those of the group.

    Attributes:
        ends: of the group's redirects: where the chain behind each ended when it was judged.
    """

    def __init__(self, db: Tables, keys: UrlKeys) -> None:
        self._db = db
        self._keys = keys
        self._leads_to: dict[str, str | None] = {}  # None = the URL is no committed redirect
        self.ends: dict[str, str] = {}

    def look_up(self, hrefs: Collection[str]) -> None:
        """Read where these URLs lead."""
        self._leads_to.update(dict.fromkeys(hrefs))
        rows = [url_id for _, url_id, _ in self._keys.shapes({key_of(href): href for href in hrefs})]
        if rows:
            self._leads_to.update(self._db.rows(_LEAD_ON, self._db.among(rows)))

    def end(self, href: str) -> str:
        """Return the last URL of the redirect chain that begins with this one: the URL itself if it is no redirect."""
        seen: set[str] = set()  # a circle longer than LONGEST was not found, and leads round and round
        while True:
            href = self._committed_end(href)
            if href not in self.ends or href in seen:
                return href
            seen.add(href)
            href = self.ends[href]

    def _committed_end(self, href: str) -> str:
        for _ in range(LONGEST):
            if href not in self._leads_to:
                self.look_up((href,))
            onto = self._leads_to[href]
            if onto is None:
                break
            href = onto
        return href
