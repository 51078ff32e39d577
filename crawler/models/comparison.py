"""Each model in a process of its own, one after the other, against one server, which has a process, too.

Rules
- A model's process is this program again, asked to run one model alone; it prints its figures, and what it cannot know
  of itself is seen from here.
- What is interrupted here leaves nothing behind: neither process nor file.
Runs on: the main thread.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from crawler.core.errors import InternalError, UrlError, UsageError
from crawler.core.rate_limits import is_loopback
from crawler.core.urls import parse
from crawler.models.config import JobConfig, ModelsConfig, arguments
from crawler.models.figures import ClientCosts, Comparison, Figures, Sweep
from crawler.models.process_tree import cpu_of
from crawler.models.subprocesses import Ended, run_apart

COSTS = (1, 5, 25, 125)
"""How often each page is read at the points of a sweep."""


def check(site: str | None) -> None:
    """Refuse a site that is somebody else's, and a system that does not tell what a process costs.

    Raises:
        UsageError: it says why.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise UsageError("crawler models reads in /proc what each process costs, and only Linux has it")
    try:
        is_ours = site is None or (is_loopback(parse(site).host_port) and parse(site).target == "/")
    except UrlError:
        is_ours = False
    if not is_ours:
        raise UsageError("--site: expected a site of this machine, such as http://127.0.0.1:8000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A built-in site, and the process that serves it; 0 = it is not ours."""

    site: str
    pid: int = 0


def client_costs(config: ModelsConfig, server: Server, show: Callable[[str], None]) -> ClientCosts:
    """What the clients cost: at a site that answers at once, where it is ours to choose."""
    show("the two clients, each by itself")
    at_once = replace(config, job=replace(config.job, latency=0.0))
    with serving(at_once.job) if server.pid else nullcontext(server) as quick:
        return msgspec.json.decode(_output("clients", _start("clients", at_once, quick)), type=ClientCosts)


def compare(
    config: ModelsConfig,
    server: Server,
    show: Callable[[str], None],
    trace: Path | None = None,
    clients: ClientCosts | None = None,
) -> Comparison:
    """The job under each model, one after the other; `show` is told which begins, `trace` has what the pipeline did.

    Raises:
        KeyboardInterrupt: and then nothing that was started runs any more.
    """
    clients = clients or client_costs(config, server, show)
    rows = []
    for number, name in enumerate(config.crew.chosen, 1):
        show(f"model {number} of {len(config.crew.chosen)}: {name}")
        rows.append(_row(name, config, server, trace if name == "pipeline" else None))
    return Comparison(
        pages=config.job.pages,
        latency=config.job.latency,
        parse_cost=config.job.parse_cost,
        cores=os.cpu_count() or 1,
        python=interpreter(),
        rows=tuple(rows),
        clients=clients,
    )


def sweep(config: ModelsConfig, server: Server, show: Callable[[str], None]) -> Sweep:
    """The comparison at each of COSTS, from a job of waiting to one of computing."""
    clients = client_costs(config, server, show)

    def at(cost: int) -> Comparison:
        job = replace(config.job, parse_cost=cost)
        return compare(
            replace(config, job=job), server, lambda text: show(f"read {cost} times, {text}"), clients=clients
        )

    return Sweep(points=tuple(map(at, COSTS)))


def interpreter() -> str:
    """Which Python this is."""
    return f"{platform.python_implementation()} {platform.python_version()}"


@contextmanager
def serving(job: JobConfig) -> Iterator[Server]:
    """A built-in site in a process of its own, until the block ends."""
    asked = ["--plain", "--pages", str(job.pages), "--latency", str(job.latency)]
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "crawler.site", *asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            ready = process.stdout.readline()
            if not ready:
                raise InternalError("the built-in site did not start")
            yield Server(site=json.loads(ready)["urls"][0], pid=process.pid)
        finally:
            process.stdin.close()  # its leash


def _row(name: str, config: ModelsConfig, server: Server, trace: Path | None) -> Figures:
    before = cpu_of(server.pid) if server.pid else 0.0
    ended = _start(name, config, server, trace)
    if ended.killer:
        figures = Figures(model=name, ended=f"killed by {ended.killer}")
    elif ended.code not in {0, 130}:
        figures = Figures(model=name, ended=f"exit code {ended.code}: {ended.errors.strip()[-300:]}")
    else:
        figures = msgspec.json.decode(_output(name, ended), type=Figures)
    return replace(
        figures,
        processes=max(figures.processes, ended.peak.processes),
        threads=max(figures.threads, ended.peak.threads),
        memory=max(figures.memory, ended.peak.memory),
        server_cpu=cpu_of(server.pid) - before if server.pid else None,
    )


def _start(name: str, config: ModelsConfig, server: Server, trace: Path | None = None) -> Ended:
    wanted = arguments(config.job, config.crew.workers) + (["--trace", str(trace)] if trace else [])
    command = [sys.executable, "-m", "crawler", "models", "--alone", name, "--site", server.site, *wanted]
    with TemporaryDirectory(prefix="models-") as folder:  # for its files, which are gone even if that process is killed
        return run_apart(command, {**os.environ, "TMPDIR": folder})


def _output(name: str, ended: Ended) -> bytes:
    """What it printed.

    Raises:
        KeyboardInterrupt: it was interrupted.
        InternalError: it failed in a way that no model should.
    """
    if ended.code == 130:
        raise KeyboardInterrupt
    if ended.code:
        raise InternalError(f"{name} ended with exit code {ended.code}: {ended.errors.strip()[-300:]}")
    return ended.output
