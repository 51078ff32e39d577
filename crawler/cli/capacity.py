"""`crawler capacity`: the highest rate at which a server of this machine keeps a service level."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

import click

from crawler.cli.load import FAILING, NOTHING_OK, about_this_program
from crawler.cli.named_files import NamedFiles
from crawler.cli.options import KnobCommand, given, knobs
from crawler.load.capacity.config import CAPACITY_OPTIONS, configure_capacity
from crawler.load.capacity.display import SearchSilence, SearchView
from crawler.load.capacity.live import SearchLines, SearchTerminal
from crawler.load.capacity.result import CapacityResult
from crawler.load.capacity.search import Ending

EXAMPLES = """\b
Examples:
  crawler capacity http://127.0.0.1:8000/ --slo 'p99<50ms'
  crawler capacity http://127.0.0.1:8000/ --slo 'p95<20ms' --slo 'errors<0.1%'
  crawler capacity http://127.0.0.1:8000/ --slo 'p99<1s' --from 5 --to 200
  crawler capacity http://127.0.0.1:8000/ --slo 'p99<50ms' --at-least 800
"""
LEVEL_MISSED = 8
NO_ANSWER = 11
SERVER_FAILS = {Ending.NOTHING_OK: NOTHING_OK, Ending.FAILING: FAILING}


class CapacityCommand(KnobCommand):
    """Command with the knobs of a capacity search."""

    knobs = CAPACITY_OPTIONS


@click.command(cls=CapacityCommand, epilog=EXAMPLES)
@click.argument("url")
@knobs(options=CAPACITY_OPTIONS)
@click.option("--html", metavar="FILE", help="Write the report as one HTML page with charts; it needs no network.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Show nothing while it runs.")
def command(url: str, *, html: str | None, as_json: bool, quiet: bool, **parameters: object) -> int:
    """Find the highest rate at which URL, a server of this machine, keeps the service level --slo."""
    from crawler.load.capacity.run import run
    from crawler.load.capacity.view import page_of

    config, files = configure_capacity(given(parameters, CAPACITY_OPTIONS)), NamedFiles({"html": html})
    with _view(quiet=quiet) as view:
        result, signum = run(url, config, view)
    click.echo(result.to_json() if as_json else result.text(has_windows=quiet or not _is_one_place()))
    if "html" in files:
        files.write("html", page_of(result, about_this_program()))
    return exit_code(result) if signum is None else 128 + signum


def _view(*, quiet: bool) -> AbstractContextManager[SearchView]:
    from rich.console import Console

    if quiet:
        return nullcontext(SearchSilence())
    return SearchTerminal(Console(stderr=True)) if sys.stderr.isatty() else nullcontext(SearchLines(sys.stderr))


def _is_one_place() -> bool:
    """Return whether standard output and standard error are one terminal, file or pipe."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # one of them is no file
        return False


def exit_code(result: CapacityResult) -> int:
    """Return 0 where the demanded rate holds, 8 where it does not, 11 where only the client was measured.

    A server that fails while it is idle has the code of a load test: 1 for no good answer, 10 for failures.
    """
    if result.verdict in SERVER_FAILS:
        return SERVER_FAILS[result.verdict]
    if result.verdict in {Ending.NEVER_HOLDS, Ending.DOES_NOT_RECOVER}:
        return LEVEL_MISSED
    if result.at_least is not None and result.is_met:
        return 0
    if result.verdict in {Ending.CLIENT_BOUND, Ending.UNSTEADY}:
        return NO_ANSWER
    return 0 if result.is_met else LEVEL_MISSED
