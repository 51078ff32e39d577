"""ASSEMBLES: the only file that knows every concrete class; one AsyncExitStack opens and closes all.

Runs on: the main thread; `run` starts the loop and everything beside it, and ends them.
"""

import os
import random
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from crawler.core.config import RunConfig
from crawler.core.metrics import Metrics, Sample
from crawler.core.outcomes import Judge
from crawler.core.politeness import Paces, RateGate
from crawler.core.protocols import Fetcher, Frontier, Sink
from crawler.core.workbench import Workbench
from crawler.crawl.engine import Crawl, Ending, Parts
from crawler.crawl.folder import RunFacts, RunFolder
from crawler.crawl.journal import BOUNDS, Journal
from crawler.crawl.robots_cache import RobotsCache
from crawler.crawl.verify import Verdict
from crawler.crawl.verify import verify as compare
from crawler.fetch.http import HttpFetcher
from crawler.fetch.secure import tls_for
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.board import MappedBoard
from crawler.frontier.sqlite import SqliteFrontier
from crawler.parse.inline import InlineParser
from crawler.report.summary import Summary, as_json, summarize
from crawler.runtime import loop
from crawler.runtime.clock import Clock
from crawler.runtime.tasks import ByteBudget, Slots, background, every
from crawler.sinks.jsonl import JsonlSink, StdoutSink

MEMORY = 256 * 1024 * 1024  # bodies in flight, all fetches together
_SPARE_FILES = 256  # open files that are not connections: the frontier, the output, libraries, idle connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Where a run shows itself: `sample` every `seconds` while it runs, `note` for what happens once."""

    sample: Callable[[Sample], None]
    note: Callable[[str], None]
    seconds: float


def run(folder: RunFolder, facts: RunFacts, config: RunConfig, show: Show) -> tuple[Summary, int | None]:
    """Run a crawl or fetch in `folder` to its end; gives its summary and the signal that ended it early, if one did.

    Raises:
        RunInUse, StorageError: the run can be resumed once that is mended.
    """
    config = _within_open_files(config, show)
    loop.collect_less_often()

    async def main(stop: loop.Stop) -> tuple[Summary, int | None]:
        ending = await _conduct(folder, facts, config, show, stop)
        summary = summarize(ending.totals, peak_rss_mb=peak_rss_mb(), stopped_by=ending.stopped_by)
        return summary, stop.signal

    summary, signal = loop.run(main)
    folder.write_summary(as_json(summary))
    return summary, signal


def check_files(config: RunConfig) -> None:
    """Refuse a configuration that no fetcher can be made of: a missing file, a proxy or a network that is none.

    Raises:
        UsageError: it says which option.
    """
    HttpFetcher(config.fetch, clock=Clock())
    tls_for(config.fetch, trusted=True)


async def _conduct(folder: RunFolder, facts: RunFacts, config: RunConfig, show: Show, stop: loop.Stop) -> Ending:
    async with AsyncExitStack() as stack:
        parts = replace(await assemble(stack, folder, facts, config), say=show.note)
        lag = await stack.enter_async_context(loop.LagProbe())
        watch = _Watch(parts, lag, show)
        await stack.enter_async_context(background(every, show.seconds, watch.look))
        return await Crawl(parts, stop).run()


async def assemble(
    stack: AsyncExitStack, folder: RunFolder, facts: RunFacts, config: RunConfig, *, fetcher: Fetcher | None = None
) -> Parts:
    """Everything that a crawl in `folder` is made of, opened on `stack`; `fetcher` takes the network's place."""
    clock = Clock()
    limit = config.engine.concurrency
    board = MappedBoard(folder.board, limit + BOUNDS.max_items + BOUNDS.group_items)
    frontier = SqliteFrontier(folder.frontier, board, create=folder.is_new)
    sink: Sink = StdoutSink() if config.output.save == "-" else JsonlSink(folder.path)

    def derive(closing: Frontier) -> None:
        folder.write_rejected(closing.rejected(), facts.sources)

    journal = await stack.enter_async_context(Journal(frontier, [sink], board, clock, derive))
    if fetcher is None:
        fetcher = await stack.enter_async_context(HttpFetcher(config.fetch, clock=clock, idle_limit=limit))
    agent = config.fetch.user_agent.partition("/")[0]
    return Parts(
        fetcher=fetcher,
        parser=InlineParser(config.fetch.max_decoded),
        journal=journal,
        board=board,
        workbench=Workbench(Paces(config.politeness, limit).of),
        robots=RobotsCache(fetcher, journal, clock, agent=agent) if config.politeness.robots else None,
        rate=RateGate(config.politeness.rate),
        judge=Judge(config.engine.retries),
        slots=Slots(limit),
        memory=ByteBudget(MEMORY),
        clock=clock,
        jitter=random.random,
        metrics=Metrics(),
        say=lambda _: None,
        seeds=folder.seeds,
        budget=config.budget,
    )


class _Watch:
    """Takes samples of a run."""

    def __init__(self, parts: Parts, lag: loop.LagProbe, show: Show) -> None:
        self._parts = parts
        self._lag = lag
        self._show = show
        self._started = parts.clock.monotonic()

    def look(self) -> None:
        """Show how it stands now."""
        parts = self._parts
        now = parts.clock.monotonic()
        pages, size = parts.metrics.rates(now)
        sample = Sample(
            totals=parts.metrics.totals,
            seconds=now - self._started,
            pages_per_second=pages,
            bytes_per_second=size,
            in_flight=parts.slots.in_flight,
            queued=parts.workbench.queued,
            rss=_rss(),
            lag=self._lag.last,
            worst_lag=self._lag.worst,
        )
        self._show.sample(sample)


def verify(folder: RunFolder) -> Verdict:
    """Audit the run in `folder`; see `crawl.verify`.

    Raises:
        RunInUse: somebody works on it.
        StorageDamaged: the frontier cannot be read at all.
    """
    with FrontierAudit(folder.frontier) as audit:
        return compare(audit, folder.path / JsonlSink.NAME)


def _within_open_files(config: RunConfig, show: Show) -> RunConfig:
    """A fetch needs a socket, a socket is an open file: a concurrency that cannot be had is lowered, and said so."""
    limit = loop.raise_open_files()
    most = max(1, limit - _SPARE_FILES)
    if config.engine.concurrency <= most:
        return config
    show.note(f"concurrency lowered to {most}: this system lets a process open {limit} files (ulimit -n)")
    return replace(config, engine=replace(config.engine, concurrency=most))


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
