"""Broken links as text: each with its status or reason, and below it every page that contains it.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator

from crawler.core.leases_and_commits import BrokenLink
from crawler.core.text import safe


def broken_text(link: BrokenLink) -> Iterator[str]:
    """Yield the lines for one link."""
    what = link.status if link.status is not None and link.status >= 400 else link.reason
    yield f"{what} {safe(link.url, 2083)}"
    for page in link.pages:
        yield f"    on {safe(page, 2083)}"
    if not link.pages:
        yield "    in the list"
