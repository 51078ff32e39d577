"""`crawler models`: the same job under every concurrency model of Python, side by side."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
from msgspec import convert

from crawler.cli.options import KnobCommand, given, knobs, writable
from crawler.cli.tracefile import Tracing, trace_file
from crawler.core.errors import UsageError
from crawler.models.comparison import Server, check, compare, serving, sweep
from crawler.models.config import MODELS, MODELS_OPTIONS, ModelsConfig, configure_models
from crawler.runtime.loop import terminable

EXAMPLES = """\b
Examples:
  crawler models                              # 300 pages, 20 ms each: waiting
  crawler models --latency 0 --parse-cost 40  # no waiting, computing
  crawler models --sweep --html models.html   # from one to the other
  crawler models --gil                        # who holds the GIL how long
  crawler models --model threads --model asyncio --latency 0.2
  crawler models --alone pipeline --site http://127.0.0.1:8000  # to profile
"""
_SWEPT = {"pages": 100, "latency": 0.05}
_ALONE = (*MODELS, "clients")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsFlags:
    """Flags of `models`, besides its knobs."""

    sweep: bool
    page: str | None
    gil: bool
    site: str | None
    alone: str | None
    trace: str | None
    as_json: bool
    quiet: bool


class ModelsCommand(KnobCommand):
    """Command with the knobs of the comparison."""

    knobs = MODELS_OPTIONS


@click.command(cls=ModelsCommand, epilog=EXAMPLES)
@knobs(options=MODELS_OPTIONS)
@click.option(
    "--sweep",
    is_flag=True,
    help="Read each page 1, 5, 25 and 125 times, and draw who is quick where: two minutes, 100 pages of 50 ms.",
)
@click.option("--html", "page", metavar="FILE", help="With --sweep: also draw it into this HTML file.")
@click.option(
    "--gil",
    is_flag=True,
    help="Measure the GIL instead: reading in threads and processes, and who holds it for how long.",
)
@click.option("--site", metavar="URL", help="Fetch from this site (crawler serve --plain) instead of a built-in one.")
@click.option(
    "--alone",
    metavar="NAME",
    type=click.Choice(_ALONE),
    help="Run one model in this process and print its figures as JSON, as the command does for each row.",
)
@click.option("--trace", metavar="FILE", help="Write the pipeline's steps as a trace for `crawler timeline`.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Show nothing while it runs.")
def command(**parameters: object) -> int:
    """Fetch, read and write pages of the built-in site under each concurrency model, and compare them."""
    flags, asked = convert(parameters, ModelsFlags), given(parameters, MODELS_OPTIONS)
    config = configure_models({**_SWEPT, **asked} if flags.sweep else asked)
    check(flags.site)
    chosen = [f"--{name}" for name in ("sweep", "gil", "alone") if getattr(flags, name)]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)}: give one of them")
    if flags.page and not flags.sweep:
        raise UsageError("--html: give --sweep, too; it is what the page shows")
    if flags.sweep and "parse-cost" in asked:
        raise UsageError("--sweep and --parse-cost: give one of them, a sweep tries several costs")
    if flags.alone and not flags.site:
        raise UsageError("--alone: give a --site, too; `crawler serve --plain` serves one")
    run = (flags.alone,) if flags.alone else config.crew.chosen
    if flags.trace and ("pipeline" not in run or flags.sweep or flags.gil):
        raise UsageError("--trace: only the pipeline can be traced, in a comparison or --alone")
    if flags.alone and flags.site:
        return _alone(flags.alone, flags.site, config, trace_file(flags.trace))
    with terminable(), _progress(quiet=flags.quiet) as show:
        if flags.gil:
            from crawler.models.assemble import measure_gil
            from crawler.models.gil_report import gil_json, gil_text

            facts = measure_gil(show)
            show("")
            click.echo(gil_json(facts) if flags.as_json else gil_text(facts), nl=not flags.as_json)
            return 0
        return (_sweep if flags.sweep else _compare)(config, flags, show)


def _alone(name: str, site: str, config: ModelsConfig, trace: Path | None) -> int:
    import msgspec

    from crawler.models.assemble import TASKS, alone, clients_alone

    tracing = Tracing(trace, "models, the pipeline", config.crew.workers or TASKS) if trace else None
    if name == "clients":
        click.echo(msgspec.json.encode(clients_alone(config, site)))
    else:
        click.echo(msgspec.json.encode(alone(name, config, site, tracing.observer if tracing else None)))
    if tracing:
        tracing.write()
    return 0


def _compare(config: ModelsConfig, flags: ModelsFlags, show: Callable[[str], None]) -> int:
    from crawler.models.report import models_json, models_text

    trace = trace_file(flags.trace)
    with _server(config, flags.site) as server:
        comparison = compare(config, server, show, trace)
    show("")
    click.echo(models_json(comparison) if flags.as_json else models_text(comparison), nl=not flags.as_json)
    return 0 if comparison.is_whole else 1


def _sweep(config: ModelsConfig, flags: ModelsFlags, show: Callable[[str], None]) -> int:
    from crawler.models.sweep import sweep_json, sweep_text
    from crawler.models.sweep_page import sweep_page
    from crawler.run.disk import write_whole

    page = writable("html", flags.page)
    with _server(config, flags.site) as server:
        swept = sweep(config, server, show)
    show("")
    click.echo(sweep_json(swept) if flags.as_json else sweep_text(swept), nl=not flags.as_json)
    if page is not None:
        write_whole(page, [sweep_page(swept).encode()])
    return 0 if swept.is_whole else 1


def _server(config: ModelsConfig, site: str | None) -> AbstractContextManager[Server]:
    return nullcontext(Server(site=site)) if site else serving(config.job)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show a line on a terminal that names the current step, and remove it at the end."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(text: str) -> None:
        click.echo(f"\r\x1b[2K{text}", nl=False, err=True)

    try:
        yield show
    finally:
        show("")
