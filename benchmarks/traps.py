"""Sites without end: does a crawl with default options end by itself, tell why, and lose no real page?

Run with: python benchmarks/traps.py [--only NAME ...] [--honest PAGES]
A small server in a process of its own, one trap after the other: calendars of months and of days, endless in both
directions, in the path and in the query; pages that give every link a new session id; a list whose filters come in any
order, and one with too many filters; relative links that nest (`a/a/a/...`); a maze of random names, which ends at the
250,000 URLs that one host may have; redirects and refreshes without end. In each of them a small real site is hidden,
some of it behind the trap. The last row is a real site of 50,000 pages on one host, of which nothing may be refused.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.programs import Run, audit, crawler, planned_site
from benchmarks.support.tables import mark, show
from benchmarks.support.truth import Truth
from crawler.core.reasons import Reason
from crawler.site.plan import Shares, SitePlan
from support.trap_site import TRAPS, Trap, real_pages, trap_sites

HONEST = "honest"
HEAD = ("site", "exit", "ended", "fetched", "refused", "seconds", "MiB", "first of the refused", "real", "lost")
HEAD_LAST = ("verify", "")
WIDEST = 48


def main() -> int:
    """Crawl each; the exit code is 0 when all ended by themselves and nothing real is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=[*TRAPS, HONEST], default=[*TRAPS, HONEST], metavar="NAME")
    parser.add_argument("--honest", type=int, default=50_000, metavar="PAGES", help="of the real site")
    options = parser.parse_args()
    crawls: dict[str, Callable[[Path], tuple[object, ...]]] = {name: partial(_trap, name) for name in TRAPS}
    crawls[HONEST] = partial(_honest, options.honest)
    rows = []
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="crawler-traps-") as folder:
            rows.append(crawls[name](Path(folder) / "run"))
            print(f"{name}: {rows[-1][5]:.1f} s", file=sys.stderr)
    show("traps: crawler crawl, default options", HEAD + HEAD_LAST, rows)
    return int(any(row[-1] != mark(holds=True) for row in rows))


def _trap(name: str, folder: Path) -> tuple[object, ...]:
    trap = TRAPS[name]
    with trap_sites(name) as base_urls:
        run = crawler("crawl", f"{base_urls[name]}/", "-o", str(folder))
    found = real_pages(line["title"] for line in _lines(folder))
    return _row(name, run, folder, (trap.real, trap.real - found), holds=_is_told(trap, run))


def _is_told(trap: Trap, run: Run) -> bool:
    """Return whether the trap was refused for its own reasons, with examples, before the server lost its patience."""
    summary = run.summary
    is_told = set(summary.skipped) == set(summary.examples) == trap.refused and not summary.failed
    return is_told and run.code == int(Reason.HOP_LIMIT in trap.refused) and summary.done < trap.patience


def _honest(pages: int, folder: Path) -> tuple[object, ...]:
    plan = SitePlan(pages=pages, shares=Shares(), loops=False, largest=2000)
    with planned_site(plan) as site:
        truth = Truth(site)
        run = crawler("crawl", *truth.fronts, "-o", str(folder))
    lost = truth.reached(truth.fronts, lambda _: True).keys() - {line["url"] for line in _lines(folder)}
    refused = [reason for reason in run.summary.skipped if reason.startswith("trap_")]
    return _row(HONEST, run, folder, (pages, len(lost)), holds=run.code == 0 and not refused)


def _lines(folder: Path) -> Iterator[dict[str, object]]:
    with (folder / "pages.jsonl").open("rb") as lines:
        yield from map(json.loads, lines)


def _row(name: str, run: Run, folder: Path, real: tuple[int, int], *, holds: bool) -> tuple[object, ...]:
    summary = run.summary
    refused = {**summary.skipped, **summary.failures}
    told = ", ".join(f"{reason} {n:,}" for reason, n in refused.items())
    example = next(iter(summary.examples.values()), [""])[0].partition("//")[2].partition("/")[2]
    is_over = summary.stopped_by is None and not summary.pending
    code = audit(folder)
    return (
        *(name, run.code, "by itself" if is_over else summary.stopped_by or "with URLs pending"),
        *(summary.done + summary.failed, told, run.seconds, summary.peak_rss_mb, f"/{example}"[:WIDEST], *real, code),
        mark(holds=holds and is_over and not real[1] and code == 0),
    )


if __name__ == "__main__":
    sys.exit(main())
