"""The merge of all finds of a URL into its row, in any order; and the find of a redirect's target.

Rules
- An allowed find beats a refused one. Of refusals, the one that is nearest to being allowed is kept: a URL out of scope
  waits for its place, and one that a find may not have (too deep, nofollow...) waits for another find. A refusal of the
  URL itself (patterns, traps) stays, and only a line of the list or of a sitemap overcomes it.
- A row has the way of its best find (`Way.is_better_than`). It never mixes the fields of several finds: the result
  would describe a path that does not exist. Only `chain`, `sitemap` and `lastmod` are merged one by one.
- A guess that no server answered over https waits for a find whose scheme was written, and is allowed then.
- A hop (a redirect, or a refresh) keeps its source's depth, and leads a seed to a seed and a sitemap to a sitemap, ten
  times in a row at the most.
  A page that a link leads to as well may go on, but as a link does: a step further, and to no seed.
- `chain` is the length of the shortest redirect chain that reaches the URL since a link or a line. After ten hops the
  target is refused, unless a shorter chain is found later.
A better row leads to better finds, and the best of some finds is the same in any order. So the result of a run does not
depend on the order of answers, as long as a row that becomes better after its visit passes that on.
Runs on: anywhere (pure); `hop` in worker processes too.
"""

from typing import NamedTuple

from msgspec.structs import replace

from crawler.core.discovery import Way
from crawler.core.finds import Find
from crawler.core.reasons import Reason
from crawler.core.scheme_guesses import both
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


class UrlRow(NamedTuple):
    """A URL as all of its finds make it; `refusal` None = it is allowed. The rest as in `Find`."""

    way: Way
    line: int | None
    guess: int
    refusal: Reason | None


def first(find: Find, refusal: Reason | None) -> UrlRow:
    """Return the row of a URL that was not known before."""
    return UrlRow(find.way, find.line, find.guess, refusal)


def merged(row: UrlRow, find: Find, refusal: Reason | None) -> UrlRow | None:
    """Return the row after one more find, refused or not; None = the find brings nothing new."""
    tells = find.way.sitemap or find.way.lastmod is not None or find.line is not None or find.guess != row.guess
    is_better = find.way.is_better_than(row.way)
    if refusal is row.refusal and find.way.chain >= row.way.chain and not tells and not is_better:
        return None  # as most do
    best = row.way
    chain = row.way.chain
    if refusal:  # the guess is that of the finds that are not refused
        guess = row.guess
    elif row.refusal in {None, Reason.HTTP_INSTEAD}:
        guess = both(row.guess, find.guess)
    else:
        guess = find.guess
    if row.refusal is Reason.HTTP_INSTEAD and guess == row.guess:
        refusal = row.refusal
    if refusal is row.refusal or row.refusal is Reason.HTTP_INSTEAD:
        if is_better:
            best = find.way
        chain = min(chain, find.way.chain)
    elif _beats(find.way, refusal, row.refusal):
        best, chain = find.way, find.way.chain
    else:
        refusal = row.refusal
    lastmod = max(row.way.lastmod or "", find.way.lastmod or "") or None
    way = replace(best, chain=chain, sitemap=row.way.sitemap or find.way.sitemap, lastmod=lastmod)
    line = min((line for line in (row.line, find.line) if line is not None), default=None)
    better = UrlRow(way, line, guess, refusal)
    return None if better == row else better


def _beats(way: Way, refusal: Reason | None, kept: Reason | None) -> bool:
    if refusal is None:
        return way.seed or way.sitemap or _grade(kept) != _OF_THE_URL
    return kept is not None and _grade(refusal) < _grade(kept)


def _grade(refusal: Reason | None) -> int:
    return 0 if refusal is None else _GRADES.get(refusal, _OF_THE_URL)


def hop(source: Url, way: Way, target: Url) -> Find:
    """Return the find of the target of a redirect or a refresh; `way` is how its `source` was reached.

    A redirect to another origin is foreign: the user's credentials are not sent there.
    """
    is_last = way.hops >= MOST_HOPS
    onward = Way(
        seed=way.seed and not is_last and way.chain < MOST_HOPS,
        depth=way.depth + is_last,
        hops=0 if is_last else way.hops + 1,
        chain=way.chain + 1,
        foreign=way.foreign or target.origin != source.origin,
        sitemap=way.sitemap,
    )
    return Find(url=target, way=onward, refusal=Reason.HOP_LIMIT if way.chain >= MOST_HOPS else None)
