"""A worker of a shared run in whole crawls on virtual time: whatever its share, no line is lost or written twice."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.leases_and_commits import Share, Wanted
from support.crawls import urls
from support.shared_runs import SharedFrontier, loop_time
from support.virtual import START, crawl
from support.web import (
    ABSENT,
    BLACK_HOLE,
    CRAWLS,
    LIVE,
    REFUSES,
    RESTARTS,
    SILENT,
    SLOW,
    SLOWER,
    Kind,
    Web,
    check_manners,
)

KINDS = [LIVE, LIVE, BLACK_HOLE, SILENT, SLOW, SLOWER, REFUSES, ABSENT, RESTARTS, CRAWLS]
MIXES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 6)), min_size=1, max_size=20)
ABSENCES = st.lists(st.tuples(st.floats(0, 80), st.floats(1, 40)), max_size=3)


@settings(max_examples=20, deadline=None)
@given(MIXES, ABSENCES, st.none() | st.integers(1, 30), st.booleans(), st.integers(0, 1000))
def test_whatever_its_share_a_worker_loses_nothing_and_asks_in_its_term_only(
    mix: list[tuple[Kind, int]], absences: list[tuple[float, float]], most: int | None, robots: bool, seed: int
) -> None:
    """The store is away now and then, the rate changes, and hosts are handed back and come again."""
    chance = Random(seed)  # noqa: S311
    web, late = Web({f"h{n}.test": kind for n, (kind, _) in enumerate(mix)}), list[float]()
    lines = [f"http://h{n}.test/{page}" for n, (_, count) in enumerate(mix) for page in range(count)]

    def share(wanted: Wanted, until: float) -> Share:
        pages = None if most is None else min(wanted.pages, most)
        rate, surplus = chance.choice([0.0, 2.0, 50.0, 50.0, None]), chance.choice([0, 0, 0, 1, 3])
        return Share(until=until, pages=pages, rate=rate, surplus=surplus)

    with TemporaryDirectory() as folder:
        frontier = SharedFrontier(Path(folder))
        frontier.share = share
        frontier.renews = lambda now: not any(began < now - START < began + length for began, length in absences)
        web.on_request = lambda: late.append(loop_time()) if loop_time() >= frontier.until else None
        budget: dict[str, Any] = {} if most is None else {"max_pages": most}
        crawl(Path(folder), lines, web, frontier=frontier.make, delay=0.5, concurrency=4, robots=robots, **budget)
        found = urls(Path(folder))

    assert set(found.values()) <= {1}
    assert sum(found.values()) == min(len(lines), most or len(lines))
    assert not late
    check_manners(web, delay=0.5, robots=robots)
