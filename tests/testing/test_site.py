"""testing.site: the built-in site for tests of users."""

import crawler
from crawler.testing import served_site


def test_a_site_is_served_until_the_block_ends() -> None:
    """Pages answer within the block, and nothing listens after it."""
    with served_site(pages=3) as url:
        (page,) = crawler.fetch([f"{url}/"])
    (gone,) = crawler.fetch([f"{url}/"], retries=0)

    assert page.status == 200
    assert isinstance(gone.error, crawler.FetchError)
    assert gone.error.reason is crawler.Reason.CONNECT_REFUSED
