"""A frontier in a folder, and the moves of an engine that works with it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from crawler.core import records
from crawler.core.finds import Find
from crawler.core.leases_and_commits import Committed, Group, Lease, Opened, SeedBatch, Totals, Wanted
from crawler.core.messages import Request, Response, Timing
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.urls import Host
from crawler.core.visits import Page, Retry, State, Visit
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.at_rest import at_rest
from support.stores import audit_of, cut_off, frontier_in, rows
from support.ways import a_find

NOW = 1_700_000_000.0
A, B, C = Host("a:80"), Host("b:80"), Host("c:80")
ALL = 1000
REFUSED = {"refusal": Reason.DEPTH_LIMIT}
FAIL = "SELECT RAISE(ABORT, 'the disk says no')"
BROKEN = {
    **{
        f"{when} {table}": f"CREATE TRIGGER no BEFORE {when} ON {table} BEGIN {FAIL}; END"
        for when, table in (
            *(("INSERT", "url"), ("UPDATE", "url"), ("INSERT", "host"), ("UPDATE", "host"), ("INSERT", "rejected")),
            *(("INSERT", "meta"), ("INSERT", "robots"), ("INSERT", "file"), ("INSERT", "tally")),
        )
    },
    "COMMIT": """
        PRAGMA foreign_keys = ON;
        CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TEMP TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TEMP TRIGGER no AFTER INSERT ON main.file BEGIN INSERT INTO child VALUES (1); END
    """,
}


class Run:
    """A run's folder, and the life that works in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.line = 0
        self.open: set[Host] = set()
        self._lives = 0

    @property
    def path(self) -> Path:
        """The frontier's file."""
        return self.folder / "frontier.sqlite"

    def begin(self, *, slots: int = 64) -> Opened:
        """A life begins."""
        self.folder.mkdir(exist_ok=True)
        self.open.clear()
        self.board = MappedBoard(self.folder / "frontier.board", slots)
        self.frontier = frontier_in(self.folder, self.board)
        return self.frontier.open(self.now)

    def end(self) -> None:
        """It ends in order."""
        self.frontier.close()

    def die(self) -> None:
        """It ends as by `kill -9`: the next one finds the files as they are at this moment."""
        self._lives += 1
        copy = self.folder.with_name(f"{self.folder.name.partition('-')[0]}-{self._lives}")
        shutil.copytree(self.folder, copy)
        cut_off(self.frontier)
        self.board.close()
        self.folder = copy

    def add(self, *urls: str, **fields: Any) -> Committed:
        """Commit some lines of the list."""
        batch = batch_of(*urls, first=self.line + 1, named=True, **fields)
        self.line = batch.line
        return self.commit(seeds=(batch,))

    def lease(self, shares: Mapping[Host, int] | None = None, *, new_hosts: int = ALL, new_share: int = ALL) -> Lease:
        """Lease, by default everything there is; hosts that are not named have been forgotten since."""
        gone = tuple(self.open - (shares or {}).keys())
        wanted = Wanted(shares=shares or {}, gone=gone, new_hosts=new_hosts, new_share=new_share)
        lease = self.frontier.lease(wanted, self.now)
        self.open = {*(shares or {}), *(request.url.host_port for request in lease.requests)}
        return lease

    def dispatch(self, **limits: Any) -> tuple[Request, ...]:
        """Lease and dispatch: what is in flight is on the board."""
        requests = self.lease(**limits).requests
        for request in requests:
            self.board.enter(request.id)
        return requests

    def commit(self, **group: Any) -> Committed:
        """Commit a group; what it finishes leaves the board."""
        committed = self.frontier.commit(Group(**group))
        finished: list[Visit | Retry] = [*committed.group.visits, *committed.group.retries]
        for entry in finished:
            self.board.leave(entry.request.id)
        return committed

    @property
    def leased(self) -> int:
        """Return the number of URLs that are leased now."""
        return int(repr(self.frontier).partition("<Leasing ")[2].split()[0])

    def finish(self, *requests: Request) -> Totals:
        """Commit a page for each of these."""
        return self.commit(visits=tuple(done(request) for request in requests)).totals

    def problems(self) -> list[str]:
        """Return the findings of an audit while the frontier runs, and sums in memory that differ from the disk."""
        audit = audit_of(self.frontier)
        wrong, young = list(audit.problems()), getattr(audit._keys, "_young", {})  # which SQLite alone has
        if any(self.frontier._decisions.keys.shapes({key: ""})[0][1] != url_id for key, url_id in young.items()):
            wrong.append("keys in memory and on disk differ")
        return (
            wrong
            if audit._tally.totals() == self.frontier._decisions.tally.totals()
            else [*wrong, "memory and disk differ"]
        )

    def one(self, query: str) -> Any:
        """The only value of a query."""
        return rows(self.frontier, query)[0][0]


@contextmanager
def audited(path: Path) -> Iterator[FrontierAudit]:
    """Open the frontier in this file for its audit."""
    with at_rest(path) as frontier:
        yield FrontierAudit(frontier)


def found(url: str, **fields: Any) -> Find:
    """A find, by default a link that is allowed."""
    return a_find(url, **fields)


def batch_of(*urls: str, first: int = 1, last: bool = True, **fields: Any) -> SeedBatch:
    """The lines of a list that name these URLs, from line `first` on; the cursor counts lines."""
    finds = tuple(a_find(url, seed=True, line=line, **fields) for line, url in enumerate(urls, first))
    read = first + len(urls) - 1
    return SeedBatch(cursor=read, line=read, lines=len(urls), finds=finds, last=last)


def done(request: Request, *finds: Find, status: int = 200, size: int = 10) -> Visit:
    """A visit that ended with a response."""
    response = Response(request=request, status=status, timing=Timing(total=0.25))
    line = records.answered(response, Page(size=size, sha256=""), Reason.OK, VisitContext(now=NOW), state=State.DONE)
    return Visit(request=request, state=State.DONE, reason=Reason.OK, record=line, finds=finds, latency=0.25)


def ended(request: Request, state: State, reason: Reason) -> Visit:
    """A visit without a response."""
    return Visit(request=request, state=state, reason=reason)


def again(request: Request, not_before: float) -> Retry:
    """One try more for a request."""
    next_try = replace(request, attempts=request.attempts + 1)
    return Retry(request=next_try, reason=Reason.CONNECT_REFUSED, at=NOW, not_before=not_before)


def urls(lease: Lease | tuple[Request, ...]) -> list[str]:
    """The leased URLs, shortened."""
    requests = lease.requests if isinstance(lease, Lease) else lease
    return [request.url.href.removeprefix("http://") for request in requests]


def let_go(run: Run) -> None:
    """Close what a test left open, without an orderly end."""
    if hasattr(run, "frontier"):
        with suppress(AttributeError):  # it was never opened
            cut_off(run.frontier)


def deaths(run: Run) -> list[int]:
    """Return how often each URL was in flight at a death, in the order of discovery."""
    return [n for (n,) in rows(run.frontier, "SELECT deaths FROM url ORDER BY id")]
