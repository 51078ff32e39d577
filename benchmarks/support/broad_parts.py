"""The smaller parts of the broad benchmark: a low rate, slow hosts, kills, and few open files."""

import sys
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

from benchmarks.support.broad_plan import Host, Kind, Ports, broad, live, quick_and_slow
from benchmarks.support.broad_runs import (
    IsOver,
    Job,
    Run,
    crawler,
    pages_answered,
    run,
    show_wrong,
    write_list,
    wrong_fates,
)
from benchmarks.support.farm import farm
from benchmarks.support.farm_log import ROBOTS, closer_than, connections_of, in_order, seen
from benchmarks.support.measured import Cost, measured
from benchmarks.support.programs import audit
from benchmarks.support.tables import Claim, at_most, exactly, figure, mark, show, verdict
from crawler.site.log import Hit, read_log

TAIL = 75.0  # seconds from the last live page to the end of the run, at the most
_RATE, _RATE_HOSTS, _RATE_URLS, _FIRST = 50, 2000, 20, 1000
_QUICK, _QUICK_URLS, _SLOW = 500, 20, (0, 20, 200, 2000)
_KILLS = (2.0, 5.0)  # seconds after which each of the first lives ends, once there is an output
_FILES = 1024


def usual_claims(done: Run, wrong: Sequence[str]) -> list[Claim]:
    """Return what is claimed of every run among the dead that comes to its end, with these hosts that ended wrong."""
    told, cost = done.seen, done.cost
    return [
        exactly("it ended", "by itself", done.ended),
        exactly("live pages", told.wanted, told.pages),
        exactly("live pages asked for twice", 0, told.twice),
        exactly("hosts with a wrong fate", 0, len(wrong)),
        at_most("seconds from the last live page to its end", TAIL, done.tail),
        exactly("hosts asked for a page before robots.txt", 0, told.robots_late),
        exactly("requests closer than the host's delay", 0, told.early),
        figure("requests", told.requests),
        figure("connections open at once, as the farm saw it", told.open_at_most),
        figure("peak open files", cost.peak_files),
        figure("peak memory, MiB", cost.peak_mb),
        figure("CPU seconds of the crawler", cost.cpu),
        figure("CPU seconds of the farm", done.farm_cpu),
    ]


def rate_claims(done: Run, rate: int) -> list[Claim]:
    """Return what is claimed of every run with a rate, as the farm saw it: never above it, by 2 % at the most."""
    return [
        figure("requests within the busiest second", done.seen.most_in_a_second),
        at_most("requests per second within the busiest five", 1.02 * rate, done.seen.busiest),
    ]


# --- a low rate ---------------------------------------------------------------------------------------------------


def rated(folder: Path, seconds: float, delays: Sequence[float | None] = (None, 0.5)) -> int:
    """Show that a low rate is spent on pages from the start, under each of these delays; None = the default."""
    hosts = live(broad(_RATE_HOSTS * 2, names=False))[:_RATE_HOSTS]
    hosts = [Host(number, host.kind, host.seconds) for number, host in enumerate(hosts)]
    job = Job(hosts=hosts, asked=hosts, urls=_RATE_URLS, limit=seconds + 30)
    codes = []
    for delay in delays:
        told = ["--rate", str(_RATE), *(["--delay", str(delay)] if delay else [])]
        done = run(job, folder / str(delay), crawler("fetch", *told, "--max-time", str(seconds)))
        codes.append(_rated(done, told, delay))
    return max(codes)


def _rated(done: Run, told: Sequence[str], delay: float | None) -> int:
    requests = in_order(done.hits)
    first, then = requests[:_FIRST], requests[_FIRST:]
    used = _share(len(then) - 1, _RATE * (then[-1].started - then[0].started)) if len(then) > 1 else 0.0
    early, later = _share(sum(map(_is_page, first)), len(first)), _share(sum(map(_is_page, then)), len(then))
    return verdict(
        f"broad: {' '.join(told)}, {_RATE_HOSTS:,} live hosts of {_RATE_URLS} URLs each",
        [
            figure("requests seen", len(requests)),
            _at_least(f"pages among the first {len(first):,} requests", 0.4, early),
            figure("pages among those after them", f"{later:.1%}"),
            _at_least("of the rate that is used from then on", 0.9, used)
            if then
            else figure("from then on", "too few"),
            *rate_claims(done, _RATE),
            figure("hosts opened", len({hit.host for hit in requests})),
            exactly("hosts asked for a page before robots.txt", 0, done.seen.robots_late),
            exactly("requests closer than the host's delay", 0, closer_than(delay or 0.0, done.hits)),
            figure("CPU seconds of the crawler", done.cost.cpu),
        ],
    )


def _is_page(hit: Hit) -> bool:
    return hit.target != ROBOTS


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _at_least(asked: str, least: float, measured: float) -> Claim:
    return Claim(asked, f">= {least:.0%}", f"{measured:.1%}", measured >= least)


# --- slow ones ----------------------------------------------------------------------------------------------------


def slow_ones(folder: Path, limit: float) -> int:
    """Show that slow hosts take nothing from quick ones; each run is ended when the quick ones are done."""
    runs = []
    for slow in _SLOW:
        hosts = quick_and_slow(_QUICK, slow)
        job = Job(hosts=hosts, asked=hosts, urls=_QUICK_URLS, limit=limit)
        is_over = pages_answered(folder / str(slow) / "requests.jsonl", _QUICK * _QUICK_URLS)
        runs.append(run(job, folder / str(slow), crawler("fetch", "--quiet"), is_over))
    alone = runs[0].seen.rate
    rows = [_slow_row(slow, done, _share(done.seen.rate, alone)) for slow, done in zip(_SLOW, runs, strict=True)]
    head = ("slow hosts", "pages", "of", "pages/s", "of alone", "last page s", "open", "peak files", "peak MiB", "")
    show(
        f"broad: {_QUICK} quick hosts of {_QUICK_URLS} URLs beside slow ones; share of alone at least 85 %", head, rows
    )
    return int(any(row[-1] != mark(holds=True) for row in rows))


def _slow_row(slow: int, done: Run, share: float) -> tuple[object, ...]:
    told = done.seen
    holds = told.pages == told.wanted and share >= 0.85
    shown = (told.pages, told.wanted, told.rate, f"{share:.1%}", told.last_page, told.open_at_most)
    return slow, *shown, done.cost.peak_files, done.cost.peak_mb, mark(holds=holds)


# --- kills --------------------------------------------------------------------------------------------------------


def killed(folder: Path, hosts: Sequence[Host], limit: float) -> int:
    """Kill a run twice and resume it, beside one that is left alone."""
    job = Job(hosts=hosts, asked=hosts, limit=limit)
    calm = run(job, folder / "calm", crawler("fetch", "--quiet"))
    scratch = folder / "killed"
    scratch.mkdir()
    log, output = scratch / "requests.jsonl", scratch / "run"
    with farm(hosts, 1, log) as ports:
        lives = _lives(job, scratch, ports)
    hits = read_log(log)
    told = seen(hits, hosts, job.wanted, lives[0].began)
    dials, calm_dials = (connections_of(each, hosts, Kind.SILENT) for each in (hits, calm.hits))
    wrong = wrong_fates(output, job)
    code = verdict(
        f"broad: {len(hosts):,} hosts with one URL each, kill -9 after {' and '.join(f'{s:g}' for s in _KILLS)} s",
        [
            exactly("exit codes", (-9, -9, True), (*(life.code for life in lives[:-1]), lives[-1].code in {0, 1})),
            exactly("exit code of verify", 0, audit(output)),
            exactly("hosts with a wrong fate, URLs lost or twice", 0, len(wrong)),
            exactly("live pages", told.wanted, told.pages),
            figure("live pages asked for again", told.twice),
            figure("seconds of the last life", lives[-1].seconds),
            figure("seconds of an undisturbed run", calm.cost.seconds),
            figure("connections to silent hosts, undisturbed", sum(calm_dials.values())),
            figure("the same, killed", sum(dials.values())),
            at_most(
                "most to one of them: as undisturbed, and one for each kill",
                max(calm_dials.values(), default=0) + len(_KILLS),
                max(dials.values(), default=0),
            ),
        ],
    )
    show_wrong(wrong)
    return code


def _lives(job: Job, folder: Path, ports: Ports) -> list[Cost]:
    """Fetch, and resume until it is done."""
    source, output = write_list(job, folder, ports), folder / "run"
    command = crawler("fetch", "--quiet")(source, folder, ports)
    resume = [sys.executable, "-m", "crawler", "resume", str(output), "--quiet"]
    lives: list[Cost] = []
    for seconds in (*_KILLS, job.limit):
        is_over = _seconds_after(output / "pages.jsonl", seconds)
        lives.append(measured(resume if lives else command, folder, is_over=is_over))
    return lives


def _seconds_after(file: Path, seconds: float) -> IsOver:
    """Return a question: have so many seconds passed since this file was first seen?"""
    until = inf

    def ask() -> bool:
        nonlocal until
        if until == inf and file.exists():
            until = time.monotonic() + seconds
        return time.monotonic() > until

    return ask


# --- few open files -----------------------------------------------------------------------------------------------


def few_files(folder: Path, hosts: Sequence[Host], limit: float) -> int:
    """Fetch the list with as many open files as a laptop allows."""

    def command(source: Path, place: Path, ports: Ports) -> list[str]:
        return ["sh", "-c", f'ulimit -n {_FILES} && exec "$@"', "sh", *crawler("fetch")(source, place, ports)]

    done = run(Job(hosts=hosts, asked=hosts, limit=limit), folder / "few", command)
    said = (done.folder / "said.txt").read_text("utf-8", "replace").splitlines()
    wrong = done.wrong()
    code = verdict(
        f"broad: {len(hosts):,} hosts with one URL each, ulimit -n {_FILES}",
        [
            at_most("peak open files of the crawler", _FILES, done.cost.peak_files),
            at_most("lines that say ulimit -n", 1, sum("ulimit -n" in line for line in said)),
            *usual_claims(done, wrong),
        ],
    )
    show_wrong(wrong)
    return code
