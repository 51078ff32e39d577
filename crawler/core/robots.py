"""robots.txt: what an answer to `/robots.txt` means, and what its body says (RFC 9309).

Rules
- 2xx: the first 512 KiB decide. Any other 3xx, after five redirects, and 4xx: everything is allowed. 429, 5xx and no
  answer: nothing is, until somebody could ask again (2.3.1).
- `core/robots_text.py` chooses the lines that concern us. Which of them decides about a path is protego's word: the
  longest, and among equals the one that allows (2.2.2).
Strategy: protego looks for what follows a wildcard behind what came before it and never goes back, so a pattern costs
one pass over the URL. Patterns without wildcards cost one `startswith` together, the others are bounded in number.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from urllib.parse import quote

from protego import Protego

from crawler.core.decode import STEP, DecodeProblem, codings, decode_steps
from crawler.core.models import Response, RobotsCopy
from crawler.core.reasons import Reason
from crawler.core.retry import retry_after
from crawler.core.robots_text import LONGEST, Rule, section, whole_lines
from crawler.core.urls import Url

LIFETIME = 24 * 3600.0  # RFC 9309, 2.4
STALE_LIFETIME = 2 * 3600.0  # while the server cannot give it; longer than the longest rest, or no page comes between
MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2


@dataclass(frozen=True, slots=True)
class Lesson:
    """What asking for a robots.txt taught.

    Attributes:
        reason: why the rules are not known; None = they are, be it from a copy that stays in force.
        message: what happened, for people.
        retry_after: seconds for which the server asked to be left alone; None = it did not.
        is_answered: there was an answer, whatever it said.
    """

    reason: Reason | None
    message: str = ""
    retry_after: float | None = None
    is_answered: bool = True


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


def judge(response: Response, now: float) -> RobotsCopy | Lesson:
    """What the answer to `/robots.txt` means, after its redirects: rules to keep, or why there are none for now."""
    status = response.status
    if status >= 500 or status == 429:
        asked = retry_after(response.header("retry-after"), now)
        return Lesson(Reason.ROBOTS_UNREACHABLE, f"robots.txt: the server answered {status}", asked)
    body = _decoded(response) if status < 300 else b""
    return RobotsCopy(fetched_at=now, expires_at=now + LIFETIME, status=status, body=body)


class Rules:
    """What the body of a robots.txt says to the product token `agent`.

    Attributes:
        crawl_delay: seconds between two requests that it asks for, within an hour; None = it does not.
        sitemaps: the URLs of its Sitemap lines, as they are written, each once.
    """

    def __init__(self, body: bytes, agent: str) -> None:
        said = section(body, agent)
        self.crawl_delay = said.crawl_delay
        self.sitemaps = said.sitemaps
        self._paths = _paths(said.rules) if said.rules else None

    def allows(self, url: Url) -> bool:
        """Whether we may ask for this URL, which is one of the origin that the body belongs to."""
        return self._paths is None or _allows(self._paths, url)


def ruling(body: bytes, url: Url, agent: str) -> Ruling:
    """Which line of a body decides about this URL, as `Rules` would; a second at the most, so for people."""
    rules = section(body, agent).rules
    if not rules:
        return Ruling(allowed=True)
    allowed = _allows(_paths(rules), url)
    if _is_robots(url):
        return Ruling(allowed=allowed)
    matching = [rule for rule in rules if rule.allow is allowed and _matches(rule, url)]
    if not matching:
        return Ruling(allowed=allowed)
    decisive = reduce(lambda best, rule: best if _outweighs(best, rule, url) else rule, matching)
    return Ruling(allowed=allowed, line=decisive.line, rule=decisive.text, group=decisive.group)


# --- which of two lines protego heeds --------------------------------------------------------------------------------


def _paths(rules: Iterable[Rule]) -> Protego:
    return _heeding(*(("Allow" if rule.allow else "Disallow", rule.pattern) for rule in rules))


_LINE_BREAKS = {ord(char): quote(char) for char in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"}  # lines end there for Python


def _heeding(*lines: tuple[str, str]) -> Protego:
    """What protego makes of these lines."""
    text = "\n".join(f"{name}: {pattern.translate(_LINE_BREAKS)}" for name, pattern in lines)
    return Protego.parse(f"User-agent: *\n{text}")


def _allows(paths: Protego, url: Url) -> bool:
    return bool(paths.can_fetch(url.href, "*"))


def _matches(rule: Rule, url: Url) -> bool:
    """Alone, a Disallow that matches forbids; an Allow lets what "/" forbids, since nothing is shorter."""
    if not rule.allow:
        return not _allows(_paths((rule,)), url)
    return _allows(_heeding(("Disallow", "/"), ("Allow", rule.pattern)), url)


def _outweighs(one: Rule, other: Rule, url: Url) -> bool:
    """Of two that match, whether the first is at least as long: as an Allow it would beat the other as a Disallow."""
    return _allows(_heeding(("Allow", one.pattern), ("Disallow", other.pattern)), url)


def _is_robots(url: Url) -> bool:
    return url.target.partition("?")[0] == "/robots.txt"  # always allowed (RFC 9309, 2.2.2)


# --- the body of an answer -------------------------------------------------------------------------------------------


def _decoded(response: Response) -> bytes:
    """As much as can be read: a file that is too long or cut short still forbids what its beginning forbids."""
    content: list[bytes] = []
    if layers := codings(response.header_list("content-encoding")):
        with suppress(DecodeProblem):
            for step in decode_steps(response.body, layers, LONGEST + STEP):
                content.append(step)  # noqa: PERF402 - what came before a problem is kept
            return whole_lines(b"".join(content), is_cut=False)
    if content:
        return whole_lines(b"".join(content), is_cut=True)
    return whole_lines(response.body, is_cut=response.cut)
