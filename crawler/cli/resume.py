"""`crawler resume`: go on where a run was interrupted, crashed or out of budget."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from crawler.cli.options import KnobCommand, Values, given, knobs, look_up, told
from crawler.cli.tracefile import trace_file, trace_option
from crawler.core.config import OPTIONS, configure, plain_values
from crawler.core.errors import StorageDamaged, UsageError
from crawler.core.options import Option, check_names
from crawler.core.text import safe
from crawler.run.folder import RunFolder

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
@click.option("--quiet", is_flag=True, help="Show nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
@trace_option
@knobs(_may_change, resuming=True)
def command(folder: str, **parameters: Any) -> int:
    """Go on with the run in DIR. What is changed here stays so; options that judge URLs stay as they were."""
    from crawler.build import keep_options
    from crawler.cli.run import carry_out, check

    run_folder = RunFolder(Path(folder))
    facts = run_folder.read_facts()
    changed = _changes(parameters)
    check_names(dict.fromkeys(facts.needs), OPTIONS, str(run_folder.config))
    for name in facts.needs:
        if name not in changed:
            flag = f"--{name} {OPTIONS[name].metavar}"
            raise UsageError(f"{folder}: this run was started with a secret that is not stored: give {flag} again")
    secrets = look_up({**facts.options, **changed})
    config = configure(secrets.values, where=str(run_folder.config))
    if changed:
        facts = replace(facts, options={**plain_values(config), **secrets.stored}, needs=secrets.needs)
    if not parameters["quiet"]:
        _tell(facts.options)
    check(config, as_json_too=parameters["as_json"])
    trace = trace_file(parameters["trace"], run_folder.path)
    if damage := run_folder.seeds_damage(facts):
        raise StorageDamaged(damage)
    if changed:
        keep_options(run_folder, facts)
    if config.output.to_stdout and not parameters["quiet"]:
        click.echo("lines that were printed just before the interruption may come again", err=True)
    quiet, as_json_too = parameters["quiet"], parameters["as_json"]
    return carry_out(run_folder, facts, config, quiet=quiet, as_json_too=as_json_too, trace=trace)


def _changes(parameters: Values) -> dict[str, object]:
    changed = given(parameters)
    for name in changed:
        if not _may_change(OPTIONS[name]):
            raise UsageError(f"--{name} stays as the run began; resume cannot change it")
    configure(changed)  # so that no fault of theirs is said to be one of the run's file
    return changed


def _tell(options: Values) -> None:
    """Say what whoever wrote the folder's options has us send and run, before any of it happens."""
    if sent := told(options):
        click.echo(safe(f"this run sends {', '.join(sent)}", 1000), err=True)
    if "extract" in options:
        click.echo(safe(f"this run calls extract = {options['extract']}"), err=True)
