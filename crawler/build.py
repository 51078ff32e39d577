"""ASSEMBLES a crawl: the only file that knows every concrete class; one AsyncExitStack opens and closes all.

Runs on: the main thread; `run` starts the loop and all threads and processes, and ends them.
"""

import os
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Protocol

import msgspec
from msgspec import structs
from msgspec.structs import replace

from crawler.core.budget import Budget
from crawler.core.config import RunConfig
from crawler.core.errors import UsageError
from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.messages import Request
from crawler.core.metrics import Sample
from crawler.core.protocols import Board, Clock, Fetcher, Frontier, Observer, Parser, Reports, Sink
from crawler.core.rate_limits import RateGate, Throttles
from crawler.core.scope import LinkJudge, Scope
from crawler.core.urls import Url
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetcher import HttpFetcher
from crawler.downloader.tls import tls_for
from crawler.downloader.told_cookies import WithJar
from crawler.engine.crawl import Crawl
from crawler.engine.group_commit import GroupCommit
from crawler.engine.journal import BOUNDS, Journal, StorageThread
from crawler.engine.lease_term import LeasedFetcher, LeaseTerm
from crawler.engine.leases import LeaseRefiller
from crawler.engine.lives import in_lives
from crawler.engine.outage import NameOutage
from crawler.engine.outcomes import Judge
from crawler.engine.own_share import OwnShare
from crawler.engine.politeness import Politeness
from crawler.engine.robots_cache import RobotsCache, fetch_robots
from crawler.engine.scheduler import Scheduler
from crawler.engine.seeds import Seeds
from crawler.engine.visit import Visits
from crawler.engine.workbench import Workbench
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.frontier.sqlite.reading import shared_lock
from crawler.parse.document import Wants
from crawler.parse.early import EarlyParser
from crawler.parse.follow import follow, follow_lists
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.pool import lanes
from crawler.parse.select import check_selector
from crawler.report.summary import MOST_HOSTS, Summary, as_json, summarize
from crawler.robots.rules import RobotsOutcome
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime import collector, loop, malloc, resident
from crawler.runtime.clock import SystemClock, boot_time
from crawler.runtime.loop import Stop
from crawler.runtime.siblings import Siblings
from crawler.runtime.slots import Places, dials_for, files_for, idle_for, most_slots, places_for, wanted_dials
from crawler.runtime.tasks import Alarm, ByteBudget, background, every
from crawler.runtime.threads import GroupThread
from crawler.runtime.worker_lane import Limits
from crawler.sinks.files import FilesSink
from crawler.sinks.jsonl import JsonlSink, StdoutSink

MEMORY = 256 * 1024 * 1024  # bodies in flight, all fetches together
OBSERVED = 0.05  # seconds between two samples for an observer


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """The user's view of a run.

    Attributes:
        sample: is called every `seconds` while it runs.
        note: tells about single events.
        observe: is told facts, and samples more often; None = no observer.
    """

    sample: Callable[[Sample], None]
    note: Callable[[str], None]
    seconds: float
    observe: Observer | None = None


class HttpClient(WithJar, AbstractAsyncContextManager["HttpClient"], Protocol):
    """A fetcher over connections, to be opened."""


class Store(Protocol):
    """The place of a frontier that several workers share."""

    def clock(self) -> Clock:
        """Return a clock that tells the time of the place."""
        ...

    def frontier(self, board: MappedBoard, policy: FrontierPolicy) -> Frontier:
        """Return the frontier of this worker, to be opened."""
        ...

    def greeting(self) -> str:
        """Return a line about the run that this worker takes part in."""
        ...

    def share(self) -> str:
        """Return a line about the part of the run that is this worker's."""
        ...


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Surroundings of one run, which tests may replace.

    Attributes:
        stop: the request to end the run.
        say: tells the user about single events.
        observe: is told facts about the run; None = no observer.
        jitter: returns a random number in [0, 1).
        thread: makes the storage thread.
        reading: returns the task that is done for each document, given the usual one.
        http: the client that is opened; None = one with connections of its own.
        jar: keeps the cookies of such a client; None = it makes one, where cookies are to be kept.
        around: returns the fetcher that is used, given the opened client.
        keeps_headers: visits have the headers of their responses.
        frontier: makes the frontier of a run that several workers share, given the board; None = the run is this
            process's alone, in its folder.
        boot_time: returns the seconds on which the leases of such a run end.
    """

    stop: Stop = msgspec.field(default_factory=Stop)
    say: Callable[[str], None] = lambda _: None
    observe: Observer | None = None
    clock: Clock = msgspec.field(default_factory=SystemClock)
    jitter: Callable[[], float] = random.random
    thread: StorageThread = GroupThread
    reading: Callable[[Task], Task] = lambda task: task
    http: HttpClient | None = None
    jar: CookieJar | None = None
    around: Callable[[HttpClient], Fetcher] = lambda client: client
    keeps_headers: bool = False
    frontier: Callable[[MappedBoard, FrontierPolicy], Frontier] | None = None
    boot_time: Callable[[], float] = boot_time


def run(
    folder: RunFolder, facts: RunFacts, show: Show, store: Store | None = None, others: Siblings | None = None
) -> tuple[Summary, int | None]:
    """Run a crawl or fetch in `folder` to its end; returns its summary and the signal that ended it early, if one did.

    `store` is where the frontier is that several workers share; `others` are those that are started beside this one.

    Raises:
        RunInUse, StorageError: the run can be resumed once the cause is mended.
    """
    facts = structs.replace(facts, config=_within_open_files(facts.config, show))
    collector.collect_less_often()
    malloc.keep_little()

    async def main(stop: Stop) -> tuple[Summary, int | None]:
        async with (others or Siblings()).beside(stop, show.note):
            summary = await _conduct(folder, facts, show, stop, store)
        return summary, stop.signal

    summary, signal = loop.run(main)
    folder.write_summary(as_json(summary))
    return summary, signal


def check_files(config: RunConfig, reading: Callable[[Task], Task] = lambda task: task) -> None:
    """Refuse a configuration that no crawl can be made of, such as a missing file or an invalid proxy.

    `reading` is that of the `Environment`.

    Raises:
        UsageError: an option is wrong; the message names it.
    """
    HttpFetcher(config.fetch, clock=SystemClock())
    tls_for(config.fetch, trusted=True)
    if config.parse.workers != 0 and (config.parse.extract or "").startswith("__main__:"):
        raise UsageError("--extract: worker processes cannot import the main script: use a module, or --workers 0")
    PageReader(reading(_task(config, follows=True)))
    policy_of(config, follows=True)


async def _conduct(folder: RunFolder, facts: RunFacts, show: Show, stop: Stop, store: Store | None) -> Summary:
    async def live() -> Summary:
        environment = Environment(stop=stop, say=show.note, observe=show.observe)
        if store is not None:
            environment = structs.replace(environment, clock=store.clock(), frontier=store.frontier)
        return await _live(folder, facts, show, environment)

    return await in_lives(live, show.note)


async def _live(folder: RunFolder, facts: RunFacts, show: Show, environment: Environment) -> Summary:
    async with AsyncExitStack() as stack:
        crawl = await assemble(stack, folder, facts, environment)
        lag = await stack.enter_async_context(loop.LagProbe())
        await stack.enter_async_context(sampled(crawl, lag, show.seconds, show.sample))
        if show.observe is not None:
            await stack.enter_async_context(sampled(crawl, lag, OBSERVED, show.observe))
        ending = await crawl.run()

        def account(reports: Reports) -> Summary:
            return summarize(
                ending.totals,
                peak_rss_mb=resident.peak() / (1 << 20),
                stopped_by=ending.stopped_by,
                hosts=reports.hosts(agent_of(facts.config), MOST_HOSTS),
                examples=reports.examples(),
                lost_seeds=reports.lost_seeds(),
            )

        return await crawl.journal.report(account)


async def assemble(stack: AsyncExitStack, folder: RunFolder, facts: RunFacts, environment: Environment) -> Crawl:
    """Make a crawl in `folder`; its storage, connections and workers are opened on `stack`."""
    clock, config, follows = environment.clock, facts.config, facts.command == "crawl"
    limit = config.engine.concurrency
    is_throttled = config.fetch.limit_rate is not None  # then answers are slow because we make them so
    places = places_for(limit, now=clock.monotonic, is_relieved=not is_throttled)
    board = MappedBoard(folder.board, places.most + BOUNDS.max_items + BOUNDS.group_items)
    policy, frontier = policy_of(config, follows=follows), environment.frontier
    lines: Sink = StdoutSink() if config.output.to_stdout else JsonlSink(folder.path)
    sinks = [FilesSink(folder.path), lines] if config.output.files else [lines]  # a line names its file

    def derive(reports: Reports) -> None:
        if facts.worker in (None, 1):  # it has the list
            folder.write_rejected(reports.rejected(), facts.sources)
        if follows and config.scope.check:
            folder.write_broken(reports.broken())

    kept: Frontier
    if frontier is None:
        kept, term = SqliteFrontier(folder.frontier, board, create=folder.is_new, policy=policy), None
    else:
        kept, term = frontier(board, policy), LeaseTerm(environment.boot_time)
    storage = GroupCommit(kept, sinks, clock, derive)
    journal = await stack.enter_async_context(
        Journal(storage, board, clock, environment.thread, lingers=term is not None)
    )
    if environment.observe is not None:
        journal.observe(environment.observe)
    task = environment.reading(structs.replace(_task(config, follows=follows), keep=config.output.files))
    http = await stack.enter_async_context(environment.http or http_for(config, clock, environment.jar, term))
    workers = config.parse.workers if config.parse.workers is not None else (os.cpu_count() or 1)
    parser: Parser
    if workers:
        limits = Limits(cpu_seconds=config.parse.parse_timeout)
        parser = EarlyParser(await stack.enter_async_context(lanes(task, workers, limits)), task)
    else:
        parser = InlineParser(task)
    fetcher = environment.around(http)
    leased = None if term is None else LeasedFetcher(fetcher, term)
    plugs = _Plugs(leased or fetcher, parser, journal, board, places, leased)
    return _compose(plugs, Seeds(folder.seeds, facts.tables), config, environment, follows=follows)


def http_for(
    config: RunConfig, clock: Clock, jar: CookieJar | None = None, term: LeaseTerm | None = None
) -> HttpFetcher:
    """Return the usual client of a crawl; `jar` keeps its cookies, or one of its own where they are to be kept.

    It sends nothing after the end of the `term`.
    """
    if jar is None and config.cookies.cookies:
        jar = CookieJar()
    check = None if term is None else term.check
    return HttpFetcher(config.fetch, clock=clock, jar=jar, idle_limit=idle_for(), check=check)


class _Plugs(msgspec.Struct, frozen=True):
    """Parts of a crawl that differ with its folder and its surroundings."""

    fetcher: Fetcher
    parser: Parser
    journal: Journal
    board: Board
    places: Places
    leased: LeasedFetcher | None


def _compose(plugs: _Plugs, seeds: Seeds, config: RunConfig, environment: Environment, *, follows: bool) -> Crawl:
    clock, say, journal = environment.clock, environment.say, plugs.journal
    judge = Judge(config.engine.retries, LinkJudge(config.scope) if follows else None)
    politeness = _politeness(plugs, judge, config, environment)
    budget, outage, wake = Budget(config.budget), NameOutage(clock, say), Alarm()
    rate = RateGate(config.politeness.rate)
    share = None if plugs.leased is None else OwnShare(plugs.leased, budget, rate, politeness)
    leases = LeaseRefiller(journal, politeness.workbench, politeness.robots, budget, clock, wake, share)
    visits = Visits(
        politeness=politeness,
        parser=plugs.parser,
        judge=judge,
        journal=journal,
        memory=ByteBudget(MEMORY),
        budget=budget,
        board=plugs.board,
        outage=outage,
        clock=clock,
        jitter=environment.jitter,
        wake=wake,
        observe=environment.observe,
        keeps_headers=environment.keeps_headers,
    )
    scheduler = Scheduler(
        workbench=politeness.workbench,
        places=plugs.places,
        rate=rate,
        budget=budget,
        leases=leases,
        board=plugs.board,
        politeness=politeness,
        visits=visits,
        clock=clock,
        wake=wake,
        share=share,
    )
    return Crawl(
        journal=journal,
        scheduler=scheduler,
        leases=leases,
        places=plugs.places,
        budget=budget,
        outage=outage,
        seeds=seeds,
        clock=clock,
        stop=environment.stop,
        say=say,
        wake=wake,
        share=share,
    )


def _politeness(plugs: _Plugs, judge: Judge, config: RunConfig, environment: Environment) -> Politeness:
    clock, limit = environment.clock, plugs.places.limit
    robots = None
    if config.politeness.robots:
        robots = RobotsCache(plugs.fetcher, plugs.journal, clock, agent=agent_of(config))
    return Politeness(
        fetcher=plugs.fetcher,
        workbench=Workbench(Throttles(config.politeness, limit, ahead=clock.monotonic() - clock.wall()).of, limit),
        robots=robots,
        notes=plugs.journal,
        clock=clock,
        jitter=environment.jitter,
        say=environment.say,
        retries=judge.retries,
        discover=judge.links if config.scope.discover_sitemaps else None,
    )


def policy_of(config: RunConfig, *, follows: bool) -> FrontierPolicy:
    """Return the policy of the frontier: a list of URLs knows no scope, no depth and no traps."""
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


def agent_of(config: RunConfig) -> str:
    """Return the product token, by which robots.txt and pages may address this robot."""
    return config.fetch.user_agent.partition("/")[0]


def sampled(
    crawl: Crawl, lag: loop.LagProbe, seconds: float, show: Callable[[Sample], object]
) -> AbstractAsyncContextManager[None]:
    """Show a sample of the crawl every `seconds` beside the block."""
    started, places, metrics = crawl.clock.monotonic(), crawl.places, crawl.metrics

    def look() -> None:
        now = crawl.clock.monotonic()
        pages, size = metrics.rates(now)
        sample = Sample(
            totals=metrics.totals,
            at=now,
            seconds=now - started,
            pages_per_second=pages,
            bytes_per_second=size,
            fetching=places.fetching,
            waiting=places.waiting,
            queued=crawl.scheduler.workbench.queued,
            inbox=crawl.journal.depth,
            rss=resident.now(),
            lag=lag.last,
            worst_lag=lag.worst,
        )
        show(sample)

    return background(every, seconds, look)


def keep_options(folder: RunFolder, facts: RunFacts) -> None:
    """Store these options for the run in `folder`.

    Raises:
        RunInUse: another process works on it, and nothing was changed.
    """
    with shared_lock(folder.frontier) if folder.frontier.exists() else nullcontext():
        folder.write_facts(facts)


def ask_robots(url: Url, config: RunConfig) -> RobotsCopy | RobotsOutcome:
    """Return the answer of this URL's server, which the user named, to `/robots.txt` now.

    Raises:
        SystemExit: a signal came first; with the exit code that a shell gives it.
    """
    clock = SystemClock()

    async def main(stop: Stop) -> RobotsCopy | RobotsOutcome:
        found: list[RobotsCopy | RobotsOutcome] = []

        async def look(fetcher: Fetcher) -> None:
            found.append(await fetch_robots(fetcher, Request(url=url, named=True), None, clock))
            stop.request_drain()

        async with HttpFetcher(config.fetch, clock=clock) as fetcher, background(look, fetcher):
            await stop.wait_draining()
        if not found:
            raise SystemExit(128 + (stop.signal or 0))
        return found[0]

    return loop.run(main)


def _within_open_files(config: RunConfig, show: Show) -> RunConfig:
    """Lower a concurrency for which there are too few open files, and say so: each fetch needs a socket."""
    files = loop.raise_open_files()
    slots, most = config.engine.concurrency, most_slots(files)
    lets = f"this system lets a process open {files} files (ulimit -n)"
    if slots > most:
        show.note(f"concurrency lowered to {most}: {lets}; raise it to {files_for(slots)}, if you may")
        return replace(config, engine=replace(config.engine, concurrency=most))
    if (dials := dials_for(slots)) < wanted_dials(slots):
        show.note(f"at most {dials} hosts are dialled at once: {lets}")
    return config
