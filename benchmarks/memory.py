"""A crawl of 200,000 pages: does the main process's memory stay flat? And 200 documents of 15 MiB: is it bounded?

Run with: python benchmarks/memory.py [--pages N] [--hosts N] [--concurrency N] [--documents N]
The built-in site in its own process: only pages that answer 200, small ones (1.7 KB), so that what is remembered of
each URL counts for more than its body. The crawl follows links from the front pages, and a page leads to eight others:
after a quarter of the pages nearly all URLs are known. The main process tells its resident memory four times a second;
twelve moments are printed, evenly spread over the pages. Flat means that the last three quarters add next to nothing.
Worker processes are not counted.

The large documents are HTML of text, the same in chunks, HTML of links alone, and 60 MiB of text under gzip (of these
two a quarter as many: they take longest), each kept in a file; the server is support/large_server.py. With the
default options 200 are asked for at once, and all of them would be 3 GB. The main process may have at most 400 MiB at
its peak; that of all processes together is reported, and counts what they share for each.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.large_server import KINDS, large_server
from benchmarks.support.measured import measured
from benchmarks.support.programs import audit, planned_site
from benchmarks.support.tables import Claim, at_most, exactly, figure, show, verdict
from benchmarks.support.watched import Moment, watched
from crawler.report.summary import Summary
from crawler.site.plan import SitePlan

POINTS = 12
GROWTH_MB = 20.0  # MiB
LARGE_MB = 400.0  # MiB


def main() -> int:
    """Crawl and look at the memory; the exit code is 0 when it stayed flat and no page is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=200_000, help="of all hosts")
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--documents", type=int, default=200, help="of 15 MiB, of each kind")
    options = parser.parse_args()
    flat = _flat(options) if options.pages else 0
    return max(flat, _bounded(options.documents) if options.documents else 0)


def _flat(options: argparse.Namespace) -> int:
    plan = replace(SitePlan.plain(pages=options.pages // options.hosts, hosts=options.hosts), largest=500)
    with tempfile.TemporaryDirectory(prefix="crawler-memory-") as name:
        folder = Path(name) / "run"
        with planned_site(plan) as site:
            seeds = [f"{base_url}/" for base_url in site.base_urls]
            told = ["-o", str(folder), "--concurrency", str(options.concurrency)]
            moments, summary = _crawl("crawl", *seeds, *told)
        claims = _claims(plan.pages * plan.hosts, moments, summary, audit(folder))
    pages = [(moment.finished, moment.seconds, moment.rss_mb) for moment in _spread(moments)]
    show("memory: resident memory of the main process", ("pages", "seconds", "MiB", ""), [(*row, "") for row in pages])
    return verdict(f"memory: crawler crawl --concurrency {options.concurrency}, {options.hosts} hosts", claims)


def _bounded(documents: int) -> int:
    claims = []
    with large_server() as base_url:
        for kind in KINDS:
            count = documents if kind in {"text", "chunked"} else documents // 4
            with tempfile.TemporaryDirectory(prefix="crawler-memory-") as name:
                claims += _large(kind, [f"{base_url}/{kind}/{number}" for number in range(count)], Path(name))
    return verdict("memory: crawler fetch --save files, documents of 15 MiB", claims)


def _large(kind: str, urls: list[str], folder: Path) -> list[Claim]:
    (folder / "list").write_text("\n".join(urls), "ascii")
    told = ["fetch", str(folder / "list"), "-o", str(folder / "run"), "--save", "files", "--quiet"]
    cost = measured([sys.executable, "-m", "crawler", *told], folder)
    if cost.code not in {0, 1}:  # 1: not all links of a document that has 250,000 are taken
        sys.exit(f"exit {cost.code}: crawler {' '.join(told)}: {cost.said}")
    summary = msgspec.json.decode((folder / "run" / "summary.json").read_bytes(), type=Summary)
    return [
        exactly(f"{kind}: pages fetched", len(urls), summary.done),
        at_most("  peak of the main process, MiB", LARGE_MB, summary.peak_rss_mb),
        figure("  peak of all processes, MiB", cost.peak_mb),
        figure("  seconds", cost.seconds),
    ]


def _crawl(*command: str) -> tuple[list[Moment], Summary]:
    with watched(*command) as program:
        moments = list(program.follow())
        return moments, program.end()


def _spread(moments: list[Moment]) -> list[Moment]:
    """So many moments, with as many pages between each two of them as between the others."""
    last = moments[-1].finished
    wanted = [round(last * point / POINTS) for point in range(1, POINTS + 1)]
    return [next(moment for moment in moments if moment.finished >= pages) for pages in wanted]


def _claims(pages: int, moments: list[Moment], summary: Summary, code: int) -> list[Claim]:
    last = moments[-1].finished
    quarter = next(moment for moment in moments if moment.finished >= last / 4)
    later = max(moment.rss_mb for moment in moments if moment.seconds >= quarter.seconds)
    return [
        exactly("pages fetched", pages, summary.done),
        figure("MB of bodies (10^6 bytes)", summary.bytes / 1e6),
        figure("seconds", moments[-1].seconds),
        figure("pages per second", last / moments[-1].seconds),
        figure("MiB when the first page was written", next(m.rss_mb for m in moments if m.finished)),
        figure("MiB after a quarter of the pages", quarter.rss_mb),
        figure("most MiB in the other three quarters", later),
        figure("  bytes for each page more", (later - quarter.rss_mb) * 1024 * 1024 / (last * 0.75)),
        at_most("growth in them, MiB", GROWTH_MB, later - quarter.rss_mb),
        figure("worst lag of the event loop, ms", max(moment.worst_lag for moment in moments) * 1000),
        exactly("exit code of verify", 0, code),
    ]


if __name__ == "__main__":
    sys.exit(main())
