"""A run in PostgreSQL that has as many pending URLs as wanted, filled in minutes, and groups of visits for it.

URLs and hosts are numbered, and rows come from all hosts in turn, as in a crawl. Rows, keys and counters are those that
the frontier would have written; indexes are built afterwards.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Self

from crawler.core.discovery import Way
from crawler.core.finds import Finds
from crawler.core.leases_and_commits import Group, HostState
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Url, key_of
from crawler.core.visits import Record, State, Visit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.postgres import runs
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership

LEASE = 3600.0  # seconds
_BLOCK = 50_000  # rows that are sent at once
_ID_BLOCK = 1000  # of the sequence of numbers of URLs
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = ? AND tablename = 'url'"
_COUNTERS = (
    "UPDATE host SET ready = (SELECT count(*) FROM url WHERE url.host = host.id AND state = 0)",
    "INSERT INTO tally SELECT 0, 'state', 'PENDING', count(*) FROM url",
    "INSERT INTO meta VALUES ('seeds_finished', 1)",
    "INSERT INTO place VALUES ('')",
    "VACUUM (ANALYZE) url",
    "VACUUM (FULL, ANALYZE) host",
    "CHECKPOINT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The size of a run: pending URLs, of which each host has as many."""

    urls: int
    hosts: int

    @property
    def name(self) -> str:
        """Return the name of the run."""
        return f"u{self.urls}_h{self.hosts}"

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the size of the run with this name."""
        urls, hosts = name.removeprefix("u").split("_h")
        return cls(urls=int(urls), hosts=int(hosts))


def host_name(number: int) -> str:
    """Return the name of a host, without its port."""
    return f"h{number:07}.test"


def href_of(host: int, number: int) -> str:
    """Return the URL of a page of a host."""
    return f"http://{host_name(host)}/section/{number // 100}/page-{number:09}.html"


def fill(dsn: str, filled: Filled) -> None:
    """Make a run of this size."""
    runs.begin_run(dsn, filled.name, {}, max_pages=None, place="here")
    with runs.connected(dsn, filled.name) as db:
        indexes = db.rows(_INDEXES, f"crawler_{filled.name}")
        db.execute("ALTER TABLE url DROP CONSTRAINT url_pkey")
        for name, _ in indexes:
            db.execute(f"DROP INDEX IF EXISTS {name}")
        db.execute(
            "INSERT INTO host (name, site) SELECT 'h' || lpad(n::text, 7, '0') || '.test:80', ''"
            " FROM generate_series(0, ? - 1) AS n ORDER BY n",
            filled.hosts,
        )
        ((first,),) = db.rows("SELECT min(id) FROM host")
        with (
            db._db.cursor() as cursor,  # noqa: SLF001 - COPY is of no use to the frontier
            cursor.copy("COPY url (id, key, shape, url, host, depth) FROM STDIN") as copy,
        ):
            for block in _rows(filled, first):
                copy.write(block)
        db.execute("SELECT setval('url_number', ?)", (filled.urls // _ID_BLOCK + 1) * _ID_BLOCK + 1)
        db.execute("SET maintenance_work_mem TO '1GB'")
        for name, definition in indexes:
            if name != "url_pkey":
                db.execute(definition)
        db.execute("ALTER TABLE url ADD PRIMARY KEY (host, key)")
        for statement in _COUNTERS:
            db.execute(statement)


def _rows(filled: Filled, first_host: int) -> Iterator[str]:
    for start in range(0, filled.urls, _BLOCK):
        lines = []
        for at in range(start, min(start + _BLOCK, filled.urls)):
            number, host = divmod(at, filled.hosts)
            href = href_of(host, number)
            lines.append(f"{at + 1}\t\\\\x{key_of(href).hex()}\t1\t{href}\t{first_host + host}\t1\n")
        yield "".join(lines)


@contextmanager
def worker(
    dsn: str, run: str, folder: Path, number: int = 1, policy: FrontierPolicy | None = None
) -> Iterator[PostgresFrontier]:
    """Give the frontier of one worker of a run."""
    board = MappedBoard(folder / f"{run}-{number}.board", 16_384)
    frontier = PostgresFrontier(
        Session(dsn, run, number, LEASE), Membership(number), board, policy or FrontierPolicy(follows=True)
    )
    frontier.open(time.time())
    try:
        yield frontier
    finally:
        frontier.close()


class Groups:
    """Groups for a run: a page has so many links to pages of its host, `new` of them to pages that were not known.

    Those to known pages lead all over the host, and to none twice before all have had their turn.
    """

    def __init__(self, filled: Filled, *, links: int, new: int, seed: int = 1) -> None:
        self._of_a_host = max(1, filled.urls // filled.hosts)
        self._links = links
        self._new = new
        self._step = _step(self._of_a_host)
        self._turns: Counter[int] = Counter()  # by host
        self._made: Counter[int] = Counter()
        self._first_new = self._of_a_host + seed * 10_000_000

    def of(self, requests: Sequence[Request]) -> Group:
        """Return the group of the visits of these requests."""
        now = time.time()
        visits = tuple(self._visit(request, now) for request in requests)
        state = HostState(due=now, delay=0.0, latency=0.1, window=2.0)
        return Group(
            visits=visits,
            hosts=dict.fromkeys({r.url.host_port for r in requests}, state),
            seconds=0.1,
            files={"pages.jsonl": int(now * 1e6)},
        )

    def _visit(self, request: Request, now: float) -> Visit:
        href = request.url.href
        return Visit(
            request=request,
            state=State.DONE,
            reason=Reason.OK,
            at=now,
            latency=0.1,
            finds=Finds.of((url, _WAY, None) for url in self._targets(request.url)),
            record=Record(
                url=href,
                outcome="done",
                status=200,
                reason="ok",
                content_type="text/html",
                charset="utf-8",
                bytes=4000,
                sha256=None,
                title=None,
                depth=1,
                referrer=None,
                lastmod=None,
                redirect_to=None,
                links=self._links,
                robots=None,
                attempts=1,
                fetched_at="",
                timing={},
            ),
        )

    def _targets(self, url: Url) -> Iterator[Url]:
        host = int(url.host[1:8])
        turn, made, known = self._turns[host], self._made[host], self._links - self._new
        numbers = [at * self._step % self._of_a_host for at in range(turn, turn + known)]
        numbers += range(self._first_new + made, self._first_new + made + self._new)
        self._turns[host] += known
        self._made[host] += self._new
        for number in numbers:
            yield Url(href_of(host, number), url.scheme, url.host, url.port)


def _step(count: int) -> int:
    """Return a number without a divisor in common with this one, and about five eighths of it."""
    return next(step for step in range(count * 5 // 8 + 1, 2 * count + 2) if gcd(step, count) == 1)


_WAY = Way(depth=2)
