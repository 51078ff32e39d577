"""The queues of pending URLs of a run in PostgreSQL (`frontier/queues.py`), as far as their hosts are this worker's.

Rules
- Hosts are taken and given back by transactions; what is leased of them is this process's memory alone.
- No two workers wait for each other when they take hosts: each passes over what another is just taking.
Runs on: the storage thread.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from crawler.frontier.columns import AMONG, PARKED_DEATHS, READY, SUSPECT, WAITING
from crawler.frontier.postgres.hosts import SharedHosts
from crawler.frontier.postgres.tables import PostgresTables
from crawler.frontier.queues import NO_LIMIT, Limits

_FIRST = (
    "SELECT given.host, found.id FROM unnest(?::bigint[]) AS given (host) CROSS JOIN LATERAL"  # noqa: S608
    f" (SELECT id FROM url WHERE host = given.host AND {READY} AND depth <= ?"
    " ORDER BY (attempts > 0), depth, id LIMIT ?) AS found"
)
_MINE = f"SELECT id, ready FROM host WHERE id {AMONG} AND ready > 0 AND due <= ? AND pages < ? ORDER BY due, id"  # noqa: S608
_AT_LEVEL = f" AND EXISTS (SELECT 1 FROM url WHERE url.host = host.id AND {READY} AND depth <= ?)"  # noqa: S608
_TAKE = "UPDATE host SET owner = ? WHERE id IN (SELECT id FROM host WHERE owner IS NULL AND %s"
_READY = "ready > 0 AND due <= ? AND pages < ?"
_LOCKED = " ORDER BY due, id LIMIT ? FOR NO KEY UPDATE SKIP LOCKED) RETURNING id"
_TAKE_SUSPECT = (
    "UPDATE host SET owner = ? WHERE id IN (SELECT host.id FROM host JOIN url ON url.host = host.id"  # noqa: S608
    f" WHERE owner IS NULL AND {SUSPECT} AND not_before IS NULL AND depth <= ? AND host.due <= ? AND host.pages < ?"
    " ORDER BY depth, deaths, url.id LIMIT 1 FOR NO KEY UPDATE OF host SKIP LOCKED) RETURNING id"
)
_SUSPECT = (
    f"SELECT url.id FROM url JOIN host ON host.id = url.host WHERE {SUSPECT} AND not_before IS NULL AND depth <= ?"  # noqa: S608
    f" AND url.host {AMONG} AND host.due <= ? AND host.pages < ? ORDER BY depth, deaths, url.id LIMIT 1"
)
_RESTED = (
    "SELECT least((SELECT min(due) FROM host WHERE ready > 0 AND owner IS NULL AND due > ? AND pages < ?),"  # noqa: S608
    f" (SELECT min(due) FROM host JOIN url ON url.host = host.id WHERE {SUSPECT} AND due > ? AND pages < ?))"
)
_OPEN = "(SELECT pages FROM host WHERE host.id = url.host) < ?"
_LEAST = (
    "(SELECT depth FROM url WHERE url.host = host.id"  # noqa: S608 - from the index of ready rows, one look each
    f" AND (attempts > 0) = %s AND {READY} ORDER BY depth LIMIT 1)"
)
_LOWEST = (
    f"SELECT least((SELECT min(least({_LEAST % 'false'}, {_LEAST % 'true'})) FROM host WHERE ready > 0 AND pages < ?),"  # noqa: S608
    f" (SELECT min(depth) FROM url WHERE {SUSPECT} AND {_OPEN}),"
    f" (SELECT min(depth) FROM url WHERE {WAITING} AND {_OPEN}), (SELECT min(depth) FROM letter))"
)
_ANY_LETTER = "SELECT EXISTS (SELECT 1 FROM letter)"
_ANY_LEFT = (  # one statement, as a letter may become a pending URL between two
    f"{_ANY_LETTER} OR (SELECT coalesce(sum(n), 0) FROM tally"  # noqa: S608
    " WHERE kind = 'state' AND name = 'PENDING') > 0"
)
_LEFT = (
    f"{_ANY_LETTER} OR EXISTS (SELECT 1 FROM host WHERE ready > 0 AND pages < ?)"  # noqa: S608
    f" OR EXISTS (SELECT 1 FROM url WHERE {SUSPECT} AND {_OPEN})"
    f" OR EXISTS (SELECT 1 FROM url WHERE {WAITING} AND {_OPEN})"
)
_PARKED = f"SELECT id FROM url WHERE {SUSPECT} AND deaths >= ? AND host {AMONG}"  # noqa: S608


class PostgresQueues:
    """The queues in `db`; `hosts` says which are this worker's."""

    def __init__(self, db: PostgresTables, hosts: SharedHosts) -> None:
        self._db = db
        self._hosts = hosts

    # --- within a transaction ------------------------------------------------------------------------------------

    def take(self, life: int, limits: Limits, count: int) -> set[int]:
        """Make hosts that have ready URLs this life's, earliest due first; return them."""
        where, values = _READY, [life, limits.due, limits.pages]
        if limits.level != NO_LIMIT:
            where, values = where + _AT_LEVEL, [*values, limits.level]
        return {number for (number,) in self._db.rows(_TAKE % where + _LOCKED, *values, count)}

    def take_suspect(self, life: int, limits: Limits) -> set[int]:
        """Make the host this life's whose URL is to run alone next; return it. One is enough, as only one URL runs."""
        values = life, limits.level, limits.due, limits.pages
        return {number for (number,) in self._db.rows(_TAKE_SUSPECT, *values)}

    def give_back(self, hosts: Iterable[int]) -> None:
        """Let other workers have these hosts, of which nothing is leased any more."""
        self._db.change(f"UPDATE host SET owner = NULL WHERE id {AMONG}", list(hosts))  # noqa: S608

    # --- reading -------------------------------------------------------------------------------------------------

    def first_urls(self, shares: Mapping[int, int], level: int) -> Mapping[int, Sequence[int]]:
        """Return the first so many ready URLs of each host, in their order."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        alike: defaultdict[int, list[int]] = defaultdict(list)  # a statement has one limit for all of its hosts
        for host_id, share in shares.items():
            if host_id in self._hosts.owned:
                alike[1 << share.bit_length()].append(host_id)
        for limit, host_ids in alike.items():
            for host_id, url_id in self._db.rows(_FIRST, host_ids, level, limit):
                found[host_id].append(url_id)
        return {host_id: found[host_id][:share] for host_id, share in shares.items()}

    def new_hosts(self, limits: Limits, count: int, known: AbstractSet[int]) -> Sequence[tuple[int, int]]:
        """Return the hosts that were taken and are not known yet, earliest due first."""
        taken = list(self._hosts.owned - known)
        return self._db.rows(_MINE, taken, limits.due, limits.pages) if taken else []

    def parked(self) -> Sequence[int]:
        """Return the URLs that have died alone so often that they are given up, of hosts that are this worker's."""
        return [url_id for (url_id,) in self._db.rows(_PARKED, PARKED_DEATHS, list(self._hosts.owned))]

    def suspect(self, limits: Limits) -> int | None:
        """Return the URL that runs alone next; that with the fewest deaths first, so that a kill hits another."""
        row = self._db.row(_SUSPECT, limits.level, list(self._hosts.owned), limits.due, limits.pages)
        return None if row is None else row[0]

    def next_rested(self, after: float, pages: int) -> float | None:
        """Return the earliest moment, later than `after`, at which a free host with pending URLs is due."""
        row = self._db.row(_RESTED, after, pages, after, pages)
        return None if row is None else row[0]

    def lowest_depth(self, pages: int) -> int | None:
        """Return the least depth of a pending URL whose host is not closed, or of a find on its way."""
        row = self._db.row(_LOWEST, pages, pages, pages)
        return None if row is None else row[0]

    def is_anything_left(self, pages: int) -> bool:
        """Return whether there is a pending URL whose host is not closed, or a find that is still on its way."""
        row = self._db.row(_ANY_LEFT)
        if row is not None and row[0] and pages != NO_LIMIT:
            row = self._db.row(_LEFT, pages, pages, pages)
        return row is not None and row[0]
