"""A test suite for code that uses a Fetcher: no network, no waiting. Run it with `pytest test_shop.py`."""

import asyncio

import pytest

import crawler
from crawler.testing import FakeTransport


async def cheapest(fetcher: crawler.Fetcher) -> str:
    """Return the name of the cheapest item: the code under test."""
    items = (await fetcher.get("http://shop.example/items", params={"sort": "price"})).raise_for_status().json()
    return items[0]["name"]


def ask(transport: FakeTransport, **options: object) -> str:
    """Run the code under test over fixed answers."""

    async def run() -> str:
        async with crawler.Fetcher(transport=transport, **options) as fetcher:
            return await cheapest(fetcher)

    return asyncio.run(run())


def test_a_busy_shop_is_asked_again(crawler_fake: FakeTransport) -> None:
    """The answer after a 503 counts, and the pause before it costs no time."""
    crawler_fake.answers["http://shop.example/items?sort=price"] = [503, (200, [{"name": "cup"}, {"name": "jug"}])]

    assert ask(crawler_fake, bearer="token") == "cup"
    assert [request.headers["Authorization"] for request in crawler_fake.requests] == ["Bearer token"] * 2


def test_a_shop_that_has_moved_away_is_an_error(crawler_fake: FakeTransport) -> None:
    """A status of 400 or more is no list of items."""
    crawler_fake.answers["http://shop.example/items?sort=price"] = 410

    with pytest.raises(crawler.StatusError, match="410"):
        ask(crawler_fake)
