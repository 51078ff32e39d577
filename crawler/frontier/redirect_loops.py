"""Redirect circles: redirects that lead back to themselves by way of others.

Rules
- The last redirect of a circle that is committed closes it, and fails, as a redirect to itself does. The others of the
  circle, and redirects into it, stay done.
- A redirect is judged before any write, on committed rows and on its own group. So its line, its state and
  the sums say the same, and a group that is written again after a crash comes to the same.
- Chains are followed for LONGEST redirects: a server may make one that has no end.
Strategy: only redirects cost anything: one look-up, if their target was not visited yet.
Runs on: the storage thread.
"""

import sqlite3
from collections.abc import Sequence

from msgspec.structs import replace

from crawler.core import records
from crawler.core.reasons import Reason
from crawler.core.urls import key_of
from crawler.core.visits import State, Visit
from crawler.frontier.seen_keys import SeenKeys

LONGEST = 1000

_LAST = """
    WITH RECURSIVE way (id, n) AS (
        VALUES (?, 0)
        UNION ALL
        SELECT leads_to, n + 1 FROM way JOIN url USING (id) WHERE reason = ? AND leads_to IS NOT NULL AND n < ?
    )
    SELECT url FROM way JOIN url USING (id) ORDER BY n DESC LIMIT 1
"""


def mark_circles(db: sqlite3.Connection, keys: SeenKeys, visits: Sequence[Visit]) -> Sequence[Visit]:
    """Return the visits of one group, in order; each redirect that closes a circle has failed."""
    ends: dict[bytes, bytes] = {}  # of the group's redirects: where the chain behind each ended when it was judged
    marked = []
    for visit in visits:
        if visit.reason is Reason.REDIRECT and visit.target is not None:
            source, end = visit.request.url.key, _end(db, keys, visit.target.key, ends)
            if end == source:
                record = visit.record and records.failed(visit.record, Reason.REDIRECT_LOOP)
                visit = replace(  # noqa: PLW2901
                    visit, state=State.FAILED, reason=Reason.REDIRECT_LOOP, record=record, finds=()
                )
            else:
                ends[source] = end
        marked.append(visit)
    return marked


def _end(db: sqlite3.Connection, keys: SeenKeys, key: bytes, ends: dict[bytes, bytes]) -> bytes:
    """Return the last URL of the redirect chain that begins with this one: the URL itself if it is no redirect."""
    seen: set[bytes] = set()  # a circle longer than LONGEST was not found, and leads round and round
    while True:
        if (url_id := keys.find(key)) is not None:
            key = key_of(db.execute(_LAST, (url_id, Reason.REDIRECT, LONGEST)).fetchone()[0])
        if key not in ends or key in seen:
            return key
        seen.add(key)
        key = ends[key]
