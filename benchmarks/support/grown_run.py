"""A run that has known and fetched as many pages as wanted, made in minutes by the storage classes, and pages for it.

Its site has numbered pages on many hosts; links lead to pages of the same host, and pages are fetched in the order of
their numbers. Links have two forms. *uniform*: to any known page. *local*, as on real sites: to a navigation that all
pages share, to neighbours, and to a heavy tail. Beside them each page has links to pages that were not known.
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.programs import nginx
from crawler.build import policy_of
from crawler.core.discovery import Way
from crawler.core.finds import Find
from crawler.core.leases_and_commits import Group, Wanted
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.core.visits import State, Visit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.run.folder import RunFolder

FORMS = ("local", "uniform")
HOSTS = 32  # 5 million pages are 156,250 of each: no trap closes
_FILES = 1000  # pages that may be fetched next, per host
_NAVIGATION = 50
_NEAR = 100
_STEP = 20_000
_PLACES = """location ~ "^/p/[0-9]*([0-9]{3})$" { try_files /$1.html =404; } """
_SEEDS = tuple(f"127.0.0.{number + 1}" for number in range(HOSTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """The size of a run: pages known in all, and those of them that are fetched; links of a page, and new ones."""

    known: int
    done: int
    links: int
    new: int

    @property
    def of_a_host(self) -> int:
        """Return the number of known pages of each host."""
        return self.known // HOSTS


@contextmanager
def grown_site(prefix: Path) -> Iterator[list[str]]:
    """Serve the pages that `write_pages` puts into the folder; gives a base URL for each host."""
    root = prefix / "www"
    root.mkdir(parents=True)
    with nginx(root, prefix, extra=f"keepalive_requests 1000000000; {_PLACES}", addresses=_SEEDS[1:]) as base_url:
        port = base_url.rpartition(":")[2]
        yield [f"http://{address}:{port}" for address in _SEEDS]


def write_pages(root: Path, grown: Grown, form: str) -> None:
    """Write the pages that come next, on each host: page n is the file of its last three digits."""
    chance = random.Random(f"{form} {grown}")
    first = grown.done // HOSTS
    for number in range(first, first + _FILES):
        own = grown.links - grown.new
        if form == "uniform":
            targets = [chance.randrange(grown.of_a_host) for _ in range(own)]
        else:
            shared = [chance.randrange(min(_NAVIGATION, grown.of_a_host)) for _ in range(own * 2 // 5)]
            near = [abs(number + chance.randint(-_NEAR, _NEAR)) for _ in range(own * 2 // 5)]
            tail = [int(grown.of_a_host ** chance.random()) for _ in range(own - len(shared) - len(near))]
            targets = [min(target, grown.of_a_host - 1) for target in (*shared, *near, *tail)]
        targets += [grown.of_a_host + number * grown.new + at for at in range(grown.new)]
        links = "".join(f'<li><a href="{_path(target)}">Page {target} of this host</a></li>\n' for target in targets)
        text = f"<!doctype html><title>Page {number}</title><body><p>{'Some words. ' * 100}</p><ul>\n{links}</ul>"
        (root / f"{number % 1000:03}.html").write_text(text, "ascii")


def _path(number: int) -> str:
    return f"/p/{number:09}"


def make_run(run: Path, base_urls: list[str], grown: Grown) -> None:
    """Make a run that has so many pages; the first of each host is a seed, which is fetched by a crawl."""
    command = [sys.executable, "-m", "crawler", "crawl", *(f"{base_url}{_path(0)}" for base_url in base_urls)]
    command += ["-o", str(run), "--no-robots", "--retries", "0", "--quiet", "--max-pages", str(HOSTS)]
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    folder = RunFolder(run)
    policy = policy_of(folder.read_facts().config, follows=True)
    frontier = SqliteFrontier(folder.frontier, MappedBoard(folder.board, 4096), create=False, policy=policy)
    frontier.open(time.time())
    try:
        for pragma in ("synchronous = OFF", "cache_size = -1000000", "wal_autocheckpoint = 50000"):
            frontier._db.execute(f"PRAGMA {pragma}")  # noqa: SLF001 - or five million rows take a quarter of an hour
        _know(frontier, base_urls, grown)
        _visit(frontier, grown.done - HOSTS)
    finally:
        frontier.close()


def _know(frontier: SqliteFrontier, base_urls: list[str], grown: Grown) -> None:
    for start in range(0, grown.of_a_host, _STEP // HOSTS):
        numbers = range(start, min(start + _STEP // HOSTS, grown.of_a_host))
        urls = (parse(f"{base_url}{_path(number)}") for number in numbers for base_url in base_urls)
        frontier.commit(Group(finds=tuple(Find(url=url, way=Way(depth=1)) for url in urls)))


def _visit(frontier: SqliteFrontier, pages: int) -> None:
    """Give so many pages their end, all hosts in turn."""
    share, wanted = 100, Wanted(new_hosts=HOSTS, new_share=100)
    while pages > 0:
        lease = frontier.lease(wanted, time.time())
        if not lease.requests:
            sys.exit("the run has fewer pages than are to be fetched")
        of_hosts = sorted(lease.requests, key=lambda request: request.id)
        ended = tuple(
            Visit(request=request, state=State.DONE, reason=Reason.OK, at=time.time()) for request in of_hosts[:pages]
        )
        frontier.commit(Group(visits=ended, returned=tuple(of_hosts[pages:])))
        pages -= len(ended)
        wanted = Wanted(shares=dict.fromkeys({request.url.host_port for request in lease.requests}, share))
