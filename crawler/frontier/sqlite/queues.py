"""The queues of pending URLs in one SQLite file (`frontier/queues.py`): every host is this process's.

Runs on: the thread that has the connection.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from crawler.frontier.columns import PARKED_DEATHS, READY, SUSPECT, WAITING
from crawler.frontier.queues import NO_LIMIT, Limits
from crawler.frontier.tables import Tables

_ANY = "(attempts > 0) IN (0, 1)"  # both, and SQLite searches url_ready by depth
_OPEN = "(SELECT pages FROM host WHERE host.id = url.host) < ?"
_FIRST = (
    f"SELECT id FROM url WHERE host = ? AND {_ANY} AND depth <= ? AND {READY} ORDER BY attempts > 0, depth, id LIMIT ?"  # noqa: S608
)
_NEW_HOSTS = (
    "SELECT id, ready FROM host WHERE ready > 0 AND due <= ? AND pages < ?"  # noqa: S608
    f" AND (? OR EXISTS (SELECT 1 FROM url WHERE host = host.id AND {_ANY} AND depth <= ? AND {READY}))"
    " ORDER BY due, id LIMIT ?"
)
_SUSPECT = (
    f"SELECT id FROM url WHERE {SUSPECT} AND not_before IS NULL AND depth <= ? AND {_OPEN}"  # noqa: S608
    " AND (SELECT due FROM host WHERE host.id = url.host) <= ? ORDER BY depth, deaths, id LIMIT 1"
)
_PARKED = f"SELECT id FROM url WHERE {SUSPECT} AND deaths >= ?"  # noqa: S608 - from the index of suspects
_RESTS = "due > ? AND pages < ?"
_RESTED = (
    f"SELECT min(due) FROM host WHERE ready > 0 AND {_RESTS}",  # noqa: S608
    f"SELECT min(due) FROM host JOIN url ON url.host = host.id WHERE {SUSPECT} AND {_RESTS}",  # noqa: S608
)
_LEAST = f"SELECT min(depth) FROM url WHERE url.host = host.id AND (attempts > 0) = %d AND {READY}"  # noqa: S608
_OF_HOSTS = f"SELECT min(({_LEAST})) FROM host WHERE ready > 0 AND pages < ?"  # noqa: S608
_LOWEST = (
    *(_OF_HOSTS % were_tried for were_tried in (0, 1)),
    f"SELECT min(depth) FROM url WHERE {SUSPECT} AND {_OPEN}",  # noqa: S608
    f"SELECT min(depth) FROM url WHERE {WAITING} AND {_OPEN}",  # noqa: S608
)


class SqliteQueues:
    """The queues in the database `db`."""

    def __init__(self, db: Tables) -> None:
        self._db = db

    def first_urls(self, shares: Mapping[int, int], level: int) -> Mapping[int, Sequence[int]]:
        """Return the first so many ready URLs of each host, in their order."""
        return {
            host_id: [url_id for (url_id,) in self._db.rows(_FIRST, host_id, level, share)]
            for host_id, share in shares.items()
        }

    def new_hosts(self, limits: Limits, count: int, known: AbstractSet[int]) -> Sequence[tuple[int, int]]:
        """Return hosts with ready URLs, earliest due first."""
        values = limits.due, limits.pages, limits.level == NO_LIMIT, limits.level, count + len(known)
        return list(self._db.rows(_NEW_HOSTS, *values))

    def parked(self) -> Sequence[int]:
        """Return the URLs that have died alone so often that they are given up."""
        return [url_id for (url_id,) in self._db.rows(_PARKED, PARKED_DEATHS)]

    def suspect(self, limits: Limits) -> int | None:
        """Return the URL that runs alone next; that with the fewest deaths first, so that a kill hits another."""
        row = self._db.row(_SUSPECT, limits.level, limits.pages, limits.due)
        return None if row is None else row[0]

    def next_rested(self, after: float, pages: int) -> float | None:
        """Return the earliest moment, later than `after`, at which a host with pending URLs is due."""
        return self._least(_RESTED, after, pages)

    def lowest_depth(self, pages: int) -> int | None:
        """Return the least depth of a pending URL whose host is not closed."""
        found = self._least(_LOWEST, pages)
        return None if found is None else int(found)

    def is_anything_left(self, pages: int) -> bool:
        """Return whether there is a pending URL whose host is not closed."""
        return self.lowest_depth(pages) is not None

    def _least(self, queries: Iterable[str], *values: float) -> float | None:
        found = [row[0] for query in queries if (row := self._db.row(query, *values)) and row[0] is not None]
        return min(found, default=None)
