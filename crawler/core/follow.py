"""Which links of a document become finds, and with which refusal.

Rules
- A URL is one find, however often and in whatever ways the document points at it: an allowed one beats a refused one.
  Only a refresh is another, since a hop and a link lead on differently (`core/merging.py`).
- A link leads one step further from the seed. A refresh is a redirect that the document makes: it keeps its depth,
  costs a hop, and leads a seed to a seed.
- Who asks robots not to follow is heard as long as robots.txt is (`obey`).
Runs on: anywhere (pure); travels to worker processes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from crawler.core.config import ScopeConfig
from crawler.core.links import LISTED, NAVIGATION, Link, LinkKind
from crawler.core.merging import hop
from crawler.core.models import Find, Request
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge

_NOFOLLOW = frozenset({"nofollow", "none"})


@dataclass(frozen=True, slots=True)
class Follow:
    """Turns links into finds; `kinds` are followed, and `obey` says whether nofollow is."""

    kinds: frozenset[LinkKind]
    judge: LinkJudge
    obey: bool

    def finds(self, links: Iterable[Link], request: Request, robots: frozenset[str]) -> tuple[Find, ...]:
        """The finds of the document at `request`, in its order; `robots` are the directives that it came with."""
        is_closed = self.obey and not robots.isdisjoint(_NOFOLLOW)
        found: dict[tuple[str, bool], Find] = {}
        for link in links:
            if link.kind in self.kinds:
                _merge(found, self._find(link, request, is_closed=is_closed))
        return tuple(found.values())

    def _find(self, link: Link, request: Request, *, is_closed: bool) -> Find:
        if link.kind is LinkKind.REFRESH:
            find = hop(request.url, request, link.url)
        else:
            find = Find(url=link.url, depth=request.depth + 1)
        if is_closed or (self.obey and link.nofollow):
            return replace(find, refusal=Reason.NOFOLLOW)
        if find.seed:
            return find
        refusal = self.judge.refusal(link.url, find.depth)
        return replace(find, refusal=refusal) if refusal else find


def follow(config: ScopeConfig, *, obey: bool) -> Follow:
    """What a crawl under this configuration follows."""
    kinds = frozenset(LinkKind) if config.assets else NAVIGATION | LISTED
    return Follow(kinds, LinkJudge(config), obey)


def _merge(found: dict[tuple[str, bool], Find], find: Find) -> None:
    key = find.url.href, find.chain > 0
    before = found.get(key)
    if before is None or (before.refusal and not find.refusal):
        found[key] = find
