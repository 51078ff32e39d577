"""Lost seeds: neither the seed nor the end of its redirects is a page that was read in full.

Rules
- A seed is lost if it failed, was skipped, was answered with a status of 400 or more (or with 304, though no request
  is conditional), was not read in full, or leads into a redirect chain of more than ten hops.
- The target of a seed's redirect is a seed, too, so a redirect is judged by its end. A guessed https URL that no server
  answers is judged by the http URL that is asked instead.
Strategy: one pass over all rows when the account is made, since a URL may become a seed after its turn.
Runs on: the thread that has the connection.
"""

import sqlite3

from crawler.core.frontier_reports import LostSeeds
from crawler.core.reasons import Reason
from crawler.core.visits import State

_UNREAD = tuple(reason for reason in Reason if reason.is_unread)
_MARKS = ", ".join("?" * len(_UNREAD))
_LOST = (
    "SELECT reason, status, count(*), url, min(id) FROM url"  # noqa: S608 - with min(), SQLite takes `url` from its row
    " WHERE (seed = 1 AND (state = ? OR (state = ? AND reason != ?)"
    f" OR (state = ? AND (status >= 400 OR status = 304 OR reason IN ({_MARKS})))))"
    " OR (state = ? AND reason = ? AND (SELECT seed FROM url AS leader WHERE leader.id = url.referrer) = 1)"
    " GROUP BY reason, status ORDER BY count(*) DESC, min(id)"
)


def lost_seeds(db: sqlite3.Connection) -> tuple[LostSeeds, ...]:
    """Return the lost seeds by reason and status, the most frequent first, each with the first one in the list."""
    values = (State.FAILED, State.SKIPPED, Reason.HTTP_INSTEAD, State.DONE, *_UNREAD, State.SKIPPED, Reason.HOP_LIMIT)
    found = db.execute(_LOST, values)
    return tuple(
        LostSeeds(reason=Reason(reason), status=status, seeds=n, example=url) for reason, status, n, url, _ in found
    )
