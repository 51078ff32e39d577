"""A page that hangs, kills, starves or stops its worker costs one page, and is named."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from crawler.core.config import configure
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock
from support.crawls import crawl, records
from support.siteserver import HandMadeSite

FAULTS = {"hang": 8, "crash": 18, "memory": 18, "stop": 4, "raise": 2}
REASONS = {
    "hang": "parse_timeout",
    "crash": "parse_crash",
    "memory": "parse_memory",
    "stop": "parse_timeout",
    "raise": "extract_error",
}
PAGES = 500


def paths() -> list[str]:
    """500 pages, each tenth of which is bad."""
    bad = [f"/{number}/{fault}" for fault, count in FAULTS.items() for number in range(count)]
    good = [f"/page/{number}" for number in range(PAGES - len(bad) - 1)]
    for at, path in enumerate(bad):
        good.insert(at * len(good) // len(bad), path)
    return good


def workers() -> list[int]:
    """The worker processes that this one started and that are still there (Python's resource tracker is none)."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.timeout(240)
async def test_fifty_faults_in_five_hundred_pages(tmp_path: Path) -> None:
    """450 pages are right; each of 50 bad ones is archived and says what happened; nobody is left behind."""
    async with HandMadeSite() as site, HttpFetcher(configure({}).fetch, clock=SystemClock()) as fetcher:
        site.add_page("/", links=paths())
        for path in paths():
            site.add_page(path, f"<title>{path}</title>")
        started = time.monotonic()
        ending = await crawl(
            tmp_path,
            [site.url("/")],
            fetcher,
            command="crawl",
            workers=2,
            parse_timeout=0.5,
            extract="faults.culprits:act",
        )

    assert ending.totals.done == PAGES
    lines = {str(line["url"]): line for line in records(tmp_path)}
    assert len(lines) == PAGES
    for path in paths():
        line, fault = lines[site.url(path)], path.rpartition("/")[2]
        assert line["reason"] == REASONS.get(fault, "ok"), path
        assert line["data"] == (None if fault in REASONS else {"path": site.url(path)})
        assert line["bytes"] == len(f"<title>{path}</title>")
    assert Counter(str(line["reason"]) for line in lines.values())["ok"] == PAGES - sum(FAULTS.values())
    assert workers() == []
    assert time.monotonic() - started < 120
