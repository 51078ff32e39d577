"""`crawler fetch`: a list of URLs in, every one accounted for."""

import click

from crawler.cli.begin import BEGIN_FLAGS, begin
from crawler.cli.options import KnobCommand, knobs, with_parameters

EXAMPLES = """\b
Examples:
  crawler fetch urls.txt  # a folder in output/, named after time and list
  crawler fetch https://example.com/ -o out  # one URL
  grep -o 'http[^"]*' page | crawler fetch -  # from standard input
  crawler fetch --sitemap https://example.com/sitemap.xml  # what it lists
  crawler fetch urls.txt --save - | jq .status  # lines on standard output
  crawler fetch urls.txt --header 'X-Key: env:KEY' --rate 5
"""


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@with_parameters(*BEGIN_FLAGS)
@knobs(lambda option: option.group != "scope")
def command(**parameters: object) -> int:
    """Fetch every URL of each SOURCE: a URL, a file with one URL per line, or - for standard input."""
    return begin("fetch", parameters)
