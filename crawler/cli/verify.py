"""`crawler verify`: audit of a run's output against its frontier."""

from pathlib import Path

import click

from crawler.cli.stored_run import opened_run
from crawler.core.text import counted, safe
from crawler.report.why.phrases import resume_command
from crawler.run.folder import RunFolder

EXAMPLES = """\b
Examples:
  crawler verify output/mine && echo clean
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", metavar="DIR")
def command(folder: str) -> int:
    """Audit the run in DIR: lengths, records, accounting. Exit 0 only if clean, 5 if not."""
    from crawler.inspection import verify

    with opened_run(folder) as stored:
        verdict = verify(stored.frontier, RunFolder(Path(folder)), stored.facts)
    for finding in verdict.findings:
        click.echo(safe(finding, 1000), err=True)
    rest = (
        f", {counted(verdict.pending, 'URL')} pending ({resume_command(folder, verdict.spent)})"
        if verdict.pending
        else ""
    )
    click.echo(f"{'not clean' if verdict.findings else 'clean'}: {counted(verdict.lines, 'line')} of output{rest}")
    return 5 if verdict.findings else 0
