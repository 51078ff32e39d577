"""The answers of a built-in site, for tests that compare them."""

import re

from crawler.site.answers import PageTruth
from crawler.site.truth import Site

BARE_AMPERSAND = re.compile(b"&(?!amp;|#)")


def pages_of(site: Site, host: int = 0) -> list[PageTruth]:
    """Return the answers of a host to all its paths."""
    pages = [site.page(host, path) for path in site.paths(host)]
    assert None not in pages
    return [page for page in pages if page]
