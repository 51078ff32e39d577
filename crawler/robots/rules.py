"""robots.txt: what an answer to `/robots.txt` means, and what its body says (RFC 9309).

Rules
- 2xx: the first 512 KiB decide. Any other 3xx, after five redirects, and 4xx: everything is allowed. 429, 5xx and no
  answer: nothing is, until somebody could ask again (2.3.1).
- `robots/parser.py` chooses the lines that concern us, `robots/matching.py` the one of them that decides about a
  URL. `/robots.txt` itself is always allowed (2.2.2).
Runs on: anywhere (pure).
"""

from dataclasses import dataclass

from crawler.core.handover import RobotsCopy
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.retry import retry_after
from crawler.core.urls import Url
from crawler.http.content_codings import STEP, DecodeProblem, codings, decode_steps, salvaged
from crawler.robots.matching import Decision, Patterns
from crawler.robots.parser import LONGEST, section, whole_lines

LIFETIME = 24 * 3600.0  # RFC 9309, 2.4
STALE_LIFETIME = 2 * 3600.0  # while the server cannot give it; longer than the longest rest, or no page comes between
MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2


@dataclass(frozen=True, slots=True)
class RobotsOutcome:
    """What asking for a robots.txt taught.

    Attributes:
        reason: why the rules are not known; None = they are, be it from a copy that stays in force.
        message: what happened, for people.
        retry_after: seconds for which the server asked to be left alone; None = it did not.
        is_answered: there was an answer, whatever it said.
        is_counted: the attempt counts; nothing of ours broke it.
    """

    reason: Reason | None
    message: str = ""
    retry_after: float | None = None
    is_answered: bool = True
    is_counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Which line of a robots.txt decides about a URL.

    Attributes:
        line: its number, from 1; None = no rule matches, which allows.
        rule: the line itself, without comment.
        group: the User-agent line's value that made it concern us.
    """

    allowed: bool
    line: int | None = None
    rule: str | None = None
    group: str | None = None


def judge(response: Response, now: float) -> RobotsCopy | RobotsOutcome:
    """What the answer to `/robots.txt` means, after its redirects: rules to keep, or why there are none for now."""
    status = response.status
    if status >= 500 or status == 429 or response.is_part:  # a part of the rules could allow what the whole forbids
        asked = retry_after(response.header("retry-after"), now)
        return RobotsOutcome(Reason.ROBOTS_UNREACHABLE, f"robots.txt: the server answered {status}", asked)
    body = _decoded(response) if status < 300 else b""
    return RobotsCopy(fetched_at=now, expires_at=now + LIFETIME, status=status, body=body)


class RobotsRules:
    """What the body of a robots.txt says to the product token `agent`.

    Attributes:
        crawl_delay: seconds between two requests that it asks for, within an hour; None = it does not.
        sitemaps: the URLs of its Sitemap lines, as they are written, each once.
    """

    def __init__(self, body: bytes, agent: str) -> None:
        said = section(body, agent)
        self.crawl_delay = said.crawl_delay
        self.sitemaps = said.sitemaps
        self._patterns = Patterns(said.rules) if said.rules else None

    def allows(self, url: Url) -> bool:
        """Whether we may ask for this URL, which is one of the origin that the body belongs to."""
        if self._patterns is None:
            return True
        found = _decide(self._patterns, url)
        return found is None or found.allow


def ruling(body: bytes, url: Url, agent: str) -> Ruling:
    """Name the line of a body that decides about this URL."""
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
    """As much as can be read: a file that is too long or cut short still forbids what its beginning forbids."""
    layers, content = codings(response.codings), list[bytes]()
    try:
        for step in decode_steps(response.body, layers, LONGEST + STEP) if layers else (response.body,):
            content.append(step)
    except DecodeProblem:
        if (found := salvaged(response.body, content)) is not response.body:
            return whole_lines(found, is_cut=True)
        content = [response.body]
    return whole_lines(b"".join(content), is_cut=response.cut)
