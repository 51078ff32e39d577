"""The parser of robots.txt: the groups, rules, crawl-delay and sitemaps for one robot (RFC 9309, 2.1 and 2.2).

Rules
- A body is CR, LF or CRLF lines of UTF-8; other octets are percent-encoded. Unknown lines are ignored and separate
  nothing (2.2.4).
- A list of agents ends at the first Allow or Disallow after it, and at no other line, as in Google's parser.
- The groups of a product token are merged, whatever its case; those of `*` count where there is none (2.2.1). A token
  has letters, `_` and `-`, and the other characters of our own: so `crawler;`, `crawler(all)` and `crawler2` are
  `crawler`.
- At most 512 KiB are read, and of them whole lines. Beyond a bound only prohibitions count: a Disallow up to its first
  `*`, an Allow not at all.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec

from crawler.core.text import from_octets

LONGEST = 512 * 1024  # RFC 9309, 2.5: at least 500 KiB
MAX_WILDCARDS = 1000  # patterns; the work for one URL has a bound of its own (`robots/matching.py`)
MAX_SITEMAPS = 1000
MAX_CRAWL_DELAY = 3600.0
_NO_DELAY = -1.0

_MAX_URL = 8192
_MAX_PATTERN = 3 * _MAX_URL  # with every character escaped


class Rule(NamedTuple):
    """An Allow or Disallow line that concerns this robot: the pattern that counts, the line as it is written."""

    line: int
    allow: bool
    pattern: str
    text: str
    group: str


class Section(msgspec.Struct, frozen=True):
    """The lines that concern one product token.

    Attributes:
        rules: no two with the same pattern for the same verdict.
        crawl_delay: seconds, the longest of several, at most an hour; None = there is none.
        sitemaps: of the whole file, as they are written, each once.
    """

    rules: tuple[Rule, ...]
    crawl_delay: float | None
    sitemaps: tuple[str, ...]


def section(body: bytes, agent: str) -> Section:
    """Return the groups that name the agent, or else those of `*`, and the sitemaps of the whole file."""
    ours, everybodys, sitemaps = _AgentGroup(), _AgentGroup(), dict[str, None]()
    token, run = _product_token(agent)
    names: dict[str, str] = {}  # the agents of the current group, by token; of all names only ours and `*`
    delay, is_open = _NO_DELAY, False
    for line in _lines(body):
        if line.field == "sitemap":
            if line.value and len(line.value) <= _MAX_URL and len(sitemaps) < MAX_SITEMAPS:
                sitemaps.setdefault(line.value)
            continue
        is_rule = line.field in {"allow", "disallow"}
        if line.field == "agent":
            if not is_open:
                names, delay, is_open = {}, _NO_DELAY, True
            if (name := _token(line.value, run)) in {token, "*"}:
                names.setdefault(name, line.value)
        elif is_rule:
            is_open = False
        elif line.field == "delay" and _SECONDS.fullmatch(line.value):
            delay = max(delay, min(float(line.value), MAX_CRAWL_DELAY))
        for name, written in names.items():
            group = ours if name == token else everybodys
            group.is_present = True
            group.delay = max(group.delay, delay)
            if is_rule:
                group.add(line, written)
    chosen = ours if ours.is_present else everybodys
    return Section(chosen.rules, None if chosen.delay == _NO_DELAY else chosen.delay, tuple(sitemaps))


@cache
def _product_token(agent: str) -> tuple[str, re.Pattern[str]]:
    """Return the agent's token, of "Crawler/1.0" "crawler", and what finds a token that may be it."""
    token = re.split(r"[/\s]", agent.strip(), maxsplit=1)[0].lower()
    return token, re.compile(rf"[a-z_{re.escape(token)}-]*", re.ASCII)


def whole_lines(body: bytes, *, is_cut: bool) -> bytes:
    """Return at most 512 KiB of a body, without a last line that is cut, which may mean something else."""
    if not is_cut and len(body) <= LONGEST:
        return body
    head = body[:LONGEST]
    return head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]


class _RobotsLine(NamedTuple):
    """A line of robots.txt: its number, its field by the key of `_FIELDS`, its value, and all of it without comment."""

    number: int
    field: str
    value: str
    text: str


class _AgentGroup:
    """All groups of one product token, merged."""

    def __init__(self) -> None:
        self.is_present = False
        self.delay = _NO_DELAY
        self._rules: dict[tuple[bool, str], Rule] = {}
        self._wildcards = 0

    @property
    def rules(self) -> tuple[Rule, ...]:
        """In the order of the file."""
        return tuple(self._rules.values())

    def add(self, line: _RobotsLine, group: str) -> None:
        """Take an Allow or Disallow line; of equal ones, the first."""
        allow, pattern = line.field == "allow", line.value
        if not pattern or (allow, pattern) in self._rules:
            return
        plain, wildcard, _ = pattern.partition("*")
        self._wildcards += bool(wildcard)
        if len(pattern) > _MAX_PATTERN or (wildcard and self._wildcards > MAX_WILDCARDS):
            if allow or len(plain) > _MAX_PATTERN:
                return
            pattern = plain or "/"
        self._rules.setdefault((allow, pattern), Rule(line.number, allow, pattern, line.text, group))


# With the misspellings that Google's parser and protego accept.
_FIELDS = {
    "agent": ("user-agent", "useragent", "user agent"),
    "allow": ("allow",),
    "disallow": ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"),
    "delay": ("crawl-delay", "crawl delay"),
    "sitemap": ("sitemap", "sitemaps", "site-map"),
}
_NAMES = {name: field for field, names in _FIELDS.items() for name in names}
_LINE = re.compile(rf"({'|'.join(_NAMES)})(?:\s*:|\s|$)(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]{0,10})?|\.[0-9]{1,10}", re.ASCII)


def _lines(body: bytes) -> Iterator[_RobotsLine]:
    text = from_octets(whole_lines(body, is_cut=False)).removeprefix("\ufeff")
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        written = line.partition("#")[0].strip() if line else ""
        if written and (found := _LINE.match(written)):
            yield _RobotsLine(number, _NAMES[found[1].lower()], found[2].strip(), written)


def _token(line: str, run: re.Pattern[str]) -> str:
    """Return the product token that a User-agent line names: "crawler, other" and "Crawler/1.0" are "crawler".

    A token ends at the first character that none may have (RFC 9309, 2.2.1); a star or quote before it is left out.
    """
    name = line.strip().lower()
    found = run.match(name.lstrip("*\"'"))
    return found[0] if found and found[0] else name[:1]
