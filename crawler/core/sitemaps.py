"""Sitemaps that a list or a robots.txt names, the finds that they make, and texts that are no listed URL.

Rules
- White space or a control character within a listed URL parts it: a browser would drop a tab or a line end and join
  what is left, and of two URLs in one place it would be one that stands nowhere. A space that no second URL follows is
  part of a link, as in browsers, and of no sitemap's entry (sitemaps.org: URLs are escaped).
- A relative sitemap of a robots.txt that begins with a host is none, since it means a URL without its scheme.
- A sitemap that a robots.txt names was not listed by the user: it is no seed, so its host does not come into scope,
  and its host is not named, so a private address needs `--allow-net`.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from crawler.core.discovery import Way
from crawler.core.errors import UrlError
from crawler.core.finds import Find
from crawler.core.messages import Request
from crawler.core.scope import LinkJudge
from crawler.core.urls import parse

MAX_DISCOVERED = 1000
_AROUND = "\t\n\f\r "
_LINE = re.compile(r"sitemap[ \t]*:[ \t]*(?P<url>.*)", re.IGNORECASE | re.DOTALL)


_PARTS = re.compile(r"[^\S ]|[\0-\x1f\x7f-\x9f]|[ ]\W*+https?:", re.IGNORECASE)
_ODD_SCHEME = re.compile(r"https?:(?!//)", re.IGNORECASE)  # a browser takes `http:/h/` and `http:h` for `http://h/`
_HEADLESS = re.compile(r"(?![a-z][a-z0-9+.-]*+://)[^/?#]*[.:][^/?#]*/", re.IGNORECASE)


def is_parted(reference: str) -> bool:
    """Return whether a reference, without what surrounds it, is more than one, or has what no URL has inside."""
    return (" " in reference or not reference.isprintable()) and _PARTS.search(reference) is not None


def is_no_entry(reference: str) -> bool:
    """Return whether a reference can be no entry of a sitemap, though a browser would make a URL of it."""
    if " " in reference or is_parted(reference):
        return True
    return not reference.startswith(("http://", "https://")) and _ODD_SCHEME.match(reference) is not None


def sitemap_in(line: str) -> str | None:
    """Return the URL in a line `Sitemap: URL`, spelled as in a robots.txt; None = it is another line."""
    found = _LINE.fullmatch(line)
    return found and found["url"]


class Discovered(NamedTuple):
    """The sitemaps that a robots.txt names: judged finds, and the texts that are no URL."""

    finds: tuple[Find, ...]
    bad: tuple[str, ...]


def discovered(urls: Iterable[str], request: Request, judge: LinkJudge) -> Discovered:
    """Return the first sitemaps that the robots.txt of this request's origin names, judged."""
    base = parse(f"{request.url.origin}/robots.txt")
    finds: list[Find] = []
    bad: list[str] = []
    for text in (url.strip(_AROUND) for url in islice(urls, MAX_DISCOVERED)):
        url = None
        if not (is_parted(text) or _ODD_SCHEME.match(text) or _HEADLESS.match(text)):
            with suppress(UrlError):
                url = parse(text, base)
        if url is None:
            bad.append(text)
        else:
            finds.append(Find(url=url, way=Way(sitemap=True), refusal=judge.refusal(url, 0, is_sitemap=True)))
    return Discovered(tuple(finds), tuple(bad))
