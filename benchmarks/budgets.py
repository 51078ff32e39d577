"""`--max-pages 100`: are there exactly 100 lines, whatever is in flight when the hundredth is written?

Run with: python benchmarks/budgets.py [--max-pages N] [--concurrency N ...] [--pages N]
The built-in site in its own process, with all its redirects, 404s, slow and failing pages and what robots.txt forbids;
its list is fetched under a budget, and resumed under half as much again. Each time the lines are counted.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.programs import audit, built_in_site, crawler
from benchmarks.support.tables import mark, show
from crawler.site.plan import SitePlan
from crawler.site.truth import Site

HEAD = ("concurrency", "asked", "lines", "URLs", "resumed for", "lines", "URLs", "pending", "verify", "")


def main() -> int:
    """Fetch under a budget at each concurrency; the exit code is 0 when every count is exact."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--max-pages", type=int, default=100)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 64, 1000])
    parser.add_argument("--pages", type=int, default=2000, help="of the site")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="crawler-budgets-") as name,
        built_in_site("--pages", str(options.pages)) as base_urls,
    ):
        listed = Path(name) / "urls.txt"
        urls = Site(SitePlan(pages=options.pages), base_urls).urls()
        listed.write_text("".join(f"{url}\n" for url in urls), "utf-8")
        rows = [_row(listed, concurrency, options.max_pages) for concurrency in options.concurrency]
    show(f"budgets: crawler fetch --max-pages {options.max_pages}, a list of {options.pages:,} pages", HEAD, rows)
    return int(any(row[-1] != mark(holds=True) for row in rows))


def _row(listed: Path, concurrency: int, pages: int) -> tuple[object, ...]:
    folder = listed.with_name(f"run-{concurrency}")
    more = pages + pages // 2
    crawler("fetch", str(listed), "-o", str(folder), "--concurrency", str(concurrency), "--max-pages", str(pages))
    first = _lines(folder)
    resumed = crawler("resume", str(folder), "--max-pages", str(more))
    second = _lines(folder)
    code = audit(folder)
    holds = first == (pages, pages) and second == (more, more) and code == 0
    return concurrency, pages, *first, more, *second, resumed.summary.pending, code, mark(holds=holds)


def _lines(folder: Path) -> tuple[int, int]:
    """Lines of output, and how many different URLs are in them."""
    urls = [json.loads(line)["url"] for line in (folder / "pages.jsonl").read_bytes().splitlines()]
    return len(urls), len(set(urls))


if __name__ == "__main__":
    sys.exit(main())
