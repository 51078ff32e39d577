"""`crawler crawl`: follow links from seeds, completely and within bounds."""

import click

from crawler.cli.begin import BEGIN_FLAGS, begin
from crawler.cli.options import KnobCommand, knobs, with_parameters

EXAMPLES = """\b
Examples:
  crawler crawl https://example.com/  # its whole host
  crawler crawl https://example.com/docs/ --scope prefix  # only below /docs/
  crawler crawl https://example.com/ --max-depth 2 --max-pages 1000
  crawler crawl seeds.txt --exclude '\\?print=' --assets
  crawler crawl --sitemap https://example.com/sitemap.xml --max-depth 0
  crawler crawl https://example.com/ --discover-sitemaps
  crawler crawl https://example.com/ --select 'price=.price::text' -o shop
"""


@click.command(cls=KnobCommand, epilog=EXAMPLES)
@with_parameters(*BEGIN_FLAGS)
@knobs()
def command(**parameters: object) -> int:
    """Follow links from each SOURCE: a URL, a file with one URL per line, or - for standard input."""
    return begin("crawl", parameters)
