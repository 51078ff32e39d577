"""`crawler why`: the reasons why a URL was fetched, or was not."""

from pathlib import Path

import click

from crawler.cli.stored_run import RUN, name_option, opened_run
from crawler.core.errors import UrlError, UsageError
from crawler.core.text import safe
from crawler.core.urls import credentials
from crawler.report.indented import indented
from crawler.report.why.chain import chain_text
from crawler.run.list_line import parse_or_guess

EXAMPLES = """\b
Examples:
  crawler why https://example.com/a output/mine
  crawler why https://example.com/a postgresql://me@db/crawls
  crawler why https://example.com/a output/mine --json | jq -r .conclusion
"""


@click.command(epilog=EXAMPLES)
@click.argument("url", metavar="URL")
@click.argument("run", metavar=RUN)
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def command(url: str, run: str, *, run_name: str | None, as_json: bool) -> None:
    """Tell why URL was fetched, or was not, in this run: every decision, and what would change it."""
    from crawler.inspection import why

    shown = f"***@{url.rpartition('@')[2]}" if credentials(url) else url
    try:
        wanted, is_guess = parse_or_guess(url)
    except UrlError as error:
        if "://" in run and Path(url).is_dir():
            raise UsageError(f"the URL comes first: crawler why URL {safe(url, 200)}") from None
        raise UsageError(f"{safe(shown, 200)}: {error}") from None
    with opened_run(run, run_name) as stored:
        answer = why(stored.frontier, stored.facts, stored.name, wanted, shown, is_guess=is_guess)
    click.echo(indented(answer) if as_json else "\n".join(chain_text(answer)), nl=not as_json)
