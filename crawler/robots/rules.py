"""robots.txt: the rules that an answer to `/robots.txt` means, and the verdict about a URL (RFC 9309).

Rules
- 2xx: the first 512 KiB decide. Any other 3xx, after five redirects, and 4xx: everything is allowed. 429, 5xx and no
  answer: nothing is allowed, until the crawler may ask again (2.3.1).
- `robots/parser.py` chooses the groups that concern this robot, `robots/matching.py` the rule that decides about a URL.
  `/robots.txt` itself is always allowed (2.2.2).
Runs on: anywhere (pure).
"""

from functools import lru_cache

import msgspec

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.http.content_codings import STEP, DecodeProblem, codings, decode_steps, salvaged
from crawler.http.retry import retry_after
from crawler.robots.matching import Decision, Patterns
from crawler.robots.parser import LONGEST, section, whole_lines

LIFETIME = 24 * 3600.0  # seconds; RFC 9309, 2.4
STALE_LIFETIME = 2 * 3600.0  # while the server fails; longer than the longest rest, so that pages come between
MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2
_SHORT = 2048  # bytes; 256 bodies take 8 MiB at the most with their rules


class RobotsOutcome(msgspec.Struct, frozen=True):
    """The outcome of a request for robots.txt.

    Attributes:
        reason: why the rules are not known; None = they are, possibly from a copy that stays in force.
        message: a sentence for people.
        retry_after: seconds of the Retry-After header; None = it is absent.
        is_answered: the server answered, with any status.
        is_counted: the attempt counts; no fault of this machine broke it.
    """

    reason: Reason | None
    message: str = ""
    retry_after: float | None = None
    is_answered: bool = True
    is_counted: bool = True


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The line of a robots.txt that decides about a URL.

    Attributes:
        line: its number, from 1; None = no rule matches, which allows.
        rule: the line itself, without comment.
        group: the value of the User-agent line that names this robot.
    """

    allowed: bool
    line: int | None = None
    rule: str | None = None
    group: str | None = None


def judge(response: Response, now: float) -> RobotsCopy | RobotsOutcome:
    """Return the rules to keep of the answer to `/robots.txt`, or why there are none for now; redirects come before."""
    status = response.status
    if status >= 500 or status == 429 or response.is_part:  # a part of the rules could allow what the whole forbids
        asked = retry_after(response.header("retry-after"), now)
        return RobotsOutcome(Reason.ROBOTS_UNREACHABLE, f"robots.txt: the server answered {status}", asked)
    body = _decoded(response) if status < 300 else b""
    return RobotsCopy(fetched_at=now, expires_at=now + LIFETIME, status=status, body=body)


class RobotsRules:
    """The rules of a robots.txt for the product token `agent`.

    Attributes:
        crawl_delay: seconds between two requests (Crawl-delay), at most an hour; None = it is absent.
        sitemaps: the URLs of its Sitemap lines, as they are written, each once.
    """

    def __init__(self, body: bytes, agent: str) -> None:
        said = section(body, agent)
        self.crawl_delay = said.crawl_delay
        self.sitemaps = said.sitemaps
        self._patterns = Patterns(said.rules) if said.rules else None

    def allows(self, url: Url) -> bool:
        """Return whether this URL, which belongs to the origin of the body, may be fetched."""
        if self._patterns is None:
            return True
        found = _decide(self._patterns, url)
        return found is None or found.allow


def rules_of(body: bytes, agent: str) -> RobotsRules:
    """Return the rules of a body; equal short bodies share theirs, since many hosts have the same or none."""
    return _short_rules(body, agent) if len(body) <= _SHORT else RobotsRules(body, agent)


@lru_cache(maxsize=256)
def _short_rules(body: bytes, agent: str) -> RobotsRules:
    return RobotsRules(body, agent)


def ruling(body: bytes, url: Url, agent: str) -> Ruling:
    """Return the line of a body that decides about this URL."""
    rules = section(body, agent).rules
    found = _decide(Patterns(rules), url)
    if found is None:
        return Ruling(allowed=True)
    rule = rules[found.place]
    return Ruling(allowed=rule.allow, line=rule.line, rule=rule.text, group=rule.group)


def _decide(patterns: Patterns, url: Url) -> Decision | None:
    target = url.target
    return None if target.partition("?")[0] == "/robots.txt" else patterns.decide(target)


# --- the body of an answer -------------------------------------------------------------------------------------------


def _decoded(response: Response) -> bytes:
    """Return as much as can be read: the beginning of a file that is too long or truncated still forbids."""
    layers, content = codings(response.codings), list[bytes]()
    try:
        for step in decode_steps(response.body, layers, LONGEST + STEP) if layers else (response.body,):
            content.append(step)
    except DecodeProblem:
        if (found := salvaged(response.body, content)) is not response.body:
            return whole_lines(found, is_cut=True)
        content = [response.body]
    return whole_lines(b"".join(content), is_cut=response.cut)
