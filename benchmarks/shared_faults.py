"""Faults while several workers share one run over PostgreSQL: is anything lost, doubled, wrong or left hanging?

Run with: python benchmarks/shared_faults.py [--only PART] [--faults N] [--pages N] [--fetch] [--seed N]
Four workers crawl the built-in site, 20,000 pages on 50 hosts with redirects, 404s, copies and pages that fail at
first, over a private PostgreSQL server; leases last two seconds. Runs follow one another until the faults suffice.
- kills: `kill -9` of a worker's main process, 100 times. Half of the killed are resumed at once, the others long after
  their lease ended, when other workers have taken their hosts over.
- stops: SIGSTOP past the lease, then SIGCONT, 20 times: the worker begins again by itself, in the same process.
- restarts: the server is stopped in immediate mode and started again, 20 times, every second time within a COMMIT.
- cuts: a proxy cuts connections, 40 times: mostly after a COMMIT was forwarded and before its answer, some before the
  server heard of it, and all of them at once.
- clock: two workers whose wall clocks are an hour off, one behind and one ahead, and a few kills.
- polite: hosts with Crawl-delay and pages that answer 429 or 503 with Retry-After; workers are killed or interrupted,
  and come back: from the site's log, not one request early, and none above the limit.
Of each part: the lines of all workers together are the truth of the site, each URL once; the sums and rows of the
database agree with each other and with the lines; each process ended as it should, and none hung. The site's log tells
how many pages were asked for again: per fault at most those in flight and those that waited for their group.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.programs import audit, ended_by_sigterm, planned_site
from benchmarks.support.tables import Claim, at_most, exactly, figure, verdict
from benchmarks.support.truth import Truth
from crawler.frontier.postgres.runs import connected
from crawler.site.log import Hit, most_at_once, read_log
from crawler.site.plan import Shares, SitePlan
from support.databases import CuttingProxy, DatabaseServer, running_server, server_room
from support.shared_account import Answer, SharedAccount, account, asked_again
from support.shared_workers import LEASE, Crew, Worker

HOSTS = 50
CONCURRENCY = 16  # of each worker
WAITING = 1500  # the inbox and one group: fetched, but not committed yet
LATENCY = 0.2
TOLERANCE = 0.02  # seconds by which the site may note a request late
UNREAD = 0.2  # seconds for which a busy worker may not have read an answer; what it sent till then was on its way
DELAYS = (0.0, 0.05, 0.1, 0.2, 0.5)
PER_HOST = 2
_LIVING = "SELECT place FROM worker WHERE life IS NOT NULL"
_CLOCK = """
import time
_ahead = {ahead}
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _ahead
time.time_ns = lambda: _time_ns() + int(_ahead * 1e9)
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of fault.

    Attributes:
        faults: how many there are by default.
        pauses: seconds between two of them, at least and at most.
        again: whether a fault may cost a worker what it has in flight.
    """

    fault: Callable[["Scene"], object]
    faults: int
    pauses: tuple[float, float]
    claims: Callable[["Told"], Sequence[Claim]] = lambda _told: ()
    codes: tuple[int, ...] = ()
    plan: SitePlan | None = None
    options: tuple[str, ...] = ()
    lease: float = LEASE
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


@dataclass
class Scene:
    """The workers, the server and the proxy that a fault may hit."""

    chance: Random
    crew: Crew
    server: DatabaseServer
    proxy: "StrikingProxy"
    dsn: str

    def victim(self) -> Worker | None:
        """Return one of the workers that work, mostly one that holds hosts; None = there is none just now."""
        working = [worker for worker in self.crew.workers if worker.works]
        if self.chance.random() < 0.8:  # the others are just starting
            working = [worker for worker in self.living() if worker.works] or working
        return self.chance.choice(working) if working else None

    def living(self) -> list[Worker]:
        """Return the workers that have a life."""
        with connected(self.dsn, "run") as db:
            places = {place.rpartition(":")[2] for (place,) in db.rows(_LIVING)}
        return [worker for worker in self.crew.workers if str(worker.folder) in places]


@dataclass
class Told:
    """The account of all runs of a part."""

    faults: int = 0
    runs: int = 0
    hung: int = 0
    again: int = 0
    processes: int = 0
    unexpected: list[str] = field(default_factory=list)
    accounts: list[SharedAccount] = field(default_factory=list)
    hits: list[list[Hit]] = field(default_factory=list)
    cuts: int = 0
    late: int = 0
    unclean: int = 0
    buried: int = 0
    workers: int = 0
    noise: float = TOLERANCE

    def sum(self, name: str) -> int:
        """Return the sum of a figure over all accounts."""
        return sum(getattr(account, name) for account in self.accounts)


class StrikingProxy(CuttingProxy):
    """A proxy that lets something happen at the next COMMIT."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.strike: Callable[[], None] | None = None
        super().__init__(dsn, folder)

    def takes_commit(self) -> bool | None:
        """Strike a moment after this COMMIT, if that was asked for."""
        strike, self.strike = self.strike, None
        if strike is not None:
            threading.Thread(target=strike).start()
        return super().takes_commit()


def main() -> int:
    """Run each part; the exit code is 0 when every claim holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("all", *_PARTS), default="all")
    parser.add_argument("--faults", type=int, help="of each part; 100 kills, 20 stops and restarts, 40 cuts")
    parser.add_argument("--pages", type=int, default=20_000, help="of all hosts together")
    parser.add_argument("--fetch", action="store_true", help="fetch a list of all pages, instead of following links")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1, help="another seed hits at other moments")
    parser.add_argument("--seconds", type=float, default=900.0, help="a run that takes longer hangs")
    parser.add_argument(
        "--noise", type=float, default=TOLERANCE, help="seconds by which a busy site notes requests late"
    )
    parser.add_argument("--keep", type=Path, help="keep the folders of the workers here")
    options = parser.parse_args()
    codes = []
    for name in _PARTS if options.only == "all" else (options.only,):
        with ended_by_sigterm(), _scratch(options.keep) as folder:
            codes.append(_show(name, options, folder))
    return max(codes)


@contextmanager
def _scratch(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="crawler-shared-") as name:
            yield Path(name)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield Path(tempfile.mkdtemp(dir=kept))


def _show(name: str, options: argparse.Namespace, folder: Path) -> int:
    part = _PARTS[name](folder)
    if options.faults is not None:
        part = replace(part, faults=options.faults)
    told, began = Told(workers=options.workers, noise=options.noise), time.monotonic()
    with running_server() as server:
        while told.faults < part.faults and not told.hung:
            _run(part, options, told, server, folder / f"{name}-{told.runs}")
    _tell(name, told)
    bound = told.faults * (CONCURRENCY + WAITING)
    return verdict(
        f"shared_faults: {name}: {options.workers} workers, {told.faults} faults",
        [
            exactly("faults", part.faults, told.faults),
            figure("runs", told.runs),
            figure("processes of workers", told.processes),
            figure("lives of workers", told.sum("lives")),
            figure("lines of output", told.sum("lines")),
            *(exactly(f"URLs {what}", 0, told.sum(what)) for what in ("lost", "extra", "twice", "wrong")),
            exactly("problems in the databases", 0, sum(len(found.problems) for found in told.accounts)),
            exactly("runs that `crawler verify` finds fault with", 0, told.unclean),
            exactly("processes that ended as they should not", 0, len(told.unexpected)),
            exactly("runs that hung", 0, told.hung),
            at_most("pages that were asked for again", bound, told.again),
            *part.claims(told),
            figure("seconds", time.monotonic() - began),
        ],
    )


def _tell(name: str, told: Told) -> None:
    problems = [problem for found in told.accounts for problem in found.problems]
    for fault in [*told.unexpected, *problems][:20]:
        print(f"{name}: {fault}", file=sys.stderr)


def _run(part: Part, options: argparse.Namespace, told: Told, server: DatabaseServer, folder: Path) -> None:
    """Let one run meet faults until it is complete."""
    folder.mkdir()
    chance = Random(f"{options.seed} {told.runs}")
    plan = part.plan or SitePlan(
        pages=max(1, options.pages // HOSTS), hosts=HOSTS, latency=LATENCY, loops=False, slow_seconds=0.1, largest=4000
    )
    with planned_site(plan, log=folder / "log") as site, server.database() as dsn, server_room() as room:
        truth = Truth(site)
        seeds = list(truth.known) if options.fetch else truth.fronts
        wanted: dict[str, Answer] = {url: truth.known[url].told[:2] for url in truth.reached(seeds, lambda _: True)}
        listed = folder / "seeds.txt"
        listed.write_text("".join(f"{seed}\n" for seed in seeds), "utf-8")
        proxy = StrikingProxy(dsn, room)
        crew = _crew(part, options, proxy.dsn, listed)
        scene = Scene(chance, crew, server, proxy, dsn)

        def goes_on(worker: Worker) -> None:
            told.buried += worker not in scene.living()

        crew.goes_on = goes_on

        def fault() -> bool:
            told.faults += part.fault(scene) is not False
            return told.faults < part.faults

        wall = time.time()
        try:
            crew.begin()
            told.hung += not crew.live(chance, fault, part.pauses, options.seconds)
        finally:
            crew.end()
            told.cuts += proxy.cuts
            proxy.close()
        told.accounts.append(account(dsn, crew.folders, wanted))
        told.late += _late(crew.folders, wall)
        told.unclean += audit(dsn, "--name", "run") != 0
    told.runs += 1
    told.unexpected += crew.unexpected
    told.processes += sum(len(worker.groups) for worker in crew.workers)
    told.hits.append(read_log(folder / "log"))
    told.again += asked_again(told.hits[-1])


def _crew(part: Part, options: argparse.Namespace, dsn: str, listed: Path) -> Crew:
    """Return the workers of a run that begins with this list."""
    begin = ["fetch", str(listed)] if options.fetch else ["crawl", str(listed), "--allow-net", "127.0.0.0/8"]
    crew = Crew(
        listed.with_name("workers"),
        dsn,
        begin,
        size=options.workers,
        options=("--concurrency", str(CONCURRENCY), "--workers", "0", *part.options),
        lease=part.lease,
        environments=part.environments,
    )
    crew.may_end(*part.codes)
    return crew


def _late(folders: Sequence[Path], began: float) -> int:
    """Return the lines whose moment is not within the run that began then and ends now."""
    found = [json.loads(line)["fetched_at"] for folder in folders for line in _lines(folder)]
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in found]
    return sum(not began - 2.0 < moment < time.time() + 2.0 for moment in moments)


def _lines(folder: Path) -> list[bytes]:
    file = folder / "pages.jsonl"
    return file.read_bytes().splitlines() if file.exists() else []


# --- the faults ---------------------------------------------------------------------------------------------------


def _kill(scene: Scene) -> bool:
    if (worker := scene.victim()) is None:
        return False
    chance = scene.chance
    after = chance.uniform(0.0, 0.5) if chance.random() < 0.5 else chance.uniform(1.2, 3.0) * LEASE
    scene.crew.kill(worker, after=after)
    return True


def _stop(scene: Scene) -> bool:
    living = [worker for worker in scene.living() if worker.works]
    if (worker := scene.victim()) is None or worker not in living or len(living) < 2:
        return False  # it has not begun, or no other worker takes its hosts over
    scene.crew.stop(worker, seconds=LEASE + scene.chance.uniform(1.5, 3.0))
    return True


def _restart(scene: Scene) -> None:
    """Stop the server at once, every second time just after a COMMIT was sent to it, and start it again."""
    if scene.chance.random() < 0.5:
        struck, pause, process = threading.Event(), scene.chance.uniform(0.0, 0.004), scene.server.process

        def strike() -> None:
            time.sleep(pause)  # the COMMIT is on its way, or is being made durable, or was answered just now
            os.kill(process, signal.SIGQUIT)
            struck.set()

        scene.proxy.strike = strike
        if struck.wait(_COMMITS):
            scene.server.stop()
        else:
            scene.proxy.strike = None
            scene.server.stop_at_once()
    else:
        scene.server.stop_at_once()
    time.sleep(scene.chance.choice((0.0, 0.5, 1.5 * LEASE)))
    scene.server.start()


def _cut(scene: Scene) -> None:
    what = scene.chance.random()
    if what < 0.15:
        scene.proxy.cut()
    else:
        scene.proxy.cut_at_commit(is_forwarded=what < 0.8)


def _come_and_go(scene: Scene) -> bool:
    """Kill a worker, or let it end in order; it comes back soon or late."""
    if (worker := scene.victim()) is None:
        return False
    end = scene.crew.kill if scene.chance.random() < 0.5 else scene.crew.interrupt
    end(worker, after=scene.chance.uniform(0.0, 2.0) * LEASE)
    return True


# --- the parts ----------------------------------------------------------------------------------------------------


def _begins_again(told: Told) -> list[Claim]:
    """Claim that a worker that was stopped past its lease begins again in the same process.

    A worker that is stopped within a transaction keeps the lock on its row, so no other worker takes it for dead; those
    that wait for its other locks may be late themselves, and begin again.
    """
    again, half = told.sum("lives") - told.processes, told.faults / 2
    return [
        exactly("processes started after the first ones", 0, told.processes - len(told.accounts) * told.workers),
        Claim("stopped workers that others took for dead", f">= {half:g}", told.buried, told.buried >= half),
        Claim("lives begun by workers themselves", f">= {told.buried}", again, again >= told.buried),
    ]


def _was_cut(told: Told) -> list[Claim]:
    return [figure("connections cut at a COMMIT", told.cuts)]


def _patched(folder: Path, ahead: float) -> Mapping[str, str]:
    """Return the environment in which Python's wall clock is so many seconds ahead."""
    (place := folder / f"clock{ahead:+.0f}").mkdir()
    (place / "sitecustomize.py").write_text(_CLOCK.format(ahead=ahead), "utf-8")
    return {"PYTHONPATH": str(place)}


def _clock(folder: Path) -> Part:
    off = {2: _patched(folder, 3600.0), 3: _patched(folder, -3600.0)}
    return Part(fault=_kill, faults=10, pauses=(2.0, 4.0), environments=off, claims=_keeps_to_time)


def _keeps_to_time(told: Told) -> list[Claim]:
    """Claim that a worker whose clock is off writes the same moments as the others, and waits as long."""
    return [
        exactly("lines that were written at another time", 0, told.late),
        exactly("requests within a rest that Retry-After asked for", 0, _within_rests(told)),
    ]


def _is_polite(told: Told) -> list[Claim]:
    early = [
        seconds
        for hits in told.hits
        for host, own in _by_host(hits).items()
        for seconds in _earliness(own, DELAYS[host % len(DELAYS)])
    ]
    return [
        exactly("requests that came early", 0, sum(seconds > told.noise for seconds in early)),
        figure("the earliest, ms", 1000 * max(early, default=0.0)),
        exactly("requests within a rest that Retry-After asked for", 0, _within_rests(told)),
        figure("answers 429 and 503", sum(hit.status in _RESTS for hits in told.hits for hit in hits)),
        at_most("requests at once to one host", PER_HOST, max(map(most_at_once, _hosts(told)), default=0)),
    ]


def _hosts(told: Told) -> list[list[Hit]]:
    return [own for hits in told.hits for own in _by_host(hits).values()]


def _by_host(hits: Sequence[Hit]) -> dict[int, list[Hit]]:
    found: dict[int, list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: hit.started):
        found.setdefault(hit.host, []).append(hit)
    return found


def _earliness(hits: Sequence[Hit], delay: float) -> list[float]:
    """Return the seconds by which requests came too early; only those that were early at all."""
    gaps = [later.started - earlier.started for earlier, later in pairwise(hits)]
    return [delay - gap for gap in gaps if gap < delay]


def _within_rests(told: Told) -> int:
    """Return the requests within the second for which an answer asked to be left alone, without those on their way."""
    found = 0
    for own in _hosts(told):
        ends = [hit.ended for hit in own if hit.status in _RESTS]
        found += sum(any(end + UNREAD < hit.started < end + 1.0 - told.noise for end in ends) for hit in own)
    return found


_COMMITS = 10.0  # seconds within which some worker commits
_RESTS = frozenset({429, 503})
_BUSY = SitePlan(
    pages=100,
    hosts=HOSTS,
    crawl_delays=DELAYS * 10,
    shares=Shares(retry_after=0.05, redirects=0.05),
    loops=False,
    latency=0.15,  # or no host would ever be asked two things at once
    largest=4000,
)
_PARTS: Mapping[str, Callable[[Path], Part]] = {
    "kills": lambda _: Part(fault=_kill, faults=100, pauses=(0.3, 1.5)),
    "stops": lambda _: Part(fault=_stop, faults=20, pauses=(1.0, 4.0), claims=_begins_again),
    "restarts": lambda _: Part(fault=_restart, faults=20, pauses=(1.0, 4.0), codes=(5,)),
    "cuts": lambda _: Part(fault=_cut, faults=40, pauses=(0.5, 2.0), claims=_was_cut),
    "clock": _clock,
    "polite": lambda _: Part(
        fault=_come_and_go,
        faults=40,
        pauses=(0.5, 2.0),
        plan=_BUSY,
        options=("--per-host", str(PER_HOST)),
        claims=_is_polite,
    ),
}


if __name__ == "__main__":
    sys.exit(main())
