"""site.listings: the robots.txt and the sitemaps list what the site answers."""

import re

import protego
import pytest

from crawler.site.plan import SitePlan
from crawler.site.truth import Site
from support.site_pages import BARE_AMPERSAND, pages_of


def test_robots_forbids_what_is_private() -> None:
    """A parser of robots.txt keeps out of /private/ and nothing else, and finds the delay and the sitemap."""
    site = Site(SitePlan(pages=300, hosts=2, crawl_delays=(0, 2.5)))

    robots = site.page(1, "/robots.txt")

    assert robots
    rules = protego.Protego.parse(robots.decoded.decode())
    forbidden = [path for path in site.paths(1) if not rules.can_fetch(site.base_urls[1] + path, "crawler")]
    assert forbidden == [f"/private/00000{number}.html" for number in (1, 2, 3, 4)]
    assert rules.crawl_delay("crawler") == 2.5
    assert list(rules.sitemaps) == [f"{site.base_urls[1]}/sitemap.xml"]


@pytest.mark.parametrize("pages", [1, 300, 2_000, 4_100])
def test_sitemaps_list_every_page_that_answers(pages: int) -> None:
    """A sitemap, or the parts of its index, name exactly the public pages with status 200."""
    site = Site(SitePlan(pages=pages, largest=0))

    listed = locations(site, "/sitemap.xml")
    if pages > 2_000:
        listed = [url for part in listed for url in locations(site, part.removeprefix(site.base_urls[0]))]

    fine = [page.path for page in pages_of(site) if page.status == 200 and not page.path.startswith("/private/")]
    assert listed == [site.base_urls[0] + path for path in fine]


def locations(site: Site, path: str) -> list[str]:
    """The addresses in a sitemap."""
    page = site.page(0, path)
    assert page
    assert not BARE_AMPERSAND.search(page.decoded)
    return [loc.replace("&amp;", "&") for loc in re.findall("<loc>(.*?)</loc>", page.decoded.decode())]
