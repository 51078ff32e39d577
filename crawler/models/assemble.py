"""ASSEMBLES the job of `crawler models` from the crawler's own parts, and names the models that do it.

Rules
- The pipeline is the crawler itself: `build.py` opens it, as for any run.
Runs on: the main thread.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec.structs import replace

from crawler.build import OBSERVED, Environment, assemble, sampled
from crawler.core.config import EngineConfig, OutputConfig, ParseConfig, PolitenessConfig, RunConfig
from crawler.core.messages import Request, Response
from crawler.core.protocols import Observer
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.downloader.fetcher import HttpFetcher
from crawler.models import (
    asyncio_alone,
    asyncio_threads,
    gil,
    pipeline,
    process_pool,
    processes,
    sequential,
    thread_pool,
    threads,
)
from crawler.models.clients import client_costs
from crawler.models.comparison import interpreter
from crawler.models.config import ModelsConfig
from crawler.models.figures import ClientCosts, Figures
from crawler.models.gil_figures import GilFacts
from crawler.models.http_client import BlockingClient
from crawler.models.job import Job, JobFailure, JobPage, JobWatch, Model, Result, Results, Work
from crawler.models.loose_files import write_loose
from crawler.models.measure import measure
from crawler.parse.early import EarlyParser
from crawler.parse.html import parse_tree
from crawler.parse.page_reader import PageReader, Task
from crawler.run.folder import RunFacts, RunFolder
from crawler.runtime import loop, malloc
from crawler.runtime.clock import SystemClock
from crawler.runtime.worker import die_with
from crawler.site.plan import SitePlan
from crawler.site.truth import Site

MODELS: dict[str, Model] = {
    "sequential": sequential.run,
    "threads": threads.run,
    "thread-pool": thread_pool.run,
    "processes": processes.run,
    "process-pool": process_pool.run,
    "asyncio": asyncio_alone.run,
    "asyncio-threads": asyncio_threads.run,
    "pipeline": pipeline.run,
}
_THREADS, TASKS = 32, 256
_GIL_PAGES, _READINGS, _TRIES, _SHARES, _HEARTBEAT = 200, 8, 3, (1, 2, 4), 0.8  # the best try counts


# --- in the process of one model ----------------------------------------------------------------------------------


def alone(name: str, config: ModelsConfig, site: str, observer: Observer | None = None) -> Figures:
    """Run one model in this process, which ends with its parent; an observer hears what the pipeline does."""
    die_with(os.getppid())
    with TemporaryDirectory() as folder:
        job = job_of(config, site, Path(folder), observer)
        return measure(name, MODELS[name], job, Path(folder) / "files")


def clients_alone(config: ModelsConfig, site: str) -> ClientCosts:
    """Measure the cost of the two clients in this process, which ends with its parent."""
    die_with(os.getppid())
    with TemporaryDirectory() as folder:
        return client_costs(job_of(config, site, Path(folder)))


def job_of(config: ModelsConfig, site: str, folder: Path, observer: Observer | None = None) -> Job:
    """Return the job at the built-in site that is served at `site`; its files go below `folder`."""
    run, workers = RunConfig(), config.crew.workers
    urls = Site(SitePlan.plain(pages=config.job.pages), [site.rstrip("/")]).urls()
    (files := folder / "files").mkdir()
    reader = PageReader(Task(max_decoded=run.fetch.max_decoded, keep=True, times=config.job.parse_cost))
    tasks = workers or TASKS
    return Job(
        requests=[Request(url=parse(url), named=True) for url in urls],
        work=Work(
            prepare=malloc.keep_warm,
            connect=partial(BlockingClient, run.fetch),
            parse=reader.read_response,
            write=partial(write_loose, files),
        ),
        open_fetcher=partial(HttpFetcher, run.fetch, clock=SystemClock(), idle_limit=tasks),
        pipeline=partial(_pipeline, config.job.parse_cost, files, observer),
        threads=workers or _THREADS,
        tasks=tasks,
        processes=workers or os.cpu_count() or 1,
    )


def _pipeline(parse_cost: int, files: Path, observer: Observer | None, job: Job, watch: JobWatch) -> Results:
    """Do the job as `crawler fetch --save jsonl,files` does, without robots.txt and without retries."""
    config = RunConfig(
        output=OutputConfig(save="jsonl,files"),
        engine=EngineConfig(concurrency=job.tasks, retries=0),
        politeness=PolitenessConfig(robots=False),
        parse=ParseConfig(workers=job.processes),
    )
    run = RunFolder(files.with_name("run"))
    with run.beginning():
        sources = run.write_seeds(request.url.href for request in job.requests)
        facts = RunFacts(command="fetch", sources=sources, config=config, seeds_bytes=run.seeds.stat().st_size)
        run.write_facts(facts)

    async def main(stop: loop.Stop) -> int | None:
        async with AsyncExitStack() as stack:
            environment = Environment(stop=stop, observe=observer, reading=partial(replace, times=parse_cost))
            crawl = await assemble(stack, run, facts, environment)
            parser = crawl.scheduler.visits.parser
            assert isinstance(parser, EarlyParser)  # noqa: S101 - there are workers
            await parser.start()
            lag = await stack.enter_async_context(loop.LagProbe())
            if observer is not None:
                await stack.enter_async_context(sampled(crawl, lag, OBSERVED, observer))
            with watch:
                await crawl.run()
            watch.lag = lag.worst
        return stop.signal

    signum = loop.run(main)
    if signum is not None:
        raise KeyboardInterrupt
    (run.path / "files").rename(files)
    lines = run.pages.read_bytes().splitlines()
    return Results(msgspec.json.decode(line, type=_ModelLine).outcome() for line in lines)


class _ModelLine(msgspec.Struct):
    """The fields of a line of `pages.jsonl` that every model knows."""

    url: str
    status: int | None
    reason: str
    sha256: str | None
    title: str | None
    links: int | None

    def outcome(self) -> tuple[str, Result]:
        """Return the URL and its result, in the words of the other models."""
        if self.reason == Reason.OK and self.sha256 is not None:
            return self.url, JobPage(self.sha256, self.title, self.links)
        is_error_status = self.status not in (None, 200)
        return self.url, JobFailure(f"status {self.status}" if is_error_status else self.reason)


# --- the GIL ---


def measure_gil(show: Callable[[str], None]) -> GilFacts:
    """Measure reading in threads and processes, and a heartbeat beside several kinds of work, in this process."""
    site = Site(SitePlan.plain(pages=_GIL_PAGES))  # without a server
    pages = [
        Response(
            request=Request(url=parse(url)),
            status=200,
            headers=tuple((name.encode(), value.encode()) for name, value in page.headers),
            body=page.body,
        )
        for url, path in zip(site.urls(), site.paths(0), strict=True)
        if (page := site.page(0, path)) is not None
    ]
    reading = partial(gil.read_all, PageReader(Task(max_decoded=RunConfig().fetch.max_decoded)).read_response, pages)
    malloc.keep_warm()
    speeds, in_processes = [], partial(gil.in_processes, prepare=malloc.keep_warm)
    for kind, share in (("threads", gil.in_threads), ("processes", in_processes)):
        for count in _SHARES:
            show(f"reading, shared among {kind}: {count}")
            tries = [share(reading, _READINGS, count) for _ in range(_TRIES)]
            speeds.append(min(tries, key=lambda speed: speed.seconds))
    document, numbers = b"".join(page.body for page in pages), [n * 7919 % 1_000_003 for n in range(300_000)]
    works: dict[str, tuple[gil.Work, bool]] = {
        "Python bytecode": (gil.loop_of_python, False),
        "sorted(), one call": (partial(sorted, numbers), True),
        "hashlib.sha256, one call": (partial(hashlib.sha256, document), True),
        "lexbor's parser, one call": (partial(parse_tree, document), True),
    }
    show("a heartbeat beside work")
    return GilFacts(
        python=interpreter(),
        build=gil.build(),
        enabled=gil.has_gil(),
        cores=os.cpu_count() or 1,
        speeds=tuple(speeds),
        lateness=gil.lateness(works, _HEARTBEAT),
    )
