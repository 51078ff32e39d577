"""The index of keys in PostgreSQL: the row of each URL, by its host and the 128-bit digest of its canonical form.

Rules
- The digest stands in the row itself, and with its host it is the primary key: the keys of one host lie together, so a
  page of links touches few pages of the index.
- A URL of a host that has no row is not there.
Runs on: the thread that has the connection.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from crawler.core.urls import Host, Url, parse
from crawler.frontier.postgres.tables import PostgresTables

_SHAPES = (
    "SELECT url.key, url.id, url.shape FROM unnest(?::bigint[], ?::bytea[]) AS given (host, key)"
    " JOIN url ON url.host = given.host AND url.key = given.key"
)


class PostgresKeys:
    """The keys of all rows of `url`; `hosts` tells the rows of hosts that the open transaction knows."""

    columns: tuple[str, ...] = ("key",)

    def __init__(self, db: PostgresTables, hosts: Mapping[Host, int]) -> None:
        self._db = db
        self._hosts = hosts

    def values(self, key: bytes) -> tuple[Any, ...]:
        """Return the value of the column `key`."""
        return (key,)

    def shapes(self, keys: Mapping[bytes, str]) -> Sequence[tuple[bytes, int, str]]:
        """Return the key, the row and its shape of each of these keys that is known; the values are their URLs."""
        by_host: defaultdict[Host, list[bytes]] = defaultdict(list)
        for key, href in keys.items():
            by_host[parse(href).host_port].append(key)
        ids = self._ids(by_host)
        pairs = sorted((ids[host], key) for host, found in by_host.items() if host in ids for key in found)
        if not pairs:
            return []
        host_ids, digests = map(list, zip(*pairs, strict=True))
        return [(bytes(key), url_id, shape) for key, url_id, shape in self._db.rows(_SHAPES, host_ids, digests)]

    def _ids(self, hosts: Iterable[Host]) -> dict[Host, int]:
        known = {host: self._hosts[host] for host in hosts if host in self._hosts}
        if unknown := [host for host in hosts if host not in known]:
            known.update(self._db.host_ids(unknown))
        return known

    def find(self, url: Url) -> int | None:
        """Return the row of a URL; None = there is none."""
        found = self.shapes({url.key: url.href})
        return found[0][1] if found else None

    def write(self, added: Iterable[tuple[bytes, int]], changed: Collection[tuple[str, bytes]]) -> None:
        """Do nothing: keys and shapes were written with their rows."""

    def keep(self) -> None:
        """Do nothing: nothing is remembered."""

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""
