"""Which line of a robots.txt decides about a URL (RFC 9309).

Runs on: anywhere (pure).
"""

import re
from dataclasses import dataclass

from protego import Protego

from crawler.core.urls import Url

LONGEST = 512 * 1024


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


class Rules:
    """What the body of a robots.txt says to the product token `agent`.

    Attributes:
        crawl_delay: seconds between two requests that it asks for; None = it does not.
    """

    def __init__(self, body: bytes, agent: str) -> None:
        self._agent = agent
        self._rules = Protego.parse(body[:LONGEST].decode("utf-8-sig", "replace"))
        self.crawl_delay = self._rules.crawl_delay(agent)

    def allows(self, url: Url) -> bool:
        """Whether we may ask for this URL, which is one of the origin that the body belongs to."""
        return bool(self._rules.can_fetch(url.href, self._agent))


def ruling(body: bytes, url: Url, agent: str) -> Ruling:
    """Which line of a body decides about this URL, as `Rules` would."""
    text = body[:LONGEST].decode("utf-8-sig", "replace")
    allowed = Rules(body, agent).allows(url)
    group = None
    for number, line in enumerate(text.splitlines(), 1):
        name, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if name.lower() == "user-agent":
            group = value
        elif name.lower() == ("allow" if allowed else "disallow") and value:
            pattern = re.escape(value).replace(r"\*", ".*").removesuffix(r"\$")
            if group and (group == "*" or group.lower() in agent.lower()) and re.match(pattern, url.target):
                return Ruling(allowed=allowed, line=number, rule=line.partition("#")[0].strip(), group=group)
    return Ruling(allowed=allowed)
