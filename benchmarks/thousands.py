"""Thousands at once: how close do 20,000 fetches of 1 s each, 5,000 in flight, come to the 4 s that they need?

Run with: python benchmarks/thousands.py [--fetches N] [--concurrency N] [--latency SECONDS]
The server (support/slow_server.py, its own process) answers after `--latency` and writes down when each request arrived
and was answered; `--built-in-site` takes the built-in site instead, which has to make a page for each. The peak and the
time from the first request in to the last answer out are taken from that log alone. What the fetches need is their
number / concurrency x latency. At most 1.375 times as long is claimed (5.5 s for 4.0), and at most 0.15 s of lag of the
event loop. Memory and lag, looked at four times a second, are the crawler's own figures.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.slow_server import slow_server
from benchmarks.support.tables import Claim, at_most, exactly, figure, verdict
from benchmarks.support.watched import watched
from crawler.report.summary import Summary
from crawler.site.log import Hit, most_at_once, read_log
from crawler.site.plan import SitePlan
from support.faults import site_process

SLOWEST = 5.5 / 4.0  # times as long as the fetches need
WORST_LAG = 150.0  # ms
SPARE_FILES = 256  # the crawler keeps so many open files for what is no connection
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def main() -> int:
    """Fetch them; the exit code is 0 when all were done at the full concurrency, and in time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fetches", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=5000)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--built-in-site", action="store_true")
    options = parser.parse_args()
    _check_limits(options.concurrency)
    with tempfile.TemporaryDirectory(prefix="crawler-thousands-") as scratch:
        log = Path(scratch) / "requests.jsonl"
        with _server(options, log) as urls:
            fetched = _fetch(urls, Path(scratch), options.concurrency)
        hits = [hit for hit in read_log(log) if hit.target != "/robots.txt"]  # the server has ended: all is written
    title = f"thousands: {options.fetches:,} fetches of {options.latency:g} s, --concurrency {options.concurrency:,}"
    return verdict(title, _claims(options, hits, fetched))


def _check_limits(concurrency: int) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < concurrency + SPARE_FILES:
        print(f"ulimit -Hn is {files}: raise it to {concurrency + SPARE_FILES}, or lower --concurrency")
        sys.exit(2)


@contextmanager
def _server(options: argparse.Namespace, log: Path) -> Iterator[list[str]]:
    if options.built_in_site:
        plan = SitePlan.plain(pages=options.fetches, latency=options.latency)
        with site_process(plan, log) as running:
            yield list(running.site.urls())
    else:
        with slow_server(options.latency, log) as base_url:
            yield [f"{base_url}/{number}" for number in range(options.fetches)]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The crawler's own figures, and the time of the whole command."""

    summary: Summary
    seconds: float
    cpu: float
    connections: int
    worst_lag: float


def _fetch(urls: list[str], scratch: Path, concurrency: int) -> Fetched:
    listed = scratch / "urls.txt"
    listed.write_text("".join(f"{url}\n" for url in urls), "utf-8")
    began = time.monotonic()
    folder = scratch / "run"
    with watched("fetch", str(listed), "-o", str(folder), "--concurrency", str(concurrency)) as program:
        worst_lag = max((moment.worst_lag for moment in program.follow()), default=0.0)
        summary, seconds = program.end(), time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of children that have ended: the server has not
    lines = map(json.loads, (folder / "pages.jsonl").read_bytes().splitlines())
    connections = sum(line["timing"]["connect"] is not None for line in lines)
    return Fetched(summary, seconds, used.ru_utime + used.ru_stime, connections, worst_lag)


def _claims(options: argparse.Namespace, hits: list[Hit], fetched: Fetched) -> list[Claim]:
    ideal = options.fetches / options.concurrency * options.latency
    phase = max((hit.ended for hit in hits), default=inf) - min((hit.started for hit in hits), default=0)
    return [
        exactly("fetched", options.fetches, fetched.summary.done),
        exactly("requests that the server saw", options.fetches, len(hits)),
        exactly("most in flight at once, as the server saw it", options.concurrency, most_at_once(hits)),
        figure("seconds that they need: fetches / concurrency x latency", ideal),
        at_most("seconds, first request in to last answer out", ideal * SLOWEST, phase),
        figure("seconds, the whole command", fetched.seconds),
        figure("CPU seconds of the crawler", fetched.cpu),
        figure("connections opened for them", fetched.connections),
        figure("peak memory, MiB", fetched.summary.peak_rss_mb),
        at_most("worst lag of the event loop, ms", WORST_LAG, fetched.worst_lag * 1000),
        figure("open files allowed (ulimit -Hn)", resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        figure("ports for connections out", _ports()),
    ]


def _ports() -> str:
    if not PORTS.exists():
        return "unknown"
    first, last = map(int, PORTS.read_text("ascii").split())
    return f"{last - first + 1:,}"


if __name__ == "__main__":
    sys.exit(main())
