"""`crawler workers`: the workers of a run that lives in a database."""

import click
import msgspec

from crawler.cli.references import look_up
from crawler.core.tables import columns
from crawler.core.text import safe
from crawler.runtime import collector

EXAMPLES = """\b
Examples:
  crawler workers postgresql://me@db/crawls
  crawler workers postgresql://me@db/crawls --name docs --json
"""
_HEADS = ("worker", "state", "hosts", "lines", "groups", "seen", "  place")
_WIDTHS = (8, 14, 7, 10, 8, 11, 0)
_LEFT = (0, 1, 6)


@click.command(epilog=EXAMPLES)
@click.argument("dsn", metavar="DSN")
@click.option("--name", metavar="NAME", help="Name of the run, where the database has several.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(dsn: str, name: str | None, *, as_json: bool) -> None:
    """Show who takes part in the run that lives in the database DSN, what each holds, and who is late."""
    with collector.paused():
        from crawler.sharing import reachable, workers_of

    with reachable(str(look_up({"frontier": dsn}).values["frontier"])) as database:
        found = workers_of(database, name)
    if as_json:
        for worker in found:
            click.echo(msgspec.json.encode(worker._asdict()))
        return
    click.echo(columns(_HEADS, _WIDTHS, left=_LEFT))
    for worker in found:
        figures = (str(worker.hosts), str(worker.lines), str(worker.groups), f"{worker.seen:.0f} s ago")
        cells = (str(worker.id), _state(worker.late), *figures, f"  {safe(worker.place)}")
        click.echo(columns(cells, _WIDTHS, left=_LEFT))


def _state(late: float | None) -> str:
    """Return the state of a worker in a word or two."""
    if late is None:
        return "ended"
    return "works" if late <= 0 else f"late by {late:.0f} s"
