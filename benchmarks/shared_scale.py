"""One PostgreSQL under several workers: do pages per second grow with them, and does a group cost more in a large run?

Run with: python benchmarks/shared_scale.py [--only workers|sizes|commits ...] [--seconds N] [--sizes N ...] [--hosts N]
          [--groups N]
A private server has the database, with its settings as they come. All processes run on this machine.
- workers: 1, 2 and 4 workers with 32 slots each crawl the built-in site, 200 hosts that answer after one second. Pages
  per second are counted in the site's log, over a window that begins when every worker has had hosts for ten seconds
  and ends long before the pages do. Two workers must get 1.9 times as many as one, four 3.7 times.
- sizes: runs with 10 thousand and a million pending URLs (`--sizes 10000 1000000 10000000` for ten million, 4 GB and
  some minutes more) on 20 hosts, and with 10 thousand and a million hosts of one pending URL each. One worker leases
  and commits in all of them by turns, 500 visits and 50, with ten links each; it gives its hosts back and takes others
  each time. One link in ten is new, so as many URLs are pending afterwards; the others lead all over their host. The
  cache of seen URLs is empty each time, so that the database is asked for each link. Medians may be 1.5 times those of
  the small run.
- commits: one worker and four that only lease and commit, groups of 500 visits with ten links, two of them new. Groups
  and visits per second, and CPU of the server for a visit. Then the bytes of the tables and indexes of a run for each
  URL: 300,000 were found by commits, and one in ten visited.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.filled_database import Filled, Groups, fill, href_of, worker
from benchmarks.support.pinned import cpu_seconds
from benchmarks.support.programs import planned_site
from benchmarks.support.tables import Claim, figure, verdict
from crawler.core.leases_and_commits import Wanted
from crawler.frontier.postgres import runs
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.seen import SeenCache
from crawler.site.log import read_log
from crawler.site.plan import SitePlan
from support.databases import DatabaseServer, running_server
from support.shared_workers import Crew

WORKERS = {1: 1.0, 2: 1.9, 4: 3.7}  # times the pages of one
SLOTS = 32
SITE_HOSTS = 200
SETTLED = 10.0  # seconds
MOST = 1.5  # times the small run
FEW_HOSTS = 20  # of a run in sizes: each has pages enough for the links of a group
AT_ONCE = 10  # of them in a group
GROUPS = {500: "group of 500 visits, 5,000 links", 50: "group of 50 visits, 500 links"}
LINKS, NEW = 10, 1
WARM_UP = 3  # turns off the clock
COMMITTED = Filled(urls=400_000, hosts=1000)
GROWN = Filled(urls=1000, hosts=100)
GROWTH = 60  # groups of 500 visits with ten new links each
_LIVING = "SELECT count(*) FROM worker WHERE life IS NOT NULL AND hosts > 0"
_SIZE = (
    "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
)
_URLS = "SELECT sum(n)::bigint FROM tally WHERE kind = 'state'"


def main() -> int:
    """Show the parts; the exit code is 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--seconds", type=float, default=30.0, help="the window of workers, and of commits")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=(10_000, 1_000_000), help="pending URLs, the least first"
    )
    parser.add_argument("--hosts", type=int, default=1_000_000, help="of the run with one URL each")
    parser.add_argument("--groups", type=int, default=40, help="of each kind, in each run of sizes")
    options = parser.parse_args()
    codes: list[int] = []
    with running_server() as server, tempfile.TemporaryDirectory(prefix="crawler-scale-") as name:
        codes += [PARTS[part](server, Path(name), options) for part in options.only]
    return max(codes)


# --- more workers -------------------------------------------------------------------------------------------------


def _workers(server: DatabaseServer, folder: Path, options: argparse.Namespace) -> int:
    rates: dict[int, float] = {}
    claims: list[Claim] = []
    for number, wanted in WORKERS.items():
        rates[number], cpu = _crawled(server, folder / str(number), number, options.seconds)
        claims.append(figure(f"pages per second, workers: {number}", rates[number]))
        claims.append(figure("  CPU us of the database server for a page", cpu))
        if number > 1:
            claims.append(_at_least("  times those of one worker", wanted, rates[number] / rates[1]))
    return verdict(f"shared_scale: {SLOTS} slots a worker, answers after one second", claims)


def _at_least(asked: str, wanted: float, ratio: float) -> Claim:
    return Claim(asked, f">= {wanted}", f"{ratio:.2f}", ratio >= wanted)


def _crawled(server: DatabaseServer, folder: Path, workers: int, seconds: float) -> tuple[float, float]:
    """Return pages per second of so many workers, and CPU microseconds of the server for each page."""
    folder.mkdir()
    pages = int(2 * SLOTS * max(WORKERS) * (seconds + 2 * SETTLED) / SITE_HOSTS) + 1
    plan = SitePlan.plain(pages=pages, hosts=SITE_HOSTS, latency=1.0)
    with server.database() as dsn, planned_site(plan, log=folder / "log") as site:
        listed = folder / "seeds.txt"
        listed.write_text("".join(f"{base_url}/\n" for base_url in site.base_urls), "utf-8")
        begin = ["crawl", str(listed), "--allow-net", "127.0.0.0/8"]
        options = ("--concurrency", str(SLOTS), "--workers", "0")
        crew = Crew(folder / "workers", dsn, begin, size=workers, options=options, lease=60.0)
        try:
            crew.begin()
            _wait_for_all(dsn, workers)
            time.sleep(SETTLED)
            began, cpu = time.monotonic(), cpu_seconds(server.process)
            time.sleep(seconds)
            ended, cpu = time.monotonic(), cpu_seconds(server.process) - cpu
        finally:
            crew.end()
    hits = [hit for hit in read_log(folder / "log") if hit.target != "/robots.txt"]
    count = sum(began <= hit.ended < ended for hit in hits)
    return count / (ended - began), cpu * 1e6 / max(1, count)


def _wait_for_all(dsn: str, workers: int) -> None:
    with runs.connected(dsn, "run") as db:
        while (row := db.row(_LIVING)) is None or row[0] < workers:
            time.sleep(0.1)


# --- large runs ---------------------------------------------------------------------------------------------------


class Run:
    """One run that is leased from and committed to by turns with the others."""

    def __init__(self, filled: Filled, frontier: PostgresFrontier) -> None:
        self.filled = filled
        self._frontier = frontier
        self._groups = Groups(filled, links=LINKS, new=NEW)
        self._gone: tuple[str, ...] = ()
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def turn(self, visits: int) -> None:
        """Lease so many URLs of hosts that the worker did not have, and commit their visits."""
        hosts = AT_ONCE if self.filled.hosts == FEW_HOSTS else visits
        wanted = Wanted(gone=self._gone, new_hosts=hosts, new_share=visits // hosts)
        began = time.perf_counter()
        lease = self._frontier.lease(wanted, time.time())
        leased = time.perf_counter() - began
        if len(lease.requests) != visits:
            sys.exit(f"{self.filled.name}: {len(lease.requests)} URLs were leased instead of {visits}")
        group = self._groups.of(lease.requests)
        self._gone = tuple(group.hosts)
        self._frontier._decisions.admission._seen = SeenCache(follows=True, ids=False)  # noqa: SLF001
        began = time.perf_counter()
        self._frontier.commit(group)
        self.times[f"lease of {visits} URLs"].append(leased)
        self.times[GROUPS[visits]].append(time.perf_counter() - began)


def _sizes(server: DatabaseServer, folder: Path, options: argparse.Namespace) -> int:
    small, *large = options.sizes
    of_sizes = [Filled(urls=urls, hosts=FEW_HOSTS) for urls in (small, *large)]
    of_hosts = [Filled(urls=hosts, hosts=hosts) for hosts in (10_000, options.hosts)]
    with server.database() as dsn, ExitStack() as stack:
        for filled in (*of_sizes, *of_hosts):
            fill(dsn, filled)
        found = {
            filled: Run(filled, stack.enter_context(worker(dsn, filled.name, folder)))
            for filled in (*of_sizes, *of_hosts)
        }
        for number in range(WARM_UP + options.groups):
            for run in found.values():
                for visits in GROUPS:
                    run.turn(visits)
                if number < WARM_UP:
                    run.times.clear()
        claims = [
            *_compared([found[filled] for filled in of_sizes], "pending URLs"),
            *_compared([found[filled] for filled in of_hosts], "hosts"),
        ]
    return verdict(f"shared_scale: one lease and one group, medians of {options.groups}", claims)


def _compared(found: Sequence[Run], what: str) -> Iterator[Claim]:
    first = found[0]
    for kind in first.times:
        for run in found:
            size = run.filled.hosts if what == "hosts" else run.filled.urls
            spent = median(run.times[kind])
            yield figure(f"{kind}, {size:,} {what}: ms", 1000 * spent)
            if run is not first:
                ratio = spent / median(first.times[kind])
                yield Claim("  times as many as with the fewest", f"<= {MOST}", f"{ratio:.2f}", ratio <= MOST)


# --- groups alone -------------------------------------------------------------------------------------------------


def _commits(server: DatabaseServer, folder: Path, options: argparse.Namespace) -> int:
    claims: list[Claim] = []
    for workers in (1, 4):
        with server.database() as dsn:
            fill(dsn, COMMITTED)
            cpu = cpu_seconds(server.process)
            told = _committed(dsn, COMMITTED.name, workers, folder, options.seconds)
            cpu = cpu_seconds(server.process) - cpu
        visits = sum(each["visits"] for each in told)
        seconds = max(each["seconds"] for each in told)
        claims += [
            figure(f"groups per second, workers: {workers}", sum(each["groups"] for each in told) / seconds),
            figure("  visits per second", visits / seconds),
            figure("  CPU us of the database server for a visit", cpu * 1e6 / visits),
        ]
    claims.append(figure(f"bytes for each URL of {len(href_of(0, 0))} characters", _bytes_of_url(server, folder)))
    return verdict("shared_scale: groups of 500 visits, ten links each, two of them new", claims)


def _bytes_of_url(server: DatabaseServer, folder: Path) -> float:
    """Return the size of a run whose URLs were all found by commits but for the first, for each of them."""
    with server.database() as dsn:
        fill(dsn, GROWN)
        with worker(dsn, GROWN.name, folder) as frontier:
            groups = Groups(GROWN, links=LINKS, new=LINKS)
            for _ in range(GROWTH):
                wanted = Wanted(new_hosts=GROWN.hosts, new_share=5)
                group = groups.of(frontier.lease(wanted, time.time()).requests)
                frontier.commit(group)
                frontier.lease(Wanted(gone=tuple(group.hosts)), time.time())
        with runs.connected(dsn, GROWN.name) as db:
            ((size,), (urls,)) = (*db.rows(_SIZE), *db.rows(_URLS))
    return float(size / urls)


def _committed(dsn: str, run: str, workers: int, folder: Path, seconds: float) -> list[dict[str, float]]:
    """Return what each of so many workers tells after they have committed for so long."""
    numbers = [1, *(runs.join_run(dsn, run, "here") for _ in range(workers - 1))]
    with ExitStack() as stack:
        started = [stack.enter_context(_committer(dsn, run, number, folder, seconds)) for number in numbers]
        for process in started:
            process.stdout.readline()
        for process in started:
            process.stdin.write(b"\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in started]


@contextmanager
def _committer(dsn: str, run: str, number: int, folder: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    script = Path(__file__).with_name("support") / "committing.py"
    command = [sys.executable, str(script), dsn, run, str(number), str(seconds), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


PARTS = {"workers": _workers, "sizes": _sizes, "commits": _commits}

if __name__ == "__main__":
    sys.exit(main())
