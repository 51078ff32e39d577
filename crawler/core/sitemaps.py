"""How a list and a robots.txt name sitemaps, and what becomes of those that a robots.txt names.

Rules
- A sitemap that a robots.txt names is nobody's wish: it is no seed, so its host does not come into scope, and its host
  is not named, so a private address needs `--allow-net`.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from crawler.core.errors import UrlError
from crawler.core.models import Find, Request
from crawler.core.scope import LinkJudge
from crawler.core.urls import Url, parse

MAX_DISCOVERED = 1000
_LINE = re.compile(r"sitemap[ \t]*:[ \t]*(?P<url>.*)", re.IGNORECASE | re.DOTALL)


def sitemap_in(line: str) -> str | None:
    """The URL in a line `Sitemap: URL`, spelled as in a robots.txt; None = it is another line."""
    found = _LINE.fullmatch(line)
    return found and found["url"]


def discovered(urls: Iterable[str], request: Request, judge: LinkJudge) -> tuple[Find, ...]:
    """The first sitemaps that the robots.txt of this request's origin names, judged; what is no URL is none."""
    found = _absolute(islice(urls, MAX_DISCOVERED), parse(f"{request.url.origin}/robots.txt"))
    return tuple(Find(url=url, sitemap=True, refusal=judge.refusal(url, 0, is_sitemap=True)) for url in found)


def _absolute(urls: Iterable[str], base: Url) -> Iterator[Url]:
    for text in urls:
        with suppress(UrlError):
            yield parse(text, base)
