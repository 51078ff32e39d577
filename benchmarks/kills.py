"""`kill -9` at random moments: is anything lost, doubled, wrong, parked or left running, and how much is fetched again?

Run with: python benchmarks/kills.py [--kills N] [--pages N] [--concurrency N ...] [--seed N]
For each concurrency, pages of the built-in site are fetched; the crawler's whole process group is killed at random
moments of its lives and the run resumed, until it is done. Runs follow one another until there were `--kills` kills:
12 for each concurrency by default, about two minutes in all; the full form is `--kills 50`. The site outlives all
kills. Its log says what was fetched again, its truth what every page's bytes must be.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.tables import mark, show
from crawler.site.plan import SitePlan
from support.faults import Account, RunningSite, killed_run, site_process

WAITING = 1500  # the inbox and one group: fetched, but not committed yet
HEAD = ("concurrency", "runs", "kills", "lost", "twice", "wrong", "parked", "orphans")
HEAD_AGAIN = ("most again", "bound", "audits not clean", "")
LATENCY = 0.002


@dataclass(slots=True)
class Row:
    """All runs at one concurrency."""

    concurrency: int
    accounts: list[Account] = field(default_factory=list)
    audits: list[int] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How often a run was killed so far."""
        return sum(account.kills for account in self.accounts)

    @property
    def bound(self) -> int:
        """What a kill may cost: in flight, in the inbox, and in one group."""
        return self.concurrency + WAITING

    @property
    def most_again(self) -> int:
        """The most that was fetched again after one kill."""
        return max((most for account in self.accounts for most in account.refetched), default=0)

    @property
    def holds(self) -> bool:
        """Nothing went wrong, and no kill cost more than it may."""
        clean = all(account.is_clean for account in self.accounts) and not any(self.audits)
        return clean and self.most_again <= self.bound

    def cells(self) -> tuple[object, ...]:
        """The row of the table."""
        sums = (sum(getattr(account, name) for account in self.accounts) for name in HEAD[2:])
        unclean = sum(code != 0 for code in self.audits)
        return self.concurrency, len(self.accounts), *sums, self.most_again, self.bound, unclean, mark(holds=self.holds)


def main() -> int:
    """Kill and resume at each concurrency; the exit code is 0 when nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=12, help="for each concurrency")
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 64, 1000])
    parser.add_argument("--seed", type=int, default=1, help="another seed kills at other moments")
    options = parser.parse_args()
    rows = [_kill(options, concurrency) for concurrency in options.concurrency]
    show(
        f"kills: kill -9 while {options.pages:,} pages are fetched",
        HEAD + HEAD_AGAIN,
        [row.cells() for row in rows],
    )
    return int(not all(row.holds for row in rows))


def _kill(options: argparse.Namespace, concurrency: int) -> Row:
    """Runs at one concurrency until there were enough kills."""
    row = Row(concurrency)
    with tempfile.TemporaryDirectory(prefix="crawler-kills-") as scratch:
        plan = SitePlan.plain(pages=options.pages, latency=LATENCY)
        with site_process(plan, Path(scratch) / "requests.jsonl") as running:
            while row.kills < options.kills:
                _run(options, row, running, Path(scratch) / f"run-{len(row.accounts)}")
    return row


def _run(options: argparse.Namespace, row: Row, running: RunningSite, folder: Path) -> None:
    left = options.kills - row.kills
    longest = 6.0 if row.concurrency == 1 else 3.0  # seconds; a life must come to fetching, and not to its end
    seed = options.seed * 1000 + row.concurrency + len(row.accounts)
    account, audit = killed_run(running, folder, concurrency=row.concurrency, kills=left, longest=longest, seed=seed)
    row.accounts.append(account)
    row.audits.append(audit)


if __name__ == "__main__":
    sys.exit(main())
