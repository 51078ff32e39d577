"""`kill -9` at random moments: is anything lost, doubled, wrong, parked or left running, and how much is fetched again?

Run with: python benchmarks/kills.py [--crawl] [--kills N] [--pages N] [--concurrency N ...] [--seed N]
For each concurrency, pages of the built-in site are fetched; the crawler's whole process group is killed at random
moments of its lives and the run resumed, until it is done. Runs follow one another until there were `--kills` kills:
12 for each concurrency by default, about two minutes in all; the full form is `--kills 50`. The site outlives all
kills. Its log says what was fetched again, its truth what every page's bytes must be.
`--crawl` follows links instead, over a site of 20,000 pages with redirects, 404s, copies and pages that fail at first,
killed 20 times. The main process alone is killed, so its worker processes have to notice. In the end the output must
also be, line for line, that of a crawl that nobody disturbed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.programs import crawler, planned_site
from benchmarks.support.tables import mark, show
from crawler.site.plan import SitePlan
from support.faults import Account, RunningSite, killed_run, site_process

WAITING = 1500  # the inbox and one group: fetched, but not committed yet
HEAD = ("concurrency", "runs", "kills", "lost", "twice", "wrong", "parked", "orphans")
HEAD_AGAIN = ("most again", "bound", "audits not clean", "other lines", "")
LATENCY = 0.002


@dataclass(slots=True)
class Row:
    """All runs at one concurrency; `others` = lines that differ from those of a crawl that nobody disturbed."""

    concurrency: int
    accounts: list[Account] = field(default_factory=list)
    audits: list[int] = field(default_factory=list)
    others: int = 0

    @property
    def kills(self) -> int:
        """Return how often a run was killed so far."""
        return sum(account.kills for account in self.accounts)

    @property
    def bound(self) -> int:
        """Return the requests that a kill may cost: those in flight, in the inbox, and in one group."""
        return self.concurrency + WAITING

    @property
    def most_again(self) -> int:
        """The most that was fetched again after one kill."""
        return max((most for account in self.accounts for most in account.refetched), default=0)

    @property
    def holds(self) -> bool:
        """Nothing went wrong, and no kill cost more than it may."""
        clean = all(account.is_clean for account in self.accounts) and not any(self.audits) and not self.others
        return clean and self.most_again <= self.bound

    def cells(self) -> tuple[object, ...]:
        """The row of the table."""
        sums = (sum(getattr(account, name) for account in self.accounts) for name in HEAD[2:])
        unclean = sum(code != 0 for code in self.audits)
        again = (self.most_again, self.bound)
        return self.concurrency, len(self.accounts), *sums, *again, unclean, self.others, mark(holds=self.holds)


def main() -> int:
    """Kill and resume at each concurrency; the exit code is 0 when nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--crawl", action="store_true", help="follow links, instead of a list")
    parser.add_argument("--kills", type=int, help="for each concurrency; 12, of a crawl 20")
    parser.add_argument("--pages", type=int, help="5,000, of a crawl 20,000")
    parser.add_argument("--concurrency", type=int, nargs="+", help="1, 64 and 1,000; of a crawl 64")
    parser.add_argument("--seed", type=int, default=1, help="another seed kills at other moments")
    options = parser.parse_args()
    kills, pages, concurrency = (20, 20_000, [64]) if options.crawl else (12, 5000, [1, 64, 1000])
    options.kills, options.pages = options.kills or kills, options.pages or pages
    rows = [_kill(options, concurrency) for concurrency in options.concurrency or concurrency]
    show(
        f"kills: kill -9 while {options.pages:,} pages are {'crawled' if options.crawl else 'fetched'}",
        HEAD + HEAD_AGAIN,
        [row.cells() for row in rows],
    )
    return int(not all(row.holds for row in rows))


def _kill(options: argparse.Namespace, concurrency: int) -> Row:
    """Runs at one concurrency until there were enough kills."""
    row = Row(concurrency)
    with tempfile.TemporaryDirectory(prefix="crawler-kills-") as name:
        scratch = Path(name)
        with _site(options, scratch / "requests.jsonl") as running:
            while row.kills < options.kills:
                _run(options, row, running, scratch / f"run-{len(row.accounts)}")
            if options.crawl:
                row.others = _others(running, scratch, row)
    return row


@contextmanager
def _site(options: argparse.Namespace, log: Path) -> Iterator[RunningSite]:
    if not options.crawl:
        with site_process(SitePlan.plain(pages=options.pages, latency=LATENCY), log) as running:
            yield running
        return
    plan = SitePlan(pages=options.pages, latency=LATENCY, loops=False, slow_seconds=0.1)
    with planned_site(plan, log=log) as site:
        yield RunningSite(site, log)


def _run(options: argparse.Namespace, row: Row, running: RunningSite, folder: Path) -> None:
    left = options.kills - row.kills
    # Seconds; a life must come to fetching, and not to its end. A crawl starts worker processes, too.
    longest = 6.0 if row.concurrency == 1 or options.crawl else 3.0
    seed = options.seed * 1000 + row.concurrency + len(row.accounts)
    account, audit = killed_run(
        running, folder, concurrency=row.concurrency, kills=left, longest=longest, seed=seed, crawl=options.crawl
    )
    row.accounts.append(account)
    row.audits.append(audit)


def _others(running: RunningSite, scratch: Path, row: Row) -> int:
    """Lines of the killed runs and of an undisturbed one that are not in both."""
    undisturbed = scratch / "undisturbed"
    crawler("crawl", running.site.base_urls[0] + "/", "-o", str(undisturbed), "--concurrency", str(row.concurrency))
    lines = _lines(undisturbed)
    return sum(len(lines ^ _lines(scratch / f"run-{number}")) for number in range(len(row.accounts)))


def _lines(folder: Path) -> set[tuple[object, ...]]:
    """Return the lines of a run by URL, without the way and the moment of each, which may differ."""
    found = map(json.loads, (folder / "pages.jsonl").read_bytes().splitlines())
    names = ("url", "outcome", "status", "reason", "content_type", "charset", "bytes", "sha256", "title", "links")
    return {tuple(line[name] for name in (*names, "redirect_to")) for line in found}


if __name__ == "__main__":
    sys.exit(main())
