"""A long crawl, large states, and a frontier of five million URLs: does a page cost more the more there is?

Run with: python benchmarks/growth.py [--only windows|states|pending ...] [--pages N] [--pending N] [--rounds N]
          [--links N] [--new N] [--fetched N]
- windows: one crawl of the built-in site's 300,000 small pages. CPU per page (all processes of the crawler, as /proc
  tells it four times a second) in windows of 10,000 pages around 10,000 and 100,000 and at the end; the main process's
  memory after a quarter of the pages and at most later.
- states: runs that have fetched 10,000, 100,000 and 300,000 pages, and one with five million URLs that wait, made by
  the storage classes; 5,000 pages are crawled on top of each, from a fresh start. Each page has 50 links; in the local
  form as on real sites, in the uniform form to any known page (support/grown_run.py). CPU per page of the event loop,
  the storage thread and the workers.
- pending: a list is imported, and the run stopped; then it is resumed for 10,000 pages at a time, and CPU per page is
  taken from the thousandth on. Once with five million URLs that wait, once with as many as are needed, in changing
  order (ABBA); the ratio is the median of the rounds' own ratios. nginx has the pages, 1 KB each.
In all, a page may cost at most 1.15 times as much.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.grown_run import FORMS, Grown, grown_site, make_run, write_pages
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
STAGES = (10_000, 100_000, 300_000)
SPARE = 30_000  # pages of a state that are known and not fetched yet
QUIET = ("--no-robots", "--retries", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The cost of a page on top of a state: CPU microseconds; memory in MiB, without pages of files."""

    name: str
    whole: float
    loop: float
    storage: float
    workers: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Look:
    """One moment of a run, and the CPU seconds of its processes so far."""

    moment: Moment
    cpu: float


def main() -> int:
    """Show both parts; the exit code is 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--pages", type=int, default=300_000, help="of windows, on four hosts")
    parser.add_argument("--pending", type=int, default=5_000_000, help="URLs that wait")
    parser.add_argument("--resumed", type=int, default=10_000, help="pages of each resumed run of pending")
    parser.add_argument("--rounds", type=int, default=3, help="of pending")
    parser.add_argument("--stages", type=int, nargs="+", default=STAGES, help="of states: pages that are fetched")
    parser.add_argument("--fetched", type=int, default=5000, help="pages crawled on top of each state")
    parser.add_argument("--links", type=int, default=50, help="of a page of states")
    parser.add_argument("--new", type=int, default=2, help="those of its links that were not known")
    options = parser.parse_args()
    if nginx_program() is None and options.only != ["windows"]:
        print("nginx is missing; on Debian: apt-get install nginx-light", file=sys.stderr)
        return 2
    codes: list[int] = []
    with tempfile.TemporaryDirectory(prefix="crawler-growth-") as name:
        codes += [PARTS[part](Path(name), options) for part in options.only]
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


def _windows(folder: Path, options: argparse.Namespace) -> int:
    pages = options.pages
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


# --- large states -------------------------------------------------------------------------------------------------


def _states(folder: Path, options: argparse.Namespace) -> int:
    stages = [(f"{done:,} pages", done + SPARE, done) for done in options.stages]
    stages.append((f"{options.pending:,} waiting", options.pending, options.stages[0]))
    rows: dict[str, list[Spent]] = {form: [] for form in FORMS}
    for name, known, done in stages:
        place = folder / f"states-{known}"
        with grown_site(place) as base_urls:
            for number, form in enumerate(FORMS):
                grown = Grown(known=known, done=done + number * options.fetched, links=options.links, new=options.new)
                write_pages(place / "www", grown, form)
                if not number:
                    make_run(place / "run", base_urls, grown)
                rows[form].append(_crawled(place / "run", name, grown.done, options.fetched))
        rmtree(place)
    claims = [claim for form in FORMS for claim in _claims(form, rows[form])]
    return verdict(f"growth: {options.fetched:,} pages on top of a state, {options.links} links each", claims)


def _crawled(run: Path, name: str, done: int, pages: int) -> Spent:
    """Crawl so many pages on top of a state; the first of them, which start-up is part of, are not on the clock."""
    with watched("resume", str(run), "--max-pages", str(done + pages)) as program:
        looks = [Look(moment, cpu_seconds(program.process.pid)) for moment in program.follow()]
        program.end()
    begin = next(look for look in looks if look.moment.finished >= looks[-1].moment.finished - (1 - SETTLED) * pages)
    end = looks[-1] if looks[-1].cpu else looks[-2]
    count = (end.moment.finished - begin.moment.finished) / 1e6
    process = end.moment.process - begin.moment.process
    return Spent(
        name=name,
        whole=(end.cpu - begin.cpu) / count,
        loop=(end.moment.loop - begin.moment.loop) / count,
        storage=(end.moment.storage - begin.moment.storage) / count,
        workers=(end.cpu - begin.cpu - process) / count,
        peak_mb=max(look.moment.anonymous_mb for look in looks),
    )


def _claims(form: str, rows: Sequence[Spent]) -> Iterator[Claim]:
    for spent in rows:
        parts = f"{spent.loop:,.0f} + {spent.storage:,.0f} + {spent.workers:,.0f}"
        yield figure(f"{form}, {spent.name}: loop + storage + workers", parts)
        yield figure(f"{form}, {spent.name}: CPU us per page", spent.whole)
        yield figure(f"{form}, {spent.name}: peak MiB, main process", spent.peak_mb)
        if spent is not rows[0]:
            yield _ratio(f"{form}, {spent.name} / {rows[0].name}", spent.whole / rows[0].whole)


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


PARTS = {"windows": _windows, "states": _states, "pending": _pending}

if __name__ == "__main__":
    sys.exit(main())
