"""`crawler hosts`: pages, pace and errors of each host of a run."""

import sys
from math import inf

import click

from crawler.cli.stored_run import RUN, name_option, opened_run
from crawler.core.tables import WIDTH
from crawler.report.hosts import SORTS, hosts_text
from crawler.report.indented import indented

EXAMPLES = """\b
Examples:
  crawler hosts output/mine
  crawler hosts output/mine --sort errors | head
  crawler hosts output/mine --json | jq '.[] | select(.down)'
  crawler hosts postgresql://me@db/crawls  # and which worker has each
"""


@click.command(epilog=EXAMPLES)
@click.argument("run", metavar=RUN)
@name_option
@click.option("--sort", type=click.Choice([*SORTS]), default="pages", show_default=True, help="Order of the hosts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def command(run: str, *, run_name: str | None, sort: str, as_json: bool) -> None:
    """Show the hosts of the run in DIR or in the database DSN: pages, pace, robots.txt, errors."""
    from crawler.inspection import hosts

    with opened_run(run, run_name) as stored:
        rows = sorted(hosts(stored.frontier, stored.facts), key=SORTS[sort])
    width = WIDTH if sys.stdout.isatty() else inf  # what is searched with grep keeps its names whole
    click.echo(indented(rows) if as_json else "\n".join(hosts_text(rows, width)), nl=not as_json)
