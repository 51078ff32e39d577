"""`crawler summary`: the account of a run, as its end shows it."""

import click

from crawler.cli.stored_run import RUN, name_option, opened_run
from crawler.report.summary import as_json, as_text

EXAMPLES = """\b
Examples:
  crawler summary output/mine
  crawler summary postgresql://me@db/crawls --json | jq .failures
"""


@click.command(epilog=EXAMPLES)
@click.argument("run", metavar=RUN)
@name_option
@click.option("--json", "as_json_too", is_flag=True, help="Print JSON on standard output.")
def command(run: str, *, run_name: str | None, as_json_too: bool) -> None:
    """Show the account of a run: of all its lives, and of all workers that share it, also while they are at work."""
    from crawler.inspection import summary

    with opened_run(run, run_name) as stored:
        account = summary(stored.frontier, stored.facts)
    click.echo(as_json(account) if as_json_too else as_text(account, stored.name), nl=not as_json_too)
