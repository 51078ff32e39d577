"""The scheduler: the pending URLs that may be handed out now, and those that are handed out (leased).

Rules
- A lease exists in memory only: on disk the URL stays pending, so no crash loses it.
- Breadth first over hosts, earliest due first; within a host by (depth, discovery), and URLs that failed before come
  last. A host that rests for long is leased shortly before it is due, so that no resting host fills the workbench.
- A host that gave less than was wanted is asked again when it `gained` something: a find, a retry that came due, a
  lease that was handed back, the end of a lease that ran alone, or the end of a limit on all hosts.
- While the list is read, no URL that a link found is leased: the list may name it, too, and then it is a seed.
- Level by level, where the depth is limited: no URL of depth d+1 is leased before every URL of depth d is finished,
  the seeds included. So the URLs within the limit do not depend on the order of answers.
- The leases of a host count as pages. A host that has its limit of pages is closed: its URLs stay pending, and the run
  does not wait for them.
- A URL in flight at repeated deaths of the process runs alone, when no other URL of its depth is left.
Runs on: the storage thread.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from crawler.core.leases_and_commits import Wanted
from crawler.core.messages import Request
from crawler.core.throttle import LONG_REST
from crawler.core.urls import Host, parse
from crawler.frontier.columns import AMONG, READY, WAY, way_of
from crawler.frontier.host_rows import HostRows
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.queues import NO_LIMIT, Limits, Queues
from crawler.frontier.tables import Tables

_WAY = ", ".join(f"url.{column}" for column in WAY)
_COLUMNS = (
    f"SELECT url.host, url.id, url.url, url.attempts, url.guess, host.named, source.url, {_WAY}"  # noqa: S608
    " FROM url JOIN host ON host.id = url.host LEFT JOIN url AS source ON source.id = url.referrer"
)


class Leasing:
    """The leases of one life of the run in the database `db`, from these `queues`.

    Attributes:
        is_list_read: every line of the list is committed.
    """

    def __init__(self, db: Tables, queues: Queues, hosts: HostRows, policy: FrontierPolicy) -> None:
        self._db = db
        self._queues = queues
        self._hosts = hosts
        self._host_pages = policy.host_pages if policy.host_pages is not None else NO_LIMIT
        self._by_level = policy.by_level
        self._level = -1 if policy.by_level else 0
        self._leased: dict[int, int] = {}  # url id -> host id
        self._per_host: Counter[int] = Counter()
        self._suspects: Counter[int] = Counter()  # the leases of them that are not ready rows, since they run alone
        self._open: set[int] = set()  # hosts that the engine knows
        self._put_off: defaultdict[int, set[int]] = defaultdict(set)  # host id -> URLs that wait for another try
        self._alone: int | None = None
        self._gained: set[int] = set()  # hosts that may have more to lease than the engine was told
        self._all_open_until = float("-inf")  # no other host has a URL to lease before, unless it gains one
        self.is_list_read = False

    def __len__(self) -> int:
        return len(self._leased)

    def __repr__(self) -> str:
        return f"<Leasing {len(self._leased)} URLs of {len(self._per_host)} hosts>"

    @property
    def level(self) -> int:
        """Return the depth below which nothing is leased now."""
        return self._level

    @property
    def busy(self) -> AbstractSet[int]:
        """Return the hosts that the engine knows, and those of which something is leased."""
        return self._open | self._per_host.keys()

    def drop(self, host_ids: Iterable[int]) -> None:
        """Forget the URLs of these hosts that wait for another try: another worker may end them."""
        for host_id in host_ids:
            self._put_off.pop(host_id, None)

    def end_list(self) -> None:
        """Note that every line of the list is committed."""
        self.is_list_read = True
        if not self._by_level:
            self._go_to(NO_LIMIT)

    def close(self, hosts: Iterable[Host]) -> None:
        """Note that the engine has evicted these hosts."""
        if gone := set(map(self._hosts.id, hosts)):
            self._open -= gone
            self.gain(set(self._hosts.ready(gone)))

    def next(self, wanted: Wanted, now: float) -> list[Request]:
        """Lease the URLs that may be asked for; see `core.protocols.Frontier.lease`."""
        if wanted.awaited is not None:
            requests = self._read(self._due(wanted.awaited))
        else:
            requests = self._ready(wanted, now)
            if not requests and not self._leased:
                requests = self._suspect(now)
                if not requests and self._descend():
                    requests = self._ready(wanted, now) or self._suspect(now)
        self._open.update(self._leased[request.id] for request in requests)
        return requests

    def next_rested(self, now: float) -> float | None:
        """Return the moment when the first host that rests for long may be leased again; None = no host does."""
        due = self._queues.next_rested(now + LONG_REST, self._host_pages)
        return None if due is None else due - LONG_REST

    def limits(self, now: float) -> Limits:
        """Return the limits on what may be leased now."""
        return Limits(level=self._level, pages=self._host_pages, due=now + LONG_REST)

    def _lease(self, row: Sequence[Any], *, alone: bool = False) -> Request:
        """Mark the URL of a row of _COLUMNS as leased, and return the request for it."""
        host_id = row[0]
        request = _request(row, alone=alone)
        self._leased[request.id] = host_id
        self._per_host[host_id] += 1
        if alone:
            self._suspects[host_id] += 1
        if put_off := self._put_off.get(host_id):
            put_off.discard(request.id)
        return request

    def forget(self, requests: Iterable[Request]) -> None:
        """Release these leases."""
        for request in requests:
            host_id = self._leased.pop(request.id, None)
            if host_id is None:
                continue
            if request.alone or self._host_pages != NO_LIMIT:
                self.gain({host_id})  # it took the place of a ready one
            self._per_host[host_id] -= 1
            if request.alone:
                self._suspects[host_id] -= 1
            if not self._per_host[host_id]:
                del self._per_host[host_id], self._suspects[host_id]
            if request.id == self._alone:
                self._alone = None
                self._look_again()

    def take_back(self, requests: Sequence[Request]) -> None:
        """Release leases without a visit; their URLs may be leased again."""
        self.gain({self._hosts.id(request.url.host_port) for request in requests})
        self.forget(requests)

    def look_again(self) -> None:
        """Ask every host again, also those of which nothing was heard: others may have found URLs."""
        self._all_open_until = float("-inf")

    def gain(self, host_ids: set[int]) -> None:
        """Note that these hosts may have more URLs to lease."""
        self._gained |= host_ids
        if not host_ids <= self._open:
            self._all_open_until = float("-inf")

    def take_gained(self) -> set[int]:
        """Return the hosts that the engine knows and that gained something since the last call."""
        gained, self._gained = self._gained & self._open, set()
        return gained

    def put_off(self, requests: Iterable[Request]) -> None:
        """Keep the places of these requests, which wait for another try, among the pages of their hosts."""
        if self._host_pages != NO_LIMIT:
            for request in requests:
                self._put_off[self._hosts.id(request.url.host_port)].add(request.id)

    def take_parked(self) -> tuple[Request, ...]:
        """Lease the URLs that ran alone at repeated deaths, as far as their hosts have pages left."""
        parked = self._db.among(self._queues.parked())
        rows = list(self._db.rows(f"{_COLUMNS} WHERE url.id {AMONG}", parked))
        return tuple(self._lease(row, alone=True) for row in rows if self._pages_left(row[0]) > 0)

    def is_anything_left(self) -> bool:
        """Return whether some pending URL may be leased, now or later."""
        return self._queues.is_anything_left(self._host_pages)

    # --- ready URLs ----------------------------------------------------------------------------------------------

    def _ready(self, wanted: Wanted, now: float) -> list[Request]:
        if self._alone is not None:
            return []
        shares = {self._hosts.id(host): share for host, share in wanted.shares.items()}
        self._open.update(shares)
        ready = self._hosts.ready(shares)
        opened = [host_id for host_id in shares if self._has_more(host_id, ready.get(host_id, 0))]
        new = self._closed_hosts(wanted.new_hosts if wanted.new_share else 0, now)
        return self._read(self._take({host_id: shares.get(host_id, wanted.new_share) for host_id in opened + new}))

    def _has_more(self, host_id: int, ready: int) -> bool:
        """Return whether some of the ready URLs of a host are not leased yet."""
        return ready > self._per_host[host_id] - self._suspects[host_id]

    def _closed_hosts(self, count: int, now: float) -> list[int]:
        """Return hosts to open that have a URL to lease, earliest due first."""
        if count <= 0 or now < self._all_open_until:
            return []
        rows = self._queues.new_hosts(self.limits(now), count + len(self._per_host), self._open)
        found = [host_id for host_id, ready in rows if host_id not in self._open and self._has_more(host_id, ready)]
        if len(found) < count:
            rested = self.next_rested(now)
            self._all_open_until = float("inf") if rested is None else rested
        return found[:count]

    def _take(self, shares: Mapping[int, int]) -> list[int]:
        """Return the first ready URLs of each host that are not leased yet and fit into its pages, so many of each."""
        taken: dict[int, list[int]] = {}
        wanted: dict[int, int] = {}
        for host_id, share in shares.items():
            put_off = self._put_off.get(host_id, set())
            again = taken[host_id] = self._due(put_off)[:share]
            more = share - len(again)
            if self._host_pages != NO_LIMIT:
                more = min(more, self._pages_left(host_id) - len(put_off))
            wanted[host_id] = max(0, more)
        asked = {
            host_id: more + self._per_host[host_id] + len(self._put_off.get(host_id, ()))
            for host_id, more in wanted.items()
        }
        for host_id, first in self._queues.first_urls(asked, self._level).items():
            put_off = self._put_off.get(host_id, set())
            fresh = [url_id for url_id in first if url_id not in self._leased and url_id not in put_off]
            taken[host_id] += fresh[: wanted[host_id]]
        return [url_id for url_ids in taken.values() for url_id in url_ids]

    def _due(self, url_ids: Iterable[int]) -> list[int]:
        """Return those of these URLs that are ready and not leased yet."""
        is_ready = f"SELECT 1 FROM url WHERE id = ? AND {READY}"  # noqa: S608
        waiting = sorted(url_id for url_id in url_ids if url_id not in self._leased)
        return [url_id for url_id in waiting if self._db.row(is_ready, url_id)]

    def _read(self, url_ids: list[int]) -> list[Request]:
        if not url_ids:
            return []
        rows = self._db.rows(f"{_COLUMNS} WHERE url.id {AMONG}", self._db.among(url_ids))
        found = {row[1]: row for row in rows}
        return [self._lease(found[url_id]) for url_id in url_ids]

    def _one(self, query: str, *values: object) -> Any:
        """Return the only value of a query."""
        row = self._db.row(query, *values)
        assert row is not None  # noqa: S101 - an aggregate, or a row that is never deleted
        return row[0]

    def _pages_left(self, host_id: int) -> int:
        pages = int(self._one("SELECT pages FROM host WHERE id = ?", host_id))
        return self._host_pages - pages - self._per_host[host_id]

    # --- when no URL is ready ------------------------------------------------------------------------------------

    def _suspect(self, now: float) -> list[Request]:
        """Lease one URL that was in flight at repeated deaths."""
        url_id = self._queues.suspect(self.limits(now))
        if url_id is None:
            return []
        self._alone = url_id
        return [self._lease(row, alone=True) for row in self._db.rows(f"{_COLUMNS} WHERE url.id = ?", url_id)]

    def _descend(self) -> bool:
        """Go on to the next depth with a pending URL; return False while this depth waits for a retry or the seeds."""
        if self._level == NO_LIMIT:
            return False
        lowest = self._queues.lowest_depth(self._host_pages)
        if lowest is None or lowest <= self._level or (lowest > 0 and not self.is_list_read):
            return False
        self._go_to(lowest)
        return True

    def _go_to(self, level: int) -> None:
        if level != self._level:
            self._level = level
            self._look_again()

    def _look_again(self) -> None:
        """Ask every host again, as the limit on all of them has ended."""
        self._gained.update(self._open)
        self._all_open_until = float("-inf")


def _request(row: Sequence[Any], *, alone: bool = False) -> Request:
    _, url_id, url, attempts, guess, named, referrer, *way = row
    return Request(
        url=parse(url),
        id=url_id,
        way=way_of(way),
        attempts=attempts,
        named=bool(named),
        guess=guess,
        referrer=referrer,
        alone=alone,
    )
