"""Is every host asked as it wishes, judged from the server's side; and does nobody pay for another's slowness?

Run with: python benchmarks/politeness.py [--only wishes|rate|broad|neighbours] [--rounds N]
- wishes: the built-in site with 50 hosts of different Crawl-delay, some of whose pages answer 429 or 503 with
  Retry-After, under several delays and limits: not one request early, in a rest, or above the limit.
- rate: 1,000 hosts, each asked every two seconds: all of them together as quickly as that allows.
- broad: 5,000 hosts, each asked once a second, for a minute: 2,000 pages a second, or nearly all that the delays allow.
- neighbours: 50 quick hosts alone, and beside one that answers after 15 s and one that is dead.
A request is early if it arrives more than TOLERANCE before its moment: what the server notes is when it came to read a
request, and on a busy machine that is now and then later than the request came.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.measured import cpu_of_children, measured
from benchmarks.support.programs import audit, crawler, planned_site
from benchmarks.support.slow_server import slow_server, slow_servers
from benchmarks.support.tables import Claim, at_most, exactly, figure, mark, show, verdict
from crawler.site.log import Hit, most_at_once, read_log
from crawler.site.plan import Shares, SitePlan

TOLERANCE = 0.02
ENOUGH = 2000.0  # pages per second of broad
CRAWLER = (sys.executable, "-m", "crawler")
DELAYS = (0.0, 0.05, 0.1, 0.2, 0.5)
SHARES = Shares(retry_after=0.05, redirects=0.05)
WAYS = ({"per-host": 1}, {"per-host": 3, "delay": 0.15}, {"per-host": 8, "rate": 300})


def main() -> int:
    """Show each part; the exit code is 0 when every claim holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("wishes", "rate", "broad", "neighbours"))
    parser.add_argument("--rounds", type=int, default=3, help="of neighbours")
    parser.add_argument("--hosts", type=int, default=5000, help="of broad")
    parser.add_argument("--delay", type=float, default=1.0, help="of broad: seconds between two requests to a host")
    parser.add_argument("--seconds", type=float, default=60.0, help="of broad: after them no request begins")
    options = parser.parse_args()
    parts = {
        "wishes": _wishes,
        "rate": _rate,
        "broad": lambda folder: _broad(folder, options.hosts, options.delay, options.seconds),
        "neighbours": lambda folder: _neighbours(folder, options.rounds),
    }
    codes = []
    for name, part in parts.items():
        if options.only in {None, name}:
            with tempfile.TemporaryDirectory(prefix="crawler-politeness-") as folder:
                codes.append(part(Path(folder)))
    return max(codes)


# --- what each host wishes ----------------------------------------------------------------------------------------


def _wishes(folder: Path) -> int:
    rows = [_one_way(folder / str(number), way) for number, way in enumerate(WAYS)]
    head = (
        "options",
        "requests",
        "early",
        "most early ms",
        "in a rest",
        "rests",
        "most at once",
        "limit",
        "verify",
        "",
    )
    show("politeness: 50 hosts with Crawl-delay 0 to 0.5 s and pages that answer Retry-After", head, rows)
    return int(any(row[-1] != mark(holds=True) for row in rows))


def _one_way(folder: Path, way: dict[str, float]) -> tuple[object, ...]:
    folder.mkdir()
    log, run = folder / "log", folder / "run"
    plan = SitePlan(pages=40, hosts=50, crawl_delays=DELAYS * 10, shares=SHARES, largest=4000)
    options = [text for name, value in way.items() for text in (f"--{name}", str(value))]
    with planned_site(plan, log=log) as site:
        seeds = [f"{base}/" for base in site.base_urls]
        done = crawler("crawl", *seeds, "-o", str(run), *options)
    hits = [sorted(hits, key=lambda hit: hit.started) for hits in _by_host(read_log(log), plan.hosts)]
    limit = int(way["per-host"])
    late = [_earliness(own, max(way.get("delay", 0.0), DELAYS[host % len(DELAYS)])) for host, own in enumerate(hits)]
    early = [seconds for shortfalls in late for seconds in shortfalls]
    rests = [hit for own in hits for hit in own if hit.status in {429, 503}]
    broken = sum(_within_rests(own) for own in hits)
    peak = max(map(most_at_once, hits))
    count, code = sum(seconds > TOLERANCE for seconds in early), audit(run)
    holds = count == 0 and broken == 0 and peak <= limit and code == 0 and done.summary.pending == 0
    shown = " ".join(f"--{name} {value:g}" for name, value in way.items())
    worst = f"{1000 * max(early, default=0.0):.1f}"
    return shown, sum(map(len, hits)), count, worst, broken, len(rests), peak, limit, code, mark(holds=holds)


def _by_host(hits: Iterable[Hit], hosts: int) -> list[list[Hit]]:
    found: list[list[Hit]] = [[] for _ in range(hosts)]
    for hit in hits:
        found[hit.host].append(hit)
    return found


def _earliness(hits: Sequence[Hit], delay: float) -> list[float]:
    """Return the seconds by which requests came too early; only those that were early at all."""
    gaps = [later.started - earlier.started for earlier, later in pairwise(hits)]
    return [delay - gap for gap in gaps if gap < delay]


def _within_rests(hits: Sequence[Hit]) -> int:
    """Requests within the second for which an answer asked to be left alone; what was on its way does not count."""
    rests = [hit.ended for hit in hits if hit.status in {429, 503}]
    return sum(any(end + TOLERANCE < hit.started < end + 1.0 - TOLERANCE for end in rests) for hit in hits)


# --- as quickly as that allows ------------------------------------------------------------------------------------


def _rate(folder: Path) -> int:
    hosts, delay, pages = 1000, 2.0, 25
    asked = _ask(folder, hosts, pages, ["--delay", str(delay)])
    ideal = pages * delay  # robots.txt first, then a page after each delay
    share = ideal / asked.seconds
    return verdict(
        f"politeness: {hosts:,} hosts, each asked every {delay:g} s; robots.txt and {pages} pages of each",
        [
            exactly("pages", hosts * pages, asked.done),
            exactly("requests", hosts * (pages + 1), asked.requests),
            exactly("requests that came early", 0, asked.early(delay)),
            figure("seconds at the least: pages x delay", ideal),
            figure("seconds, first to last request", asked.seconds),
            figure("requests per second", asked.requests / asked.seconds),
            Claim("share of the most that the delays allow", ">= 95 %", f"{100 * share:.1f} %", share >= 0.95),
            exactly("exit code of verify", 0, asked.code),
        ],
    )


def _broad(folder: Path, hosts: int, delay: float, seconds: float) -> int:
    """Ask many hosts for so many seconds: the list has a page for each delay, and `--max-time` ends the run."""
    pages = max(1, round(seconds / delay))
    asked = _ask(folder, hosts, pages, ["--delay", str(delay), "--max-time", str(seconds)])
    rate, allowed = asked.pages / asked.seconds, hosts / delay
    return verdict(
        f"politeness: {hosts:,} hosts, each asked every {delay:g} s, for {seconds:g} s; robots.txt first",
        [
            exactly("requests that came early", 0, asked.early(delay)),
            figure("hosts that were asked", sum(map(bool, asked.by_host))),
            figure("pages", asked.pages),
            figure("pages per second that the delays allow", allowed),
            Claim(
                "pages per second, first to last request",
                f">= {ENOUGH:,.0f}, or 95 % of these",
                f"{rate:,.0f}, {100 * rate / allowed:.1f} %",
                rate >= min(ENOUGH, 0.95 * allowed),
            ),
            figure("CPU us per page of the crawler", asked.cpu * 1e6 / max(1, asked.pages)),
            figure("CPU us per page of the hosts", asked.hosts_cpu * 1e6 / max(1, asked.pages)),
            exactly("exit code of verify", 0, asked.code),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A list that was fetched from many hosts, as the hosts saw it.

    Attributes:
        cpu: CPU seconds of the crawler, and `hosts_cpu` those of the server.
        code: the exit code of verify.
    """

    by_host: list[list[Hit]]
    done: int
    cpu: float
    hosts_cpu: float
    code: int

    @property
    def requests(self) -> int:
        return sum(map(len, self.by_host))

    @property
    def pages(self) -> int:
        return sum(hit.status == 200 for own in self.by_host for hit in own)

    @property
    def seconds(self) -> float:
        """Return the time from the first request to the last."""
        moments = [hit.started for own in self.by_host for hit in own]
        return max(moments) - min(moments)

    def early(self, delay: float) -> int:
        """Return how many requests came too early."""
        return sum(seconds > TOLERANCE for own in self.by_host for seconds in _earliness(own, delay))


def _ask(folder: Path, hosts: int, pages: int, options: list[str]) -> _Asked:
    """Fetch so many pages of each host, one of each in turn."""
    log, run, listed = folder / "log", folder / "run", folder / "urls.txt"
    before = cpu_of_children()
    with slow_servers(0.01, log, hosts) as bases:
        with listed.open("w", encoding="ascii") as file:
            file.writelines(f"{base}/{page}\n" for page in range(pages) for base in bases)
        cost = measured([*CRAWLER, "fetch", str(listed), "-o", str(run), *options, "--quiet"], folder)
        if cost.code not in {0, 1}:
            sys.exit(f"exit {cost.code}: {cost.said}")
    hosts_cpu = cpu_of_children() - before - cost.cpu
    by_host = [sorted(own, key=lambda hit: hit.started) for own in _by_host(read_log(log), hosts)]
    done = sum(line.startswith(b"{") for line in (run / "pages.jsonl").open("rb"))
    return _Asked(by_host, done, cost.cpu, hosts_cpu, audit(run))


# --- beside slow and dead ones ------------------------------------------------------------------------------------


def _neighbours(folder: Path, rounds: int) -> int:
    alone, beside, given_up, dead_host = [], [], [], ""
    for number in range(rounds):
        alone.append(_quick_rate(folder / f"alone-{number}", []))
        with slow_server(15.0, folder / f"slow-{number}.log") as slow, _closed_port() as dead:
            dead_host = dead.removeprefix("http://")
            others = [f"{base}/{page}" for page in range(100) for base in (slow, dead)]
            beside.append(_quick_rate(folder / f"beside-{number}", others))
        given_up.append(_given_up(folder / f"beside-{number}" / "run", dead_host))
    share = statistics.median(beside) / statistics.median(alone)
    return verdict(
        f"politeness: 50 quick hosts alone, and beside one that takes 15 s and one that is dead; {rounds} rounds",
        [
            figure("pages per second of the quick ones, alone", statistics.median(alone)),
            figure("the same beside the other two", statistics.median(beside)),
            Claim("share of it", ">= 95 %", f"{100 * share:.1f} %", share >= 0.95),
            at_most("seconds until the dead one was given up, at the most", 60.0, max(s for s, _ in given_up)),
            exactly("named as", {"connect_refused"}, {cause for _, cause in given_up}),
        ],
    )


def _quick_rate(folder: Path, others: list[str]) -> float:
    """Pages per second of 50 quick hosts, as they saw it."""
    folder.mkdir()
    log, listed = folder / "log", folder / "urls.txt"
    with slow_servers(0.02, log, 50) as bases:
        quick = [f"{base}/{page}" for page in range(160) for base in bases]
        listed.write_text("".join(f"{url}\n" for url in others + quick), "utf-8")
        crawler("fetch", str(listed), "-o", str(folder / "run"))
    hits = [hit for hit in read_log(log) if hit.status == 200]
    return len(hits) / (max(hit.ended for hit in hits) - min(hit.started for hit in hits))


def _given_up(run: Path, host: str) -> tuple[float, str]:
    """Seconds from the first line of the run to the last of the dead host, and why it is down."""
    lines = [json.loads(line) for line in (run / "pages.jsonl").read_bytes().splitlines()]
    moments = [datetime.fromisoformat(line["fetched_at"]) for line in lines]
    last = max(at for at, line in zip(moments, lines, strict=True) if host in line["url"])
    command = [*CRAWLER, "hosts", str(run), "--json"]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    rows = told["hosts"] if isinstance(told, dict) else told
    return (last - min(moments)).total_seconds(), next(row["down"] for row in rows if row["host"] == host)


@contextmanager
def _closed_port() -> Iterator[str]:
    """A port where nobody listens, and nobody else will: it is bound all the while."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


if __name__ == "__main__":
    sys.exit(main())
