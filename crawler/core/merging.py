"""What a URL's row is after all of its finds, whichever came first; and where a redirect leads.

Rules
- An allowed find beats a refused one. Of refusals, the one that is nearest to being allowed is kept: what lies out of
  scope waits for its place, what one find may not have (too deep, nofollow...) waits for another find. What the URL
  itself is refused for (patterns, traps) stays, and only a line of the list or of a sitemap overcomes it.
- A row is as good as its best find: a seed beats a link, then the smaller depth, then fewer hops, then whoever leads
  there from the same origin. The best find brings all of these, so a row is never better than every way to it.
- A guess that no server answered over https waits for a find whose scheme was written, and is allowed then.
- A hop (a redirect, or a refresh) keeps its source's depth, and leads a seed to a seed and a sitemap to a sitemap, ten
  times in a row at the most.
  A page that is linked to as well may still lead on, and then as a link does: a step further, and to no seed.
- `chain` counts the hops since a link or a line, by the way that has the fewest. After ten nobody goes on.
Each rule gives better finds for a better row, and the best of some finds is the same in any order: so what a run comes
to does not depend on who answered first, as long as a row that becomes better after its turn passes that on.
Runs on: anywhere (pure); `hop` in worker processes too.
"""

from typing import NamedTuple, Protocol

from crawler.core.finds import Find
from crawler.core.guesses import both
from crawler.core.reasons import Reason
from crawler.core.urls import Url

MOST_HOPS = 10

_OF_THE_URL = 1
_GRADES = {
    Reason.OUT_OF_SCOPE: 2,
    Reason.TRAP_SESSION_ID: 2,
    Reason.DEPTH_LIMIT: 3,
    Reason.HOP_LIMIT: 4,
    Reason.SITEMAP_LIMIT: 5,
    Reason.NOFOLLOW: 6,
}


class Reached(Protocol):
    """How a URL was reached, be it a find, a row or a request."""

    @property
    def seed(self) -> bool:
        """The user listed it, or hops lead there from what the user listed."""
        ...

    @property
    def depth(self) -> int:
        """Links from a seed."""
        ...

    @property
    def hops(self) -> int:
        """Hops at this depth."""
        ...

    @property
    def chain(self) -> int:
        """Hops since the last link or line, on the way that has the fewest."""
        ...

    @property
    def foreign(self) -> bool:
        """Another origin redirected there."""
        ...

    @property
    def sitemap(self) -> bool:
        """It is to be read as a sitemap."""
        ...


class UrlRow(NamedTuple):
    """What the finds of a URL have made of it; `refusal` None = it is allowed. The rest as in `Find`."""

    seed: bool
    depth: int
    hops: int
    chain: int
    foreign: bool
    sitemap: bool
    lastmod: str | None
    line: int | None
    guess: int
    refusal: Reason | None


def first(find: Find, refusal: Reason | None) -> UrlRow:
    """The row of a URL that was not known before."""
    way = find.seed, find.depth, find.hops, find.chain, find.foreign
    return UrlRow(*way, find.sitemap, find.lastmod, find.line, find.guess, refusal)


def merged(row: UrlRow, find: Find, refusal: Reason | None) -> UrlRow | None:
    """The row after one more find, refused or not; None = it brings nothing new."""
    tells = find.sitemap or find.lastmod is not None or find.line is not None or find.guess != row.guess
    if refusal is row.refusal and find.chain >= row.chain and not tells and not is_nearer(find, row):
        return None  # as most do
    best: Reached = row
    chain = row.chain
    guess = _guess(row, find, refusal)
    if row.refusal is Reason.HTTP_INSTEAD and guess == row.guess:
        refusal = row.refusal
    if refusal is row.refusal or row.refusal is Reason.HTTP_INSTEAD:
        if is_nearer(find, row):
            best = find
        chain = min(chain, find.chain)
    elif _beats(find, refusal, row.refusal):
        best, chain = find, find.chain
    else:
        refusal = row.refusal
    if best is row and chain == row.chain and guess == row.guess and not _tells_more(find, row):
        return None
    way = best.seed, best.depth, best.hops, chain, best.foreign
    lastmod, line = _most(row.lastmod, find.lastmod), _least(row.line, find.line)
    return UrlRow(*way, row.sitemap or find.sitemap, lastmod, line, guess, refusal)


def _guess(row: UrlRow, find: Find, refusal: Reason | None) -> int:
    """Join what all finds that are not refused say of its scheme."""
    if refusal:
        return row.guess
    return both(row.guess, find.guess) if row.refusal in {None, Reason.HTTP_INSTEAD} else find.guess


def is_nearer(one: Reached, other: Reached) -> bool:
    """Whether a way is better than another, refusals aside."""
    if one.seed != other.seed:
        return one.seed
    if one.depth != other.depth:
        return one.depth < other.depth
    if one.hops != other.hops:
        return one.hops < other.hops
    return other.foreign and not one.foreign


def _beats(find: Find, refusal: Reason | None, kept: Reason | None) -> bool:
    if refusal is None:
        return find.seed or find.sitemap or _grade(kept) != _OF_THE_URL
    return kept is not None and _grade(refusal) < _grade(kept)


def _grade(refusal: Reason | None) -> int:
    return 0 if refusal is None else _GRADES.get(refusal, _OF_THE_URL)


def _tells_more(find: Find, row: UrlRow) -> bool:
    return (
        (find.sitemap and not row.sitemap)
        or (find.lastmod is not None and find.lastmod > (row.lastmod or ""))
        or (find.line is not None and (row.line is None or find.line < row.line))
    )


def _most(one: str | None, other: str | None) -> str | None:
    return max(one or "", other or "") or None


def _least(one: int | None, other: int | None) -> int | None:
    return min((line for line in (one, other) if line is not None), default=None)


def hop(source: Url, way: Reached, target: Url) -> Find:
    """The find of what a redirect or a refresh of `source`, which was reached in this way, leads to.

    Whoever redirects to another origin does not send the user's credentials there.
    """
    is_last = way.hops >= MOST_HOPS
    return Find(
        url=target,
        depth=way.depth + is_last,
        hops=0 if is_last else way.hops + 1,
        chain=way.chain + 1,
        seed=way.seed and not is_last and way.chain < MOST_HOPS,
        foreign=way.foreign or target.origin != source.origin,
        sitemap=way.sitemap,
        refusal=Reason.HOP_LIMIT if way.chain >= MOST_HOPS else None,
    )
