"""`crawler verify`: audit of a run's output against its frontier."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from crawler.cli.stored_run import RUN, StoredRun, name_option, opened_run
from crawler.core.errors import UsageError
from crawler.core.run_names import is_database
from crawler.core.text import counted, safe
from crawler.report.why.phrases import moment, resume_command
from crawler.run.verify import AuditVerdict

EXAMPLES = """\b
Examples:
  crawler verify output/mine && echo clean
  crawler verify postgresql://me@db/crawls  # a run that workers share
  crawler verify postgresql://me@db/crawls copies/w2 copies/w3
"""


@click.command(epilog=EXAMPLES)
@click.argument("run", metavar=RUN)
@click.argument("copies", metavar="[DIR]...", nargs=-1)
@name_option
def command(run: str, copies: Sequence[str], *, run_name: str | None) -> int:
    """Audit a run: lengths, records, accounting. Exit 0 only if clean, 5 if not.

    Of a run in a database, all folders of its workers that this machine has; DIR is one that was copied here.
    Exit 1 = clean, but some lines are elsewhere.
    """
    if copies and not is_database(run):
        raise UsageError("several folders are those of a shared run: name its database first: crawler verify DSN DIR")
    with opened_run(run, run_name) as stored:
        workers = stored.frontier.workers()
        begun, live = time.time(), sum(worker.is_live for worker in workers)
        verdict = _audit(stored, [Path(copy) for copy in copies])
        letters = stored.frontier.letters()
    for finding in (*verdict.findings, *verdict.unchecked):
        click.echo(safe(finding, 1000), err=True)
    told = [_lines(verdict)]
    if live:
        told.append(f"as of {moment(begun)} ({counted(live, 'worker')} at work)")
    if verdict.pending:
        told.append(f"{counted(verdict.pending, 'URL')} pending")
    if letters:
        told.append(f"{counted(letters, 'find')} on the way to a worker")
    goes_on = f" ({resume_command(stored.name, verdict.spent)})" if (verdict.pending or letters) and not live else ""
    click.echo(", ".join(told) + goes_on)
    if verdict.findings:
        return 5
    return 1 if verdict.unchecked and stored.folder is None else 0


def _audit(stored: StoredRun, copies: Sequence[Path]) -> AuditVerdict:
    from crawler.inspection import verify, verify_shared
    from crawler.run.worker_folders import OwnFolder, only_part, parts_of

    workers, facts = stored.frontier.workers(), stored.facts
    if stored.folder is None:
        return verify_shared(stored.frontier, facts, parts_of(workers, facts.config.shared.name or "", copies))
    if workers:
        return verify_shared(stored.frontier, facts, only_part(workers, OwnFolder(stored.folder, facts)))
    return verify(stored.frontier, stored.folder, facts)


def _lines(verdict: AuditVerdict) -> str:
    lines = counted(verdict.lines, "line") if not verdict.elsewhere else f"{verdict.lines:,} of "
    more = counted(verdict.lines + verdict.elsewhere, "line") if verdict.elsewhere else ""
    return f"{'not clean' if verdict.findings else 'clean'}: {lines}{more} of output"
