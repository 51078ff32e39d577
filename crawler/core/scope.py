"""The scope of a run: URLs in a place that a seed brought in, unless their own spelling is refused.

Two questions, asked in two places:
- The frontier asks `Scope` which place a seed brings in, and in which places a URL lies. A URL is in scope if and only
  if one of its places was brought in, so a late seed needs no more than one more stored place.
- `LinkJudge` needs the find alone, so each page's links are judged where they were read.
Rules
- Seeds widen the scope, and so do the targets of their redirects, which are seeds. Seeds are never judged: the
  user who lists a URL wants it (as with browsertrix, wget and Apify).
- A host is the same under http and https, and the default ports of both are one: `h:80` and `h:443` are the site `h`.
  Any other port is a site of its own.
- Patterns see the canonical URL, after the traps of shape: so at most 2,083 characters while those are on. Python's
  `re` may take exponential time on a pattern like `(a+)+$`; the time limit of the process that parses is what ends it.
Runs on: anywhere (pure). `LinkJudge` travels to worker processes.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from crawler.core import traps
from crawler.core.config import ScopeConfig
from crawler.core.errors import UsageError
from crawler.core.reasons import Reason
from crawler.core.suffixes import registrable_domain
from crawler.core.urls import Host, Url

_DEFAULT_PORTS = {"80", "443"}


class ScopeMode(StrEnum):
    """The reach of a seed."""

    HOST = "host"
    DOMAIN = "domain"
    PREFIX = "prefix"
    ALL = "all"


class Scope:
    """The places of URLs under one mode, a value of `ScopeMode`.

    Attributes:
        is_by_path: URLs of one host and port may lie in different places.

    Raises:
        UsageError: there is no such mode.
    """

    def __init__(self, mode: str) -> None:
        try:
            self._mode = ScopeMode(mode)
        except ValueError:
            raise UsageError(f"--scope: expected {', '.join(ScopeMode)}, got {mode[:40]!r}") from None
        self.is_by_path = self._mode is ScopeMode.PREFIX

    def site(self, host: Host) -> str:
        """Return the name that a host shares with the others that come into scope together with it.

        If no seed opened any place on the host's site, all its URLs are out of scope. Otherwise all are in scope,
        except under `prefix`, where each URL is checked.
        """
        name, _, port = host.rpartition(":")
        if self._mode is ScopeMode.ALL:
            return ""
        if self._mode is ScopeMode.DOMAIN:
            return registrable_domain(name)
        return name if port in _DEFAULT_PORTS else host

    def brings(self, seed: Url) -> str:
        """Return the place that comes into scope with a seed."""
        return self.places(seed)[-1]

    def places(self, url: Url) -> tuple[str, ...]:
        """Return every place that a seed could bring in and that holds this URL, the widest first."""
        site = self.site(url.host_port)
        if self._mode is not ScopeMode.PREFIX:
            return (site,)
        path = url.target.partition("?")[0]
        return tuple(site + path[: at + 1] for at, letter in enumerate(path) if letter == "/")


class LinkJudge:
    """Refuses found URLs by their distance from a seed, by the traps of shape and by the user's patterns.

    Raises:
        UsageError: a pattern is no regular expression, or can match no URL.
    """

    def __init__(self, config: ScopeConfig) -> None:
        self._max_depth = config.max_depth
        self._traps = config.traps
        self._exclude = tuple(_compiled("exclude", config.exclude))
        self._include = tuple(_compiled("include", config.include))

    def refusal(self, url: Url, depth: int, *, is_sitemap: bool = False) -> Reason | None:
        """Return the reason to refuse a URL that a link or redirect leads to; None = it is allowed.

        Args:
            url: any but a seed.
            depth: links from a seed to it, this one included.
            is_sitemap: it lists URLs that --include is about, so it need not match itself.
        """
        if self._max_depth is not None and depth > self._max_depth:
            return Reason.DEPTH_LIMIT
        if self._traps and (trap := traps.refusal(url)):
            return trap
        if not self._exclude and not self._include:
            return None
        found = self.by_pattern(url)[0]
        return None if is_sitemap and found is Reason.NOT_INCLUDED else found

    def by_pattern(self, url: Url) -> tuple[Reason | None, str | None]:
        """Return the refusal by --exclude and --include, and the pattern that decides; None = no pattern matches."""
        if (found := _first(self._exclude, url)) is not None:
            return Reason.EXCLUDED, found
        if (found := _first(self._include, url)) is not None:
            return None, found
        return (Reason.NOT_INCLUDED if self._include else None), None


def _first(patterns: Iterable[re.Pattern[str]], url: Url) -> str | None:
    return next((pattern.pattern for pattern in patterns if pattern.search(url.href)), None)


def _compiled(option: str, patterns: Iterable[str]) -> Iterable[re.Pattern[str]]:
    for text in patterns:
        if not text.isascii():
            raise UsageError(f"--{option}: {text[:80]!r} matches no URL: they are ASCII, so write ü as %C3%BC")
        try:
            yield re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            meant = r"; what a shell writes *.html is \.html$ here" if text.startswith("*") else ""
            raise UsageError(f"--{option}: {text[:80]!r} is no regular expression: {error}{meant}") from None
