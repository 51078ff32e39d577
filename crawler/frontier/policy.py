"""What a frontier keeps to besides politeness; chosen when a run begins, the same for all its lives.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass, field

from crawler.core.scope import LinkJudge, Scope, ScopeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPolicy:
    """The rules of one run.

    Attributes:
        follows: pages lead to further URLs, so it is worth remembering which are known.
        scope: which places the seeds bring in; by default everywhere.
        judge: says which targets of redirects are refused, as whoever read the redirect did; None = none is.
        traps: families of URLs that look like a site without end are closed when they have grown too large.
        by_level: one depth after the other.
        host_pages: lines of output per host and port at the most; None = no limit.
        edges: which page leads to which URL is kept for good.
    """

    follows: bool = False
    scope: Scope = field(default_factory=lambda: Scope(ScopeMode.ALL))
    judge: LinkJudge | None = None
    traps: bool = False
    by_level: bool = False
    host_pages: int | None = None
    edges: bool = False
