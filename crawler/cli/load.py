"""`crawler load`: a load test of a server of this machine, with a verdict on its figures."""

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from msgspec import convert

from crawler.cli.named_files import NamedFiles
from crawler.cli.options import KnobCommand, given, knobs
from crawler.core.errors import UsageError
from crawler.load.config import LOAD_OPTIONS, LoadConfig
from crawler.load.contradictions import configure_load
from crawler.load.live import LoadLines, LoadSilence, LoadTerminal
from crawler.version import __version__

EXAMPLES = """\b
Examples:
  crawler load http://127.0.0.1:8000/  # as much as 64 users can
  crawler load http://127.0.0.1:8000/ -c 10 -n 5000  # 5,000 requests by 10
  crawler load http://127.0.0.1:8000/ --rate 500 -d 30  # whatever happens
  crawler load http://127.0.0.1:8000/ --rate 500 --poisson --seed 7
  crawler load http://127.0.0.1:8000/ --stages 10s:100,30s:1000,10s:0
  crawler load http://127.0.0.1:8000/ --threshold 'p99<50ms'  # exit 8 if not
  crawler load http://127.0.0.1:8000 --targets access.log --replay=2
  crawler load 'http://127.0.0.1:8000/users/${id}' --feed users.csv
"""
NOTHING_OK = 1
THRESHOLD_MISSED = 8
FAILING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFlags:
    """Flags of `load`, besides its knobs."""

    save_histogram: str | None
    csv: str | None
    html: str | None
    metrics: int | None
    as_json: bool
    quiet: bool


class LoadCommand(KnobCommand):
    """Command with the knobs of a load test."""

    knobs = LOAD_OPTIONS


@click.command(cls=LoadCommand, epilog=EXAMPLES)
@click.argument("url", required=False)
@knobs(options=LOAD_OPTIONS)
@click.option("--save-histogram", metavar="FILE", help="Write response and service times as an HDR histogram log.")
@click.option(
    "--csv", metavar="FILE", help="Write a row per second: counts, percentiles, failures, the client's share."
)
@click.option("--html", metavar="FILE", help="Write the report as one HTML page with charts; it needs no network.")
@click.option(
    "--metrics",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="While it runs, serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 = any free port.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Show nothing while it runs.")
def command(url: str | None, **parameters: object) -> int:
    """Load-test URL, a server of this machine; the command refuses other machines.

    With a file of --targets, URL is the server that gets all of them, or is left out: each line then names its own.
    """
    from crawler.load.csv_rows import csv_text
    from crawler.load.hdr_log import hdr_log
    from crawler.load.page.load_page import load_page
    from crawler.load.report import gate_text, load_text
    from crawler.load.result import LoadVerdict
    from crawler.load.run import run
    from crawler.load.watching import MetricsPort

    config, flags = configure_load(given(parameters, LOAD_OPTIONS)), convert(parameters, LoadFlags)
    if url is None and config.targets.targets is None:
        raise UsageError("give the URL of the server to test, or a file of --targets that names it")
    files = NamedFiles({"save-histogram": flags.save_histogram, "csv": flags.csv, "html": flags.html})
    port = None if flags.metrics is None else MetricsPort(port=flags.metrics, told=_tell_port)
    with _view(url, config, quiet=flags.quiet) as view:
        result, signum = run(url, config, view.show, view.SECONDS, port)
    gates = [(gate.threshold, gate.is_kept, gate.figure) for gate in result.gates]
    if flags.as_json:
        click.echo(result.to_json())
        click.echo("".join(f"{line}\n" for line in gate_text(gates)), nl=False, err=True)
    else:
        click.echo(load_text(result, gates))
    if "save-histogram" in files:
        log = hdr_log({"response": result.response, "service": result.service}, seconds=result.seconds)
        files.write("save-histogram", log)
    if "csv" in files:
        files.write("csv", csv_text(result))
    if "html" in files:
        files.write("html", load_page(result, gates, about_this_program()))
    if signum is not None:
        return 128 + signum
    if not all(is_kept for _, is_kept, _ in gates):
        return THRESHOLD_MISSED
    if result.verdict is LoadVerdict.FAILING:
        return FAILING
    return 0 if result.total.ok else NOTHING_OK


def _tell_port(port: int) -> None:
    click.echo(f"metrics: http://127.0.0.1:{port}/metrics", err=True)


def about_this_program() -> dict[str, str]:
    """Return what a page says of the program that made it."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"program": f"crawler {__version__}, Python {platform.python_version()}", "made": made}


def _view(url: str | None, config: LoadConfig, *, quiet: bool) -> LoadTerminal | LoadLines | LoadSilence:
    from rich.console import Console

    from crawler.load.plan_now import plan_now
    from crawler.load.target import target

    if quiet:
        return LoadSilence()
    if not sys.stderr.isatty():
        return LoadLines(sys.stderr, plan_now(config))
    stages = sum(seconds for seconds, _ in config.shape.steps())
    planned = stages or (config.shape.duration + config.shape.warmup if config.shape.duration else None)
    what = config.targets.targets if url is None else target(url).href
    return LoadTerminal(Console(stderr=True), f"load {what}", planned, plan_now(config))
