"""`crawler workers`: the workers of a run that lives in a database."""

import time

import click

from crawler.cli.stored_run import RUN, StoredRun, name_option, opened_run
from crawler.core.errors import UsageError
from crawler.report.indented import indented
from crawler.report.workers import Look, shared_run, workers_text

EXAMPLES = """\b
Examples:
  crawler workers postgresql://me@db/crawls
  crawler workers postgresql://me@db/crawls --name docs --json | jq .run
"""
_BETWEEN = 1.0  # seconds between two looks, of which the rates are made


@click.command(epilog=EXAMPLES)
@click.argument("run", metavar=RUN)
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str, *, run_name: str | None, as_json: bool) -> None:
    """Show who takes part in a run that workers share, what each holds, who is late, and the sums of the run.

    While workers are at work it looks twice, a second apart, to tell their rates.
    """
    with opened_run(run, run_name) as stored:
        found, before = _look(stored), None
    if not found.workers:
        raise UsageError(f"{stored.name}: one process works on this run alone: see its summary.json")
    if any(worker.is_live for worker in found.workers):
        time.sleep(_BETWEEN)
        with opened_run(run, run_name) as stored:
            found, before = _look(stored), found
    shared = shared_run(found, before)
    click.echo(indented(shared) if as_json else "\n".join(workers_text(shared)), nl=not as_json)


def _look(stored: StoredRun) -> Look:
    from crawler.inspection import totals

    return Look(
        at=time.monotonic(),
        name=stored.facts.config.shared.name or "",
        workers=stored.frontier.workers(),
        totals=totals(stored.frontier),
        letters=stored.frontier.letters(),
    )
