"""site.plan: the numbers of a plan shape the site, and impossible numbers are refused."""

from itertools import pairwise

import pytest

from crawler.site.plan import Shares, SitePlan
from crawler.site.truth import Site
from support.site_pages import pages_of


def test_a_spread_gives_each_page_its_own_latency() -> None:
    """With a spread, delays differ from page to page and stay within it."""
    delays = {
        page.delay for page in pages_of(Site(SitePlan(pages=50, latency=1.0, latency_spread=0.5, shares=Shares())))
    }

    assert len(delays) > 50
    assert all(1.0 <= delay < 1.5 for delay in delays)


def test_sizes_are_mostly_small_and_rarely_huge() -> None:
    """Pages are from 1 KB up, most below the largest size, a few well above it."""
    sizes = sorted(len(page.decoded) for page in pages_of(Site(SitePlan.plain(pages=1000))))

    assert 1_000 < sizes[0] < 2_000
    assert sizes[-20] < 80_000
    assert 200_000 < sizes[-1] < 400_000
    assert all(small < large * 2 for small, large in pairwise(sizes))


@pytest.mark.parametrize("wrong", [{"pages": 0}, {"hosts": 0}, {"hosts": 251}, {"fanout": 1}])
def test_an_impossible_plan_is_refused(wrong: dict[str, int]) -> None:
    """A plan that describes no site is a ValueError."""
    with pytest.raises(ValueError, match="at least 1 page"):
        SitePlan(**wrong)  # type: ignore[arg-type]  # the names are those of numbers


@pytest.mark.parametrize("wrong", [{"slow": 0.6, "missing": 0.6}, {"slow": -0.1}])
def test_impossible_shares_are_refused(wrong: dict[str, float]) -> None:
    """Shares below nothing or beyond everything are a ValueError."""
    with pytest.raises(ValueError, match="their sum at most 1"):
        Shares(**wrong)
