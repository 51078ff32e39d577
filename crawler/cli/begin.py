"""What `crawl` and `fetch` share: options and sources become a folder, and the folder a run.

Runs on: the main thread.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

import click

from crawler.cli.defaults import defaults_file, read_defaults
from crawler.cli.notes import notes
from crawler.cli.options import given, look_up
from crawler.cli.tracefile import trace_file, trace_option
from crawler.core.config import configure, plain_values
from crawler.engine.seeds import Seeds
from crawler.run.disk import read_toml
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.lines import read
from crawler.run.sources import check_sources, is_line

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def run_options() -> Decorator:
    """The arguments and flags of every command that begins a run, besides its knobs."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for parameter in reversed(_PARAMETERS):
            function = parameter(function)
        return function

    return decorate


_PARAMETERS: tuple[Decorator, ...] = (
    click.argument("sources", metavar="SOURCE...", nargs=-1),
    click.option(
        "--sitemap",
        "sitemaps",
        metavar="URL",
        multiple=True,
        help="Fetch this sitemap (or index, RSS, Atom, text; .gz too) and what it lists; repeatable.",
    ),
    click.option("-o", "--output", metavar="DIR", help="Folder of the run.  [default: output/<time>-<name>]"),
    click.option("--config", "config_file", metavar="FILE", help="TOML file with any of these options."),
    click.option("--quiet", is_flag=True, help="Show nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output."),
    trace_option,
)


def begin(command: str, sources: tuple[str, ...], parameters: dict[str, Any]) -> int:
    """Begin a run of this command, carry it out, and give its exit code."""
    sources = (*sources, *(f"Sitemap: {url}" for url in parameters["sitemaps"]))
    if not sources:
        raise click.UsageError("give a SOURCE: a URL, a file of URLs, or - for standard input; or a --sitemap URL")
    from crawler.cli.run import carry_out, check
    from crawler.runtime.loop import terminable

    from_files = _from_files(parameters["config_file"])
    secrets = look_up({**from_files, **given(parameters)})
    config = configure(secrets.values)
    check(config, as_json_too=parameters["as_json"])
    check_sources(sources)
    folder = RunFolder(Path(parameters["output"]) if parameters["output"] else _default_folder(sources[0]))
    trace = trace_file(parameters["trace"], folder.path)
    with terminable(), folder.beginning():
        facts = RunFacts(
            command=command,
            sources=folder.copy_seeds(sources, config.lists.column),
            seeds_bytes=folder.seeds.stat().st_size,
            options={**plain_values(config), **secrets.stored},
            needs=secrets.needs,
        )
        folder.write_facts(facts)
    if not parameters["quiet"]:
        for note in notes(config, Seeds(folder.seeds, facts.tables), follows=command == "crawl"):
            click.echo(note, err=True)
    quiet, as_json_too = parameters["quiet"], parameters["as_json"]
    return carry_out(folder, facts, config, quiet=quiet, as_json_too=as_json_too, trace=trace)


def _from_files(named: str | None) -> dict[str, object]:
    """The user's own defaults, and over them what the file `named` says."""
    own = read_defaults()
    configure(own, where=str(defaults_file()))
    if not named:
        return own
    chosen = read_toml(Path(named))
    chosen.pop("run", None)
    configure(chosen, where=named)
    return {**own, **chosen}


def _default_folder(source: str) -> Path:
    """A folder that is not there yet, named after the moment and what is fetched."""
    if source == "-":
        name = "stdin"
    elif is_line(source):
        name = read(source).url.host
    else:
        name = Path(source).stem
    safe = "".join(c if c.isalnum() or c in ".-_" else "_" for c in name)[:60]
    first = Path("output") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{safe}"
    others = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(path for path in chain([first], others) if not path.exists())
