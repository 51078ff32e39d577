"""Runs each model in a process of its own, one after the other, against one server in another process.

Rules
- A model's process is this program with `--alone NAME`. It prints its figures; this process adds those that a process
  cannot measure of itself.
- An interrupt leaves no process and no file behind.
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
from shutil import rmtree
from tempfile import gettempdir
from uuid import uuid4

import msgspec
from msgspec import structs

from crawler.core.errors import InternalError, UrlError, UsageError
from crawler.core.rate_limits import is_loopback
from crawler.core.urls import parse
from crawler.models.config import JobConfig, ModelsConfig, arguments
from crawler.models.figures import ClientCosts, Comparison, Figures, Sweep
from crawler.models.process_tree import cpu_of
from crawler.models.subprocesses import Ended, run_apart

COSTS = (1, 5, 25, 125)
"""The points of a sweep: the number of times that each page is read."""


def check(site: str | None) -> None:
    """Refuse a site of another machine, and a system without the figures of Linux's /proc.

    Raises:
        UsageError: with the reason.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        raise UsageError("crawler models needs Linux: it reads the cost of each process in /proc")
    try:
        is_ours = site is None or (is_loopback(parse(site).host_port) and parse(site).target == "/")
    except UrlError:
        is_ours = False
    if not is_ours:
        raise UsageError("--site: expected a site of this machine, such as http://127.0.0.1:8000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A built-in site and the process that serves it; 0 = another program started that."""

    site: str
    pid: int = 0


def client_costs(config: ModelsConfig, server: Server, show: Callable[[str], None]) -> ClientCosts:
    """Measure the clients, at a site without latency if this process serves the site."""
    show("the two clients, each by itself")
    at_once = structs.replace(config, job=structs.replace(config.job, latency=0.0))
    with serving(at_once.job) if server.pid else nullcontext(server) as quick:
        return msgspec.json.decode(_output("clients", _start("clients", at_once, quick)), type=ClientCosts)


def compare(
    config: ModelsConfig,
    server: Server,
    show: Callable[[str], None],
    trace: Path | None = None,
    clients: ClientCosts | None = None,
) -> Comparison:
    """Run the job under each model, one after the other; `show` gets progress, `trace` the events of the pipeline.

    Raises:
        KeyboardInterrupt: every process that was started has ended.
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
    """Compare at each of COSTS, from a job of waiting to one of computing."""
    clients = client_costs(config, server, show)

    def at(cost: int) -> Comparison:
        job = structs.replace(config.job, parse_cost=cost)
        return compare(
            structs.replace(config, job=job), server, lambda text: show(f"read {cost} times, {text}"), clients=clients
        )

    return Sweep(points=tuple(map(at, COSTS)))


def interpreter() -> str:
    """Return the implementation and version of this Python."""
    return f"{platform.python_implementation()} {platform.python_version()}"


@contextmanager
def serving(job: JobConfig) -> Iterator[Server]:
    """Serve a built-in site from a process of its own until the block ends."""
    command = [sys.executable, "-m", "crawler", "serve", "--parent-pipe", "--port", "0", "--plain"]
    command += ["--pages", str(job.pages), "--latency", str(job.latency)]
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
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
            process.stdin.close()  # ends the server


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
    folder = Path(gettempdir()) / f"models-{uuid4().hex}"
    try:  # named before it exists: a signal can come as soon as it does, and `TemporaryDirectory` would not know it yet
        folder.mkdir(mode=0o700)
        return run_apart(command, {**os.environ, "TMPDIR": str(folder)})
    finally:
        rmtree(folder, ignore_errors=True)  # the model's files, even if it was killed


def _output(name: str, ended: Ended) -> bytes:
    """Return the output of a model's process.

    Raises:
        KeyboardInterrupt: the process was interrupted.
        InternalError: the process failed in a way that no model should.
    """
    if ended.code == 130:
        raise KeyboardInterrupt
    if ended.code:
        raise InternalError(f"{name} ended with exit code {ended.code}: {ended.errors.strip()[-300:]}")
    return ended.output
