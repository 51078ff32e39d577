"""ASSEMBLES: the only file that knows every concrete class; one AsyncExitStack opens and closes all.

Runs on: the main thread; `run` starts the loop and everything beside it, and ends them.
"""

import os
import random
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from crawler.core.config import RunConfig
from crawler.core.errors import UsageError
from crawler.core.handover import RobotsCopy
from crawler.core.messages import Request
from crawler.core.metrics import Metrics, Sample
from crawler.core.protocols import Fetcher, Observer, Parser, Reports, Sink
from crawler.core.rate_limits import RateGate, Throttles
from crawler.core.scope import LinkJudge, Scope
from crawler.core.urls import Url
from crawler.downloader.fetcher import HttpFetcher
from crawler.downloader.tls import tls_for
from crawler.engine.crawl import Crawl, Parts
from crawler.engine.journal import BOUNDS, Journal
from crawler.engine.outcomes import Judge
from crawler.engine.robots_cache import RobotsCache, ask
from crawler.engine.seeds import Seeds
from crawler.engine.workbench import Workbench
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.reading import shared_lock
from crawler.frontier.sqlite import SqliteFrontier
from crawler.parse.document import Wants
from crawler.parse.follow import follow, follow_lists
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.pool import LaneParser, lanes
from crawler.parse.select import check_selector
from crawler.report.summary import MOST_HOSTS, Summary, as_json, summarize
from crawler.robots.rules import RobotsOutcome
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime import loop, malloc
from crawler.runtime.clock import SystemClock
from crawler.runtime.lane import Limits
from crawler.runtime.places import dials_for, files_for, idle_for, most_slots, places_for, wanted_dials
from crawler.runtime.tasks import ByteBudget, background, every
from crawler.sinks.files import FilesSink
from crawler.sinks.jsonl import JsonlSink, StdoutSink

MEMORY = 256 * 1024 * 1024  # bodies in flight, all fetches together
_OBSERVED = 0.05  # seconds between two samples of a run that somebody observes


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Where a run shows itself: `sample` every `seconds` while it runs, `note` for what happens once.

    `observe` is told facts and more samples; None = nobody observes.
    """

    sample: Callable[[Sample], None]
    note: Callable[[str], None]
    seconds: float
    observe: Observer | None = None


def run(folder: RunFolder, facts: RunFacts, config: RunConfig, show: Show) -> tuple[Summary, int | None]:
    """Run a crawl or fetch in `folder` to its end; gives its summary and the signal that ended it early, if one did.

    Raises:
        RunInUse, StorageError: the run can be resumed once that is mended.
    """
    config = _within_open_files(config, show)
    loop.collect_less_often()
    malloc.keep_little()

    async def main(stop: loop.Stop) -> tuple[Summary, int | None]:
        return await _conduct(folder, facts, config, show, stop), stop.signal

    summary, signal = loop.run(main)
    folder.write_summary(as_json(summary))
    return summary, signal


def check_files(config: RunConfig) -> None:
    """Refuse a configuration that no fetcher can be made of: a missing file, a proxy or a network that is none.

    Raises:
        UsageError: it says which option.
    """
    HttpFetcher(config.fetch, clock=SystemClock())
    tls_for(config.fetch, trusted=True)
    if config.parse.workers != 0 and (config.parse.extract or "").startswith("__main__:"):
        raise UsageError("--extract: a worker does not see the main script: give a module, or have no workers (0)")
    PageReader(_task(config, follows=True))
    rules_of(config, follows=True)


async def _conduct(folder: RunFolder, facts: RunFacts, config: RunConfig, show: Show, stop: loop.Stop) -> Summary:
    async with AsyncExitStack() as stack:
        parts = replace(await assemble(stack, folder, facts, config), say=show.note)
        lag = await stack.enter_async_context(loop.LagProbe())
        watch = _RunWatch(parts, lag)
        await stack.enter_async_context(background(every, show.seconds, lambda: show.sample(watch.look())))
        if show.observe is not None:
            parts = await observed(stack, parts, lag, show.observe)
        ending = await Crawl(parts, stop).run()

        def account(reports: Reports) -> Summary:
            return summarize(
                ending.totals,
                peak_rss_mb=peak_rss_mb(),
                stopped_by=ending.stopped_by,
                hosts=reports.hosts(agent_of(config), MOST_HOSTS),
                examples=reports.examples(),
                lost_seeds=reports.lost_seeds(),
            )

        return await parts.journal.report(account)


async def observed(stack: AsyncExitStack, parts: Parts, lag: loop.LagProbe, observer: Observer) -> Parts:
    """The same parts; while `stack` is open, `observer` is told what they do."""
    watch = _RunWatch(parts, lag)
    parts.journal.observe(observer)
    await stack.enter_async_context(background(every, _OBSERVED, lambda: observer(watch.look())))
    return replace(parts, observe=observer)


async def assemble(
    stack: AsyncExitStack,
    folder: RunFolder,
    facts: RunFacts,
    config: RunConfig,
    *,
    reading: Callable[[Task], Task] = lambda task: task,
    around: Callable[[Fetcher], Fetcher] = lambda fetcher: fetcher,
) -> Parts:
    """Everything that a crawl in `folder` is made of, opened on `stack`.

    What `reading` gives for the task of each document, and `around` for the fetcher, takes its place.
    """
    clock = SystemClock()
    limit = config.engine.concurrency
    is_throttled = config.fetch.limit_rate is not None  # then it is we who make them slow
    places = places_for(limit, now=clock.monotonic, is_relieved=not is_throttled)
    board = MappedBoard(folder.board, places.most + BOUNDS.max_items + BOUNDS.group_items)
    follows = facts.command == "crawl"
    frontier = SqliteFrontier(folder.frontier, board, create=folder.is_new, rules=rules_of(config, follows=follows))
    lines: Sink = StdoutSink() if config.output.to_stdout else JsonlSink(folder.path)
    sinks = [FilesSink(folder.path), lines] if config.output.files else [lines]  # a line names its file

    def derive(reports: Reports) -> None:
        folder.write_rejected(reports.rejected(), facts.sources)
        if follows and config.scope.check:
            folder.write_broken(reports.broken())

    journal = await stack.enter_async_context(Journal(frontier, sinks, board, clock, derive))
    task = reading(replace(_task(config, follows=follows), keep=config.output.files))
    fetcher = around(
        await stack.enter_async_context(HttpFetcher(config.fetch, clock=clock, idle_limit=idle_for(limit)))
    )
    return Parts(
        fetcher=fetcher,
        parser=await _parser(stack, config, task),
        journal=journal,
        board=board,
        workbench=Workbench(Throttles(config.politeness, limit, ahead=clock.monotonic() - clock.wall()).of, limit),
        robots=RobotsCache(fetcher, journal, clock, agent=agent_of(config)) if config.politeness.robots else None,
        rate=RateGate(config.politeness.rate),
        judge=Judge(config.engine.retries, LinkJudge(config.scope) if follows else None),
        places=places,
        memory=ByteBudget(MEMORY),
        clock=clock,
        jitter=random.random,
        metrics=Metrics(),
        say=lambda _: None,
        seeds=Seeds(folder.seeds, facts.tables),
        budget=config.budget,
        discover=config.scope.discover_sitemaps,
    )


def rules_of(config: RunConfig, *, follows: bool) -> FrontierPolicy:
    """What the frontier keeps to: a list of URLs knows no scope, no depth and no traps."""
    host_pages = config.budget.max_pages_per_host
    if not follows:
        return FrontierPolicy(host_pages=host_pages)
    return FrontierPolicy(
        follows=True,
        scope=Scope(config.scope.scope),
        judge=LinkJudge(config.scope),
        traps=config.scope.traps,
        by_level=config.scope.max_depth is not None,
        host_pages=host_pages,
        edges=config.scope.check,
    )


def _task(config: RunConfig, *, follows: bool) -> Task:
    obey = config.politeness.robots
    return Task(
        max_decoded=config.fetch.max_decoded,
        agent=agent_of(config),
        follow=follow(config.scope, obey=obey) if follows else follow_lists(obey=obey),
        wants=Wants(
            text=config.parse.text,
            selectors=tuple(map(_selector, config.parse.select)),
            assets=follows and config.scope.assets,
        ),
        extract=config.parse.extract,
    )


def _selector(text: str) -> tuple[str, str]:
    name, _, css = text.partition("=")
    if not (name and css):
        raise UsageError(f"--select: expected NAME=CSS, got {text[:80]!r}")
    try:
        check_selector(css)
    except UsageError as error:
        raise UsageError(f"--select: {error}") from None
    return name, css


async def _parser(stack: AsyncExitStack, config: RunConfig, task: Task) -> Parser:
    """Worker processes, as many as there are cores, or this process."""
    count = config.parse.workers if config.parse.workers is not None else (os.cpu_count() or 1)
    if not count:
        return InlineParser(task)
    limits = Limits(cpu_seconds=config.parse.parse_timeout)
    return LaneParser(await stack.enter_async_context(lanes(task, count, limits)), task)


def agent_of(config: RunConfig) -> str:
    """The product token, by which robots.txt and pages may address this robot."""
    return config.fetch.user_agent.partition("/")[0]


class _RunWatch:
    """Takes samples of a run."""

    def __init__(self, parts: Parts, lag: loop.LagProbe) -> None:
        self._parts = parts
        self._lag = lag
        self._started = parts.clock.monotonic()

    def look(self) -> Sample:
        """How it stands now."""
        parts = self._parts
        now = parts.clock.monotonic()
        pages, size = parts.metrics.rates(now)
        return Sample(
            totals=parts.metrics.totals,
            at=now,
            seconds=now - self._started,
            pages_per_second=pages,
            bytes_per_second=size,
            fetching=parts.places.fetching,
            waiting=parts.places.waiting,
            queued=parts.workbench.queued,
            inbox=parts.journal.depth,
            rss=_rss(),
            lag=self._lag.last,
            worst_lag=self._lag.worst,
        )


def keep_options(folder: RunFolder, facts: RunFacts) -> None:
    """From now on the run in `folder` has these options.

    Raises:
        RunInUse: somebody works on it, and nothing was changed.
    """
    with shared_lock(folder.frontier) if folder.frontier.exists() else nullcontext():
        folder.write_facts(facts)


def ask_robots(url: Url, config: RunConfig) -> RobotsCopy | RobotsOutcome:
    """What the server of this URL, which the user named, answers to `/robots.txt` now.

    Raises:
        SystemExit: a signal came first; with the exit code that a shell gives it.
    """
    clock = SystemClock()

    async def main(stop: loop.Stop) -> RobotsCopy | RobotsOutcome:
        found: list[RobotsCopy | RobotsOutcome] = []

        async def look(fetcher: Fetcher) -> None:
            found.append(await ask(fetcher, Request(url=url, named=True), None, clock))
            stop.request_drain()

        async with HttpFetcher(config.fetch, clock=clock) as fetcher, background(look, fetcher):
            await stop.wait_draining()
        if not found:
            raise SystemExit(128 + (stop.signal or 0))
        return found[0]

    return loop.run(main)


def _within_open_files(config: RunConfig, show: Show) -> RunConfig:
    """Lower a concurrency that cannot be had, and say so: a fetch needs a socket, and a socket is an open file."""
    files = loop.raise_open_files()
    slots, most = config.engine.concurrency, most_slots(files)
    lets = f"this system lets a process open {files} files (ulimit -n)"
    if slots > most:
        show.note(f"concurrency lowered to {most}: {lets}; raise it to {files_for(slots)}, if you may")
        return replace(config, engine=replace(config.engine, concurrency=most))
    if (dials := dials_for(slots)) < wanted_dials(slots):
        show.note(f"at most {dials} hosts are dialled at once: {lets}")
    return config


def peak_rss_mb() -> float:
    """The most memory that this process has had resident, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if os.uname().sysname == "Linux" else peak / 1024 / 1024


def _rss() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:  # macOS
        return int(peak_rss_mb() * 1024 * 1024)
    return pages * resource.getpagesize()
