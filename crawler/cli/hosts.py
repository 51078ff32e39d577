"""`crawler hosts`: pages, pace and errors of each host of a run."""

import sys
from math import inf
from pathlib import Path

import click

from crawler.core.tables import WIDTH
from crawler.report.hosts import SORTS, hosts_text
from crawler.report.indented import indented
from crawler.run.folder import RunFolder

EXAMPLES = """\b
Examples:
  crawler hosts output/mine
  crawler hosts output/mine --sort errors | head
  crawler hosts output/mine --json | jq '.[] | select(.down)'
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", metavar="DIR")
@click.option("--sort", type=click.Choice([*SORTS]), default="pages", show_default=True, help="Order of the hosts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def command(folder: str, *, sort: str, as_json: bool) -> None:
    """Show the hosts of the run in DIR: pages, pace, robots.txt, errors."""
    from crawler.inspection import hosts
    from crawler.runtime.loop import terminable

    run_folder = RunFolder(Path(folder))
    with terminable():  # a copy of the frontier may have to be removed
        rows = sorted(hosts(run_folder, run_folder.read_facts()), key=SORTS[sort])
    width = WIDTH if sys.stdout.isatty() else inf  # what is searched with grep keeps its names whole
    click.echo(indented(rows) if as_json else "\n".join(hosts_text(rows, width)), nl=not as_json)
