"""The built-in site, crawled in many ways: does every URL end as the site's own truth says?

Run with: python benchmarks/site_truth.py [--hosts N] [--pages-per-host N] [--serial-pages-per-host N]
                                          [--frontier [DSN]] [--workers 1,2,4]
A site of 50 hosts with 1,000 pages each and all that the built-in site has: redirects, 404s, copies, codings, charsets,
slow, busy and failing pages, what robots.txt forbids, binaries, loops. Its truth is worked out from its plan alone.
The whole site is crawled at several concurrencies, once with answers that come in the order of the questions and once
with latencies that shuffle them (each page its own, up to 50 ms); then under options that leave something out. Every
run meets the site in a new process at the same addresses, so pages that fail at first do so in every run. Each URL's
status, SHA-256 and title are compared, its depth too where `--max-depth` promises it; `digest` is of the whole set, so
runs of the same site that agree show it. At concurrency 1 the site has 100 pages per host, which bounds the time.
With `--frontier` each crawl is in a database, a private one by default, and so many workers share it: the lines of all
of their folders together are judged, and `verify` counts the faults in the database and between it and the folders.
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.programs import audit, crawler, planned_site
from benchmarks.support.shared import Place, add_options, folders_of, places
from benchmarks.support.tables import mark, show
from benchmarks.support.truth import Truth
from crawler.site.plan import SitePlan

SPREAD = 0.05  # seconds
SERIAL_SPREAD = 0.004
INCLUDE, EXCLUDE = r"/$|/(p|copy|redirect|coded|files)/", r"/redirect/\d+/2|[37]\.(html|bin)$"
BUDGET = 1000
HEAD = (
    "crawl",
    "workers",
    "in flight",
    "answers",
    "lines",
    "wanted",
    "missing",
    "extra",
    "twice",
    "wrong",
    "depth",
    "verify",
)
HEAD_LAST = ("seconds", "digest", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One crawl.

    Attributes:
        seeds: made from the truth; the front pages of all hosts by default.
        follows: whether a URL is followed, given the seeds and it.
        budget: so many lines exactly, whichever of the URLs they are; None = all.
    """

    name: str
    concurrency: int
    spread: float
    options: tuple[str, ...] = ()
    seeds: Callable[[Truth], list[str]] = lambda truth: truth.fronts
    follows: Callable[[list[str], str], bool] = lambda _seeds, _url: True
    max_depth: int | None = None
    budget: int | None = None


@dataclass(slots=True)
class Ground:
    """A site that every crawl meets anew at the same addresses, and its truth."""

    plan: SitePlan
    scratch: Path
    place: Place
    port: int = 0
    truth: Truth | None = None

    def crawl(self, case: Case) -> tuple[object, ...]:
        """Crawl, compare, and give a row of the table."""
        plan = replace(self.plan, latency_spread=case.spread)
        with planned_site(plan, port=self.port) as site:
            self.port = int(site.base_urls[0].rpartition(":")[2])
            if self.truth is None or self.truth.base_urls != site.base_urls:
                self.truth = Truth(site)
            return _row(case, self.truth, Path(tempfile.mkdtemp(dir=self.scratch)), self.place.fresh())


def main() -> int:
    """Crawl in each way; the exit code is 0 when every URL of every crawl is as the truth says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--pages-per-host", type=int, default=1000)
    parser.add_argument("--serial-pages-per-host", type=int, default=100, help="at concurrency 1")
    add_options(parser)
    options = parser.parse_args()
    plan = SitePlan(hosts=options.hosts, pages=options.pages_per_host, largest=4000, slow_seconds=0.5)
    serial = replace(plan, pages=min(options.serial_pages_per_host, plan.pages), slow_seconds=0.05)
    same: list[list[tuple[object, ...]]] = [[], []]
    partial: list[tuple[object, ...]] = []
    with (
        tempfile.TemporaryDirectory(prefix="crawler-site-truth-") as name,
        places(options.frontier, options.workers) as found,
    ):
        one, many = Ground(serial, Path(name), found[0]), Ground(plan, Path(name), found[0])
        for place in found:
            one.place = many.place = place
            same[0] += map(one.crawl, _serial())
            same[1] += map(many.crawl, _whole())
            partial += map(many.crawl, _partial())
    rows = [*same[0], *same[1], *partial]
    title = f"site_truth: {plan.hosts} hosts of {plan.pages:,} pages each; with one in flight, of {serial.pages:,}"
    show(title, HEAD + HEAD_LAST, rows)
    is_same = all(len({row[-2] for row in rows}) == 1 for rows in same)
    print(f"  whole crawls of the same site agree, line for line: {mark(holds=is_same)}\n", flush=True)
    return int(not is_same or any(row[-1] != mark(holds=True) for row in rows))


def _serial() -> list[Case]:
    return [
        Case(name="all front pages", concurrency=1, spread=0),
        Case(name="one front page, --scope all", concurrency=1, spread=SERIAL_SPREAD, **_FROM_ONE),
    ]


_FROM_ONE = {"options": ("--scope", "all"), "seeds": lambda truth: truth.fronts[:1]}


def _whole() -> Iterator[Case]:
    for concurrency in (64, 1000):
        for spread in (0, SPREAD):
            yield Case(name="all front pages", concurrency=concurrency, spread=spread)
        yield Case(name="one front page, --scope all", concurrency=concurrency, spread=SPREAD, **_FROM_ONE)


def _partial() -> list[Case]:
    patterns = ("--include", INCLUDE, "--exclude", EXCLUDE)
    return [
        Case(name="--max-depth 3", concurrency=1000, spread=SPREAD, options=("--max-depth", "3"), max_depth=3),
        Case(
            name="--scope all --max-depth 5",
            concurrency=64,
            spread=SPREAD,
            options=("--scope", "all", "--max-depth", "5"),
            seeds=lambda truth: truth.fronts[:1],
            max_depth=5,
        ),
        Case(
            name="--scope prefix",
            concurrency=64,
            spread=SPREAD,
            options=("--scope", "prefix"),
            seeds=_below_p,
            follows=lambda seeds, url: any(url.startswith(seed.rpartition("/")[0] + "/") for seed in seeds),
        ),
        Case(name="--include --exclude", concurrency=64, spread=SPREAD, options=patterns, follows=_matches),
        Case(
            name=f"--max-pages {BUDGET}",
            concurrency=1000,
            spread=SPREAD,
            options=("--max-pages", str(BUDGET)),
            budget=BUDGET,
        ),
    ]


def _below_p(truth: Truth) -> list[str]:
    """A page of each host whose folder is `/p/` and that leads on."""
    starts = tuple(f"{base_url}/p/" for base_url in truth.base_urls)
    found = {url.partition("/p/")[0]: url for url in reversed(truth.known) if url.startswith(starts)}
    return list(found.values())


def _matches(_seeds: list[str], url: str) -> bool:
    return bool(re.search(INCLUDE, url)) and not re.search(EXCLUDE, url)


def _row(case: Case, truth: Truth, scratch: Path, place: Place) -> tuple[object, ...]:
    seeds = case.seeds(truth)
    wanted = truth.reached(seeds, lambda url: case.follows(seeds, url), case.max_depth)
    listed, folder = scratch / "seeds.txt", scratch / "run"
    listed.write_text("".join(f"{seed}\n" for seed in seeds), "utf-8")
    told = ("-o", str(folder), "--concurrency", str(case.concurrency), "--allow-net", "127.0.0.0/8", *case.options)
    run = crawler("crawl", str(listed), *told, *place.options)
    folders = folders_of(folder)
    lines = [json.loads(line) for own in folders for line in (own / "pages.jsonl").read_bytes().splitlines()]
    faults = _faults(case, truth, wanted, lines)
    _tell(case, faults)
    asked = len(wanted) if case.budget is None else min(case.budget, len(wanted))
    code = audit(folder) if place.dsn is None else _problems(place, folders, is_over=case.budget is None)
    holds = len(lines) == asked and not any(faults.values()) and code == 0
    return (
        *(case.name, place.title, case.concurrency, "shuffled" if case.spread else "in order", len(lines), asked),
        *map(len, faults.values()),
        *(code, run.seconds, _digest(lines), mark(holds=holds)),
    )


def _problems(place: Place, folders: list[Path], *, is_over: bool) -> int:
    """Return the number of faults in the database; a spent budget leaves pending URLs, which are none."""
    found = [problem for problem in place.problems(folders) if is_over or "pending" not in problem]
    for problem in found[:3]:
        print(f"{place.run}, {place.title} workers: {problem}", file=sys.stderr)
    return len(found)


def _faults(
    case: Case, truth: Truth, wanted: dict[str, int], lines: list[dict[str, object]]
) -> dict[str, list[object]]:
    """The URLs that are missing, extra, twice, wrong, or at another depth than they should; in the table's order."""
    found = {line["url"]: line for line in lines}
    told = {url: (line["status"], line["sha256"], line["title"]) for url, line in found.items() if url in wanted}
    return {
        "missing": [url for url in wanted if url not in found and case.budget is None],
        "extra": [url for url in found if url not in wanted],
        "twice": [url for url, n in Counter(line["url"] for line in lines).items() if n > 1],
        "wrong": [f"{url} {answer}" for url, answer in told.items() if answer != truth.known[str(url)].told],
        "depth": [
            f"{url} {found[url]['depth']}, not {wanted[str(url)]}"
            for url in told
            if case.max_depth is not None and found[url]["depth"] != wanted[str(url)]
        ],
    }


def _tell(case: Case, faults: dict[str, list[object]]) -> None:
    for kind, urls in faults.items():
        for url in urls[:3]:
            print(f"{case.name}, {case.concurrency} in flight: {kind}: {url}", file=sys.stderr)


def _digest(lines: list[dict[str, object]]) -> str:
    """Of what all lines tell, in the order of their URLs."""
    told = sorted(json.dumps([line[name] for name in ("url", "status", "sha256", "title")]) for line in lines)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


if __name__ == "__main__":
    sys.exit(main())
