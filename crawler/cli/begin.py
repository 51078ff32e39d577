"""Beginning of a crawl or fetch: options and sources become a folder, and the folder a run.

Runs on: the main thread.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import click
from msgspec import convert

from crawler.cli.defaults import defaults_file, read_defaults
from crawler.cli.notes import notes
from crawler.cli.options import RUN_FLAGS, Decorator, RunFlags, given
from crawler.cli.references import look_up
from crawler.cli.tracefile import trace_file
from crawler.core.config import configure
from crawler.engine.seeds import Seeds
from crawler.run.disk import read_toml
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.list_line import read
from crawler.run.sources import check_sources, is_line
from crawler.runtime import collector

BEGIN_FLAGS: tuple[Decorator, ...] = (
    click.argument("sources", metavar="SOURCE...", nargs=-1),
    click.option(
        "--sitemap",
        "sitemaps",
        metavar="URL",
        multiple=True,
        help="Fetch this sitemap (or index, RSS, Atom, text; .gz too) and what it lists; repeatable.",
    ),
    click.option("-o", "--output", metavar="DIR", help="Folder of the run.  [default: output/<time>-<name>]"),
    click.option("--config", "config_file", metavar="FILE", help="Read any of these options from this TOML file."),
    *RUN_FLAGS,
)


class BeginFlags(RunFlags, frozen=True, kw_only=True):
    """Arguments and flags of a command that begins a run, besides its knobs: `BEGIN_FLAGS`."""

    sources: tuple[str, ...]
    sitemaps: tuple[str, ...]
    output: str | None
    config_file: str | None


def begin(command: str, parameters: Mapping[str, object]) -> int:
    """Begin a run of this command, carry it out, and return its exit code."""
    flags = convert(parameters, BeginFlags)
    sources = (*flags.sources, *(f"Sitemap: {url}" for url in flags.sitemaps))
    if not sources:
        raise click.UsageError("give a SOURCE: a URL, a file of URLs, or - for standard input; or a --sitemap URL")
    with collector.paused():
        from crawler.cli.more_workers import more_workers
        from crawler.cli.run import carry_out, check
        from crawler.runtime.loop import terminable

    own, chosen = read_defaults(), dict[str, object]()
    configure(own, where=str(defaults_file()))
    if flags.config_file:
        chosen = read_toml(Path(flags.config_file))
        chosen.pop("run", None)
        configure(chosen, where=flags.config_file)
    secrets = look_up({**own, **chosen, **given(parameters)})
    config = configure(secrets.values)
    check(config, flags)
    check_sources(sources)
    folder = RunFolder(Path(flags.output) if flags.output else _default_folder(sources[0]))
    trace = trace_file(flags.trace, folder.path)
    with ExitStack() as stack:
        database = None
        if config.shared.frontier is not None:
            from crawler.sharing import SharedStore, begin_shared, reachable

            database = stack.enter_context(reachable(config.shared.frontier, may_make=True))
        with terminable(), folder.beginning():
            facts = RunFacts(
                command=command,
                sources=folder.copy_seeds(sources, config.lists.column),
                config=config,
                secrets=secrets.stored,
                needs=secrets.needs,
                seeds_bytes=folder.seeds.stat().st_size,
            )
            if database is not None:
                facts = begin_shared(database, folder, facts)
            folder.write_facts(facts)
        if not flags.quiet:
            for note in notes(config, Seeds(folder.seeds, facts.tables), follows=command == "crawl"):
                click.echo(note, err=True)
        if database is None:
            return carry_out(folder, facts, flags, trace)
        others = more_workers(folder, facts, flags.processes, secrets, {})
        return carry_out(folder, facts, flags, trace, SharedStore(database, facts), others)


def _default_folder(source: str) -> Path:
    """Return a folder that does not exist yet, named after the moment and the source."""
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
