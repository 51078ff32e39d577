"""The verdict of a robots.txt about one URL, as text and JSON: the deciding line, and the age of the copy.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.records import moment
from crawler.core.text import counted, duration, safe
from crawler.core.urls import Url
from crawler.robots.rules import RobotsOutcome, RobotsRules, ruling

_SITEMAPS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsVerdict:
    """The output of `crawler robots`; the order of the fields is the order in the JSON.

    Attributes:
        line, rule, group: of the deciding line; null = no rule matches, or there are none.
        status, bytes, fetched_at, expires_at: of the copy; null = there is no copy.
        reason, message, retry_after: the error because of which no URL may be requested now; null = no error.
    """

    url: str
    agent: str
    allowed: bool
    line: int | None = None
    rule: str | None = None
    group: str | None = None
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    status: int | None = None
    bytes: int | None = None
    fetched_at: str | None = None
    expires_at: str | None = None
    reason: str | None = None
    message: str | None = None
    retry_after: float | None = None


def verdict(found: RobotsCopy | RobotsOutcome, url: Url, agent: str) -> RobotsVerdict:
    """Return the verdict about a URL, from a robots.txt or from the failure to fetch it."""
    if isinstance(found, RobotsOutcome):
        return RobotsVerdict(
            url=url.href,
            agent=agent,
            allowed=False,
            reason=found.reason,
            message=found.message,
            retry_after=found.retry_after,
        )
    rules, decides = RobotsRules(found.body, agent), ruling(found.body, url, agent)
    return RobotsVerdict(
        url=url.href,
        agent=agent,
        allowed=decides.allowed,
        line=decides.line,
        rule=decides.rule,
        group=decides.group,
        crawl_delay=rules.crawl_delay,
        sitemaps=rules.sitemaps,
        status=found.status,
        bytes=len(found.body),
        fetched_at=moment(found.fetched_at),
        expires_at=moment(found.expires_at),
    )


def as_text(verdict: RobotsVerdict, found: RobotsCopy | RobotsOutcome, now: float) -> str:
    """Return a line for the verdict, and a line for each fact behind it."""
    word = "refused for now" if isinstance(found, RobotsOutcome) else "allowed" if verdict.allowed else "refused"
    lines = [f"{word}  {safe(verdict.url, 2083)}"]
    lines += [f"  {name:12}{safe(text, 2083)}" for name, text in _facts(verdict, found, now)]
    return "\n".join(lines)


def _facts(verdict: RobotsVerdict, found: RobotsCopy | RobotsOutcome, now: float) -> Iterator[tuple[str, str]]:
    yield "agent", verdict.agent
    if isinstance(found, RobotsOutcome):
        asked = f"; the server asks to wait {duration(found.retry_after)}" if found.retry_after else ""
        yield "reason", f"{found.reason}: {found.message}{asked}"
        return
    if verdict.line is None:
        yield "rule", "none matches"
    else:
        yield "rule", f"line {verdict.line}: {verdict.rule}"
        yield "group", f"User-agent: {verdict.group}"
    if verdict.crawl_delay is not None:
        yield "crawl-delay", duration(verdict.crawl_delay)
    for sitemap in verdict.sitemaps[:_SITEMAPS_SHOWN]:
        yield "sitemap", sitemap
    if (more := len(verdict.sitemaps) - _SITEMAPS_SHOWN) > 0:
        yield "", f"and {counted(more, 'sitemap')} more"
    meaning = "" if found.status < 300 else ": everything is allowed"
    yield "robots.txt", f"status {found.status}, {counted(len(found.body), 'byte')}{meaning}"
    age, left = now - found.fetched_at, found.expires_at - now
    yield "fetched", f"{verdict.fetched_at}, {f'{duration(age)} ago' if age >= 1 else 'just now'}"
    yield "believed", f"until {verdict.expires_at}{'' if left > 0 else ': stale, to be requested again'}"
