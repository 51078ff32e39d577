"""The policy of a frontier, besides politeness: chosen when a run begins, the same for all its lives.

Runs on: anywhere (pure).
"""

import msgspec
from msgspec import field

from crawler.core.scope import LinkJudge, Scope, ScopeMode


class FrontierPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of one run.

    Attributes:
        follows: links are followed, so a cache of the seen URLs pays.
        scope: the places that the seeds bring in; by default everywhere.
        judge: refuses targets of redirects, as the engine does; None = no target is refused.
        traps: a family of URLs that looks like a site without end is closed when it has grown too large.
        by_level: URLs are leased one depth after the other.
        host_pages: lines of output per host and port at the most; None = no limit.
        edges: the frontier keeps which page links to which URL.
    """

    follows: bool = False
    scope: Scope = field(default_factory=lambda: Scope(ScopeMode.ALL))
    judge: LinkJudge | None = None
    traps: bool = False
    by_level: bool = False
    host_pages: int | None = None
    edges: bool = False
