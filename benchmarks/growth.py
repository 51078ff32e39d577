"""A long crawl, and a frontier of five million URLs: does a page cost more the more there is?

Run with: python benchmarks/growth.py [--only windows|pending] [--pages N] [--pending N] [--rounds N]
- windows: one crawl of the built-in site's 300,000 small pages. CPU per page (all processes of the crawler, as /proc
  tells it four times a second) in windows of 10,000 pages around 10,000 and 100,000 and at the end; the main process's
  memory after a quarter of the pages and at most later.
- pending: a list is imported, and the run stopped; then it is resumed for 10,000 pages at a time, and CPU per page is
  taken from the thousandth on. Once with five million URLs that wait, once with as many as are needed, in changing
  order (ABBA); the ratio is the median of the rounds' own ratios. nginx has the pages, 1 KB each.
In both, a page may cost at most 1.15 times as much.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.lean_site import lean_site, write_list
from benchmarks.support.pinned import cpu_seconds
from benchmarks.support.programs import audit, nginx_program, planned_site
from benchmarks.support.tables import Claim, at_most, exactly, figure, verdict
from benchmarks.support.watched import Moment, watched
from crawler.report.summary import Summary
from crawler.site.plan import SitePlan

MOST = 1.15  # times the cost of a page of the first window, or of the small frontier
GROWTH_MB = 20.0
FIRST, SECOND = 1 / 30, 1 / 3  # of the pages; a window is as wide as FIRST
SETTLED = 0.1  # of the pages of a resumed run; before them it opens its files and connections
QUIET = ("--no-robots", "--retries", "0")


@dataclass(frozen=True, slots=True)
class Look:
    """One moment of a run, and the CPU seconds of its processes so far."""

    moment: Moment
    cpu: float


def main() -> int:
    """Show both parts; the exit code is 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("windows", "pending"))
    parser.add_argument("--pages", type=int, default=300_000, help="of windows, on four hosts")
    parser.add_argument("--pending", type=int, default=5_000_000, help="URLs that wait")
    parser.add_argument("--resumed", type=int, default=10_000, help="pages of each resumed run of pending")
    parser.add_argument("--rounds", type=int, default=3, help="of pending")
    options = parser.parse_args()
    if nginx_program() is None and options.only != "windows":
        print("nginx is missing; on Debian: apt-get install nginx-light", file=sys.stderr)
        return 2
    codes = []
    with tempfile.TemporaryDirectory(prefix="crawler-growth-") as name:
        if options.only != "pending":
            codes.append(_windows(Path(name), options.pages))
        if options.only != "windows":
            codes.append(_pending(Path(name), options))
    return max(codes)


def _run(*command: str) -> tuple[list[Look], Summary]:
    """Run the crawler to its end and look at it all the while."""
    with watched(*command) as program:
        looks = [Look(moment, cpu_seconds(program.process.pid)) for moment in program.follow()]
        return looks, program.end()


def _cost(looks: Sequence[Look], start: float, end: float) -> float:
    """Return CPU microseconds per page between two numbers of finished pages."""
    first = next(look for look in looks if look.moment.finished >= start)
    last = next((look for look in looks if look.moment.finished >= end), looks[-1])
    pages = last.moment.finished - first.moment.finished
    if pages <= 0:
        sys.exit("too few pages for a window: raise --pages or --resumed")
    return (last.cpu - first.cpu) * 1e6 / pages


# --- one long crawl -----------------------------------------------------------------------------------------------


def _windows(folder: Path, pages: int) -> int:
    plan = replace(SitePlan.plain(pages=pages // 4, hosts=4), largest=500)
    run, all_pages = folder / "windows", plan.pages * plan.hosts
    with planned_site(plan) as site:
        looks, summary = _run("crawl", *(f"{base_url}/" for base_url in site.base_urls), "-o", str(run))
    width = FIRST * all_pages
    middles = (FIRST * all_pages, SECOND * all_pages, all_pages - width / 2)
    costs = [_cost(looks, middle - width / 2, middle + width / 2) for middle in middles]
    quarter = next(look.moment for look in looks if look.moment.finished >= all_pages / 4)
    later = max(look.moment.rss_mb for look in looks if look.moment.seconds >= quarter.seconds)
    names = [f"around page {middle:,.0f}" for middle in middles[:2]] + ["at the end"]
    return verdict(
        f"growth: a crawl of {all_pages:,} pages on {plan.hosts} hosts, in windows of {width:,.0f}",
        [
            exactly("pages fetched", all_pages, summary.done),
            *(figure(f"CPU us per page {name}", cost) for name, cost in zip(names, costs, strict=True)),
            *(_ratio(f"{name} / {names[0]}", cost / costs[0]) for name, cost in zip(names[1:], costs[1:], strict=True)),
            figure("MiB of the main process after a quarter", quarter.rss_mb),
            at_most("growth later, MiB", GROWTH_MB, later - quarter.rss_mb),
            exactly("exit code of verify", 0, audit(run)),
        ],
    )


def _ratio(asked: str, ratio: float) -> Claim:
    return Claim(asked, f"<= {MOST}", f"{ratio:.3f}", ratio <= MOST)


# --- millions that wait -------------------------------------------------------------------------------------------


def _pending(folder: Path, options: argparse.Namespace) -> int:
    pages, rounds = options.resumed, options.rounds
    sizes = {"few": (rounds + 1) * pages, "many": options.pending}
    if sizes["many"] <= sizes["few"]:
        sys.exit(f"--pending: must be more than {sizes['few']:,}, which is as few as the rounds need")
    costs: dict[str, list[float]] = {name: [] for name in sizes}
    peaks: dict[str, list[float]] = {name: [] for name in sizes}
    with lean_site(folder, hosts=100) as base_urls:
        for name, size in sizes.items():
            _import(folder / f"{name}.txt", folder / name, base_urls, size)
        for number in range(rounds):
            for name in sizes if number % 2 == 0 else [*sizes][::-1]:
                looks = _resume(folder / name, (number + 1) * pages)
                before = looks[-1].moment.finished - pages
                costs[name].append(_cost(looks, before + SETTLED * pages, looks[-1].moment.finished))
                peaks[name].append(max(look.moment.rss_mb for look in looks))
    ratio = median(many / few for many, few in zip(costs["many"], costs["few"], strict=True))
    return verdict(
        f"growth: {pages:,} pages of a list, with {sizes['many']:,} URLs that wait; {rounds} rounds",
        [
            *(figure(f"CPU us per page, {sizes[name]:,} URLs", median(costs[name])) for name in sizes),
            _ratio("ratio", ratio),
            *(figure(f"peak MiB of the main process, {sizes[name]:,} URLs", max(peaks[name])) for name in sizes),
            *(exactly(f"exit code of verify, {sizes[name]:,} URLs", 0, audit(folder / name)) for name in sizes),
        ],
    )


def _import(listed: Path, run: Path, base_urls: list[str], urls: int) -> None:
    """Import a list, one request in ten seconds beside it, and stop the run once all lines are in."""
    write_list(listed, base_urls, urls)
    with watched("fetch", str(listed), "-o", str(run), "--rate", "0.1", *QUIET) as program:
        program.stop_at(urls)
    listed.unlink()


def _resume(run: Path, most: int) -> list[Look]:
    """Go on until the run has so many pages."""
    looks, summary = _run("resume", str(run), "--rate", "1000000", "--max-pages", str(most))
    if summary.done != most:
        sys.exit(f"{summary.done} pages instead of {most} in {run}")
    return looks


if __name__ == "__main__":
    sys.exit(main())
