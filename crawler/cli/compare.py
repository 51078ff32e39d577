"""`crawler compare`: is one of two servers slower, by how much, and how sure is that?"""

import click

from crawler.cli.load import about_this_program
from crawler.cli.named_files import NamedFiles
from crawler.cli.options import KnobCommand, given, knobs
from crawler.load.compare.blocks import Block
from crawler.load.compare.config import COMPARE_OPTIONS, configure_compare
from crawler.load.compare.result import CompareVerdict

EXAMPLES = """\b
Examples:
  crawler compare http://127.0.0.1:8000/ http://127.0.0.1:8001/
  crawler compare http://127.0.0.1:8000/ http://127.0.0.1:8001/ --rate 300
  crawler compare http://127.0.0.1:8000/ http://127.0.0.1:8001/ --tolerance 2%
  crawler compare before.json after.json  # of crawler load --json
"""
CODES = {CompareVerdict.REGRESSION: 8, CompareVerdict.WORTHLESS: 11}


class CompareCommand(KnobCommand):
    """Command with the knobs of a comparison."""

    knobs = COMPARE_OPTIONS


@click.command(cls=CompareCommand, epilog=EXAMPLES)
@click.argument("a")
@click.argument("b")
@knobs(options=COMPARE_OPTIONS)
@click.option("--html", metavar="FILE", help="Write the report as one HTML page with charts; it needs no network.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Show nothing while it runs.")
def command(a: str, b: str, *, html: str | None, as_json: bool, quiet: bool, **parameters: object) -> int:
    """Compare A and B: two URLs of this machine, measured in turn, or two saved reports (crawler load --json)."""
    from crawler.load.compare.run import are_saved, run
    from crawler.load.compare.saved import compare_saved
    from crawler.load.compare.view import page_of

    options, signum, files = given(parameters, COMPARE_OPTIONS), None, NamedFiles({"html": html})
    if are_saved(a, b):
        found = compare_saved(a, b, configure_compare(options, saved=True))
    else:
        found, signum = run(a, b, configure_compare(options), lambda block: None if quiet else _show(block))
    click.echo(found.to_json() if as_json else found.text())
    if "html" in files:
        files.write("html", page_of(found, about_this_program()))
    return CODES.get(found.verdict, 0) if signum is None else 128 + signum


def _show(block: Block) -> None:
    p50, p99 = (f"{time:.3f} ms" if time else "-" for time in (block.p50_ms, block.p99_ms))
    fault = f"  {block.fault}" if block.fault else ""
    click.echo(f"{block.side}  {block.rate:,.1f}/s  p50 {p50}  p99 {p99}{fault}", err=True)
