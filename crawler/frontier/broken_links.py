"""The broken links of a run, each with every page that leads there.

Rules
- A URL is broken that failed (a redirect that closes a circle, too), that answered with a status of 400 or more, or
  that a redirect chain of more than ten hops leads to.
- A page that was not read in full is listed, too: the links in the rest of it are not checked.
- A page that leads to a redirect leads to its end: pages are listed, not the redirects between.
- A link in a page that is no URL is broken without a request.
Runs on: the thread that has the connection.
"""

from collections.abc import Iterator
from itertools import groupby

from crawler.core.leases_and_commits import BrokenLink
from crawler.core.reasons import Reason
from crawler.core.visits import State
from crawler.frontier.tables import Tables

_LEADING_TO = """
    WITH RECURSIVE source (id) AS (
        SELECT source FROM edge WHERE target = ?
        UNION
        SELECT edge.source FROM source JOIN url ON url.id = source.id JOIN edge ON edge.target = source.id
        WHERE url.reason = ?
    )
    SELECT url FROM url WHERE id IN (SELECT id FROM source) AND reason != ? ORDER BY id
"""


def broken_links(db: Tables) -> Iterator[BrokenLink]:
    """Yield the broken links of a run that kept its edges: URLs in the order of discovery, then bad links by text."""
    rows = db.scan(
        "SELECT id, url, status, reason FROM url"
        " WHERE state = ? OR (state = ? AND (status >= 400 OR reason NOT IN (?, ?, ?))) OR (state = ? AND reason = ?)"
        " ORDER BY id",
        *(State.FAILED, State.DONE, Reason.OK, Reason.HTTP_STATUS, Reason.REDIRECT, State.SKIPPED, Reason.HOP_LIMIT),
    )
    for url_id, url, status, reason in rows:
        pages = tuple(page for (page,) in db.rows(_LEADING_TO, url_id, Reason.REDIRECT, Reason.REDIRECT))
        yield BrokenLink(url=url, status=status, reason=reason, pages=pages)
    rows = db.scan(
        "SELECT text, bad_link.reason, url FROM bad_link JOIN url ON url.id = source ORDER BY text, bad_link.reason, id"
    )
    for (text, reason), same in groupby(rows, key=lambda row: row[:2]):
        yield BrokenLink(url=text, status=None, reason=reason, pages=tuple(page for _, _, page in same))
