"""Lost seeds: neither the seed nor the end of its redirects is a page that was read in full.

Rules
- A seed is lost if it failed, was skipped, was answered with a status of 400 or more (or with 304, though no request
  is conditional), was not read in full, or leads into a redirect chain of more than ten hops.
- The target of a seed's redirect is a seed, too, so a redirect is judged by its end. A guessed https URL that no server
  answers is judged by the http URL that is asked instead.
Strategy: one pass over all rows when the account is made, since a URL may become a seed after its turn.
Runs on: the thread that has the connection.
"""

from crawler.core.frontier_reports import LostSeeds
from crawler.core.reasons import Reason
from crawler.core.visits import State
from crawler.frontier.tables import Tables

_UNREAD = tuple(reason for reason in Reason if reason.is_unread)
_MARKS = ", ".join("?" * len(_UNREAD))
_LOST = (
    "SELECT url.reason, url.status, n, url FROM ("  # noqa: S608
    "SELECT count(*) AS n, min(id) AS first FROM url"
    " WHERE (seed = 1 AND (state = ? OR (state = ? AND reason != ?)"
    f" OR (state = ? AND (status >= 400 OR status = 304 OR reason IN ({_MARKS})))))"
    " OR (state = ? AND reason = ? AND (SELECT seed FROM url AS leader WHERE leader.id = url.referrer) = 1)"
    " GROUP BY reason, status) AS lost JOIN url ON url.id = first ORDER BY n DESC, first"
)


def lost_seeds(db: Tables) -> tuple[LostSeeds, ...]:
    """Return the lost seeds by reason and status, the most frequent first, each with the first one in the list."""
    values = (State.FAILED, State.SKIPPED, Reason.HTTP_INSTEAD, State.DONE, *_UNREAD, State.SKIPPED, Reason.HOP_LIMIT)
    found = db.rows(_LOST, *values)
    return tuple(
        LostSeeds(reason=Reason(reason), status=status, seeds=n, example=url) for reason, status, n, url in found
    )
