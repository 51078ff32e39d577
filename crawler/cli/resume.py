"""`crawler resume`: continuation of a run that was interrupted, crashed or out of budget."""

from pathlib import Path

import click
from msgspec import convert
from msgspec.structs import replace

from crawler.cli.options import (
    RUN_FLAGS,
    KnobCommand,
    RunFlags,
    given,
    knobs,
    with_parameters,
)
from crawler.cli.references import look_up, told
from crawler.cli.tracefile import trace_file
from crawler.core.config import OPTIONS, RUN_WIDE, configure
from crawler.core.errors import StorageDamaged, UsageError
from crawler.core.options import Option, check_names
from crawler.core.text import safe
from crawler.run.folder import RunFolder
from crawler.runtime import collector

EXAMPLES = """\b
Examples:
  crawler resume output/mine                   # go on, with its options
  crawler resume output/mine --concurrency 16  # but more gently
  crawler resume output/mine --max-pages 5000  # with a larger budget
"""


def _may_change(option: Option) -> bool:
    return option.help.resumable or option.help.secret


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@click.argument("folder", metavar="DIR")
@with_parameters(*RUN_FLAGS)
@knobs(_may_change, resuming=True)
def command(folder: str, **parameters: object) -> int:
    """Go on with the run in DIR. Options given here hold from now on; options that judge URLs cannot change."""
    with collector.paused():
        from crawler.build import keep_options
        from crawler.cli.more_workers import more_workers
        from crawler.cli.run import carry_out, check

    flags, run_folder = convert(parameters, RunFlags), RunFolder(Path(folder))
    facts = run_folder.read_facts()
    changed = given(parameters)
    if fixed := next((name for name in changed if not _may_change(OPTIONS[name])), None):
        raise UsageError(f"--{fixed}: resume cannot change it; start a new run with it")
    if facts.worker is not None and (common := changed.keys() & RUN_WIDE - {"max-pages"}):
        shared = "several workers share this run, and one cannot change it for all; start a new run"
        raise UsageError(f"--{min(common)}: {shared}")
    configure(changed)  # alone first: an error beside the run's options would name their file
    check_names(dict.fromkeys(facts.needs), OPTIONS, str(run_folder.config))
    for name in facts.needs:
        if name not in changed:
            flag = f"--{name} {OPTIONS[name].metavar}"
            raise UsageError(f"{folder}: this run was started with a secret that is not stored: give {flag} again")
    secrets = look_up({**facts.secrets, **changed})
    config = configure(secrets.values, base=facts.config, where=str(run_folder.config))
    facts = replace(facts, config=config, secrets=secrets.stored, needs=secrets.needs)
    if not flags.quiet:
        # Before any of it happens: the folder, and with it its options, may be another user's.
        if sent := told(config.fetch, secrets.given):
            click.echo(safe(f"this run sends {', '.join(sent)}", 1000), err=True)
        if config.parse.extract is not None:
            click.echo(safe(f"this run calls extract = {config.parse.extract}"), err=True)
    check(config, flags)
    trace = trace_file(flags.trace, run_folder.path)
    if damage := run_folder.seeds_damage(facts):
        raise StorageDamaged(damage)
    if changed:
        keep_options(run_folder, facts)
    if config.output.to_stdout and not flags.quiet:
        click.echo("lines that were printed just before the interruption may come again", err=True)
    if facts.worker is None:
        return carry_out(run_folder, facts, flags, trace)
    from crawler.sharing import SharedStore, change_pages, reachable

    with reachable(config.shared.frontier or "") as database:
        if "max-pages" in changed:
            change_pages(database, facts)
        others = more_workers(run_folder, facts, flags.processes, secrets, changed)
        return carry_out(run_folder, facts, flags, trace, SharedStore(database, facts), others)
