"""`crawler models`: the same job under every concurrency model of Python, side by side."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import click

from crawler.cli.options import KnobCommand, given, knobs
from crawler.core.errors import UsageError
from crawler.core.modelconfig import MODELS, MODELS_OPTIONS, ModelsConfig, configure_models

EXAMPLES = """\b
Examples:
  crawler models                                  300 pages, 20 ms each: waiting
  crawler models --latency 0 --parse-cost 40      no waiting, computing
  crawler models --model threads --model asyncio --latency 0.2
  crawler models --alone pipeline --site http://127.0.0.1:8000   one, to profile
"""
_ALONE = (*MODELS, "clients")


class ModelsCommand(KnobCommand):
    """A command with the knobs of the comparison."""

    knobs = MODELS_OPTIONS


@click.command(cls=ModelsCommand, epilog=EXAMPLES)
@knobs(options=MODELS_OPTIONS)
@click.option("--site", metavar="URL", help="Ask this one (crawler serve --plain) instead of a site of its own.")
@click.option(
    "--alone",
    metavar="NAME",
    type=click.Choice(_ALONE),
    help="Run one model, in this very process, and print its figures as JSON: what the command starts for each row.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Show nothing while it runs.")
def command(**parameters: Any) -> int:
    """Fetch, read and write pages of the built-in site under each concurrency model, and say what each one did."""
    config = configure_models(given(parameters, MODELS_OPTIONS))
    if parameters["alone"]:
        return _alone(parameters["alone"], config, parameters["site"])
    with _progress(quiet=parameters["quiet"]) as show:
        return _compare(config, parameters, show)


def _alone(name: str, config: ModelsConfig, site: str | None) -> int:
    import msgspec

    from crawler.lineup import alone, clients_alone

    if site is None:
        raise UsageError("--alone: give a --site, too: crawler serve --plain serves one")
    figures = clients_alone(config, site) if name == "clients" else alone(name, config, site)
    click.echo(msgspec.json.encode(figures))
    return 0


def _compare(config: ModelsConfig, parameters: dict[str, Any], show: Callable[[str], None]) -> int:
    from crawler.lineup import compare
    from crawler.report.models import models_json, models_text

    with _server(config, parameters["site"]) as server:
        comparison = compare(config, server, show)
    show("")
    click.echo(
        models_json(comparison) if parameters["as_json"] else models_text(comparison), nl=not parameters["as_json"]
    )
    return 0 if comparison.is_whole else 1


def _server(config: ModelsConfig, site: str | None) -> AbstractContextManager[Any]:
    from crawler.lineup import Server, serving

    return nullcontext(Server(site=site)) if site else serving(config.job)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line that says what runs now, on a terminal, and leaves no trace."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(text: str) -> None:
        click.echo(f"\r\x1b[2K{text}", nl=False, err=True)

    try:
        yield show
    finally:
        show("")
