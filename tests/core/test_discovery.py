"""core.ways: which of two ways to a URL is the better one."""

from itertools import combinations

from crawler.core.discovery import START, Way


def test_a_seed_then_fewer_links_then_fewer_hops_then_the_same_origin() -> None:
    """Each of these ways beats every one after it, and none beats itself."""
    ways = [
        Way(seed=True, depth=2, hops=9, foreign=True),
        START,
        Way(foreign=True),
        Way(hops=1),
        Way(depth=1),
        Way(depth=1, hops=1, sitemap=True),
    ]

    assert all(better.is_better_than(worse) for better, worse in combinations(ways, 2))
    assert not any(worse.is_better_than(better) for better, worse in combinations(ways, 2))
    assert not any(way.is_better_than(way) for way in ways)


def test_chain_sitemap_and_lastmod_rank_no_way() -> None:
    """They are merged one by one, whichever way is the better one."""
    told = Way(chain=3, sitemap=True, lastmod="2024-05-01")

    assert not START.is_better_than(told)
    assert not told.is_better_than(START)
