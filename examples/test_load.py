"""Load tests of an application in a test suite, with limits. Run it with `pytest -rs test_load.py`."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from crawler.testing import LoadTester

Message = MutableMapping[str, Any]


class Shop:
    """The code under test: an ASGI application, as FastAPI or Starlette make them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.sold = 0

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer a request after some time."""
        if scope["type"] != "http":
            return
        await asyncio.sleep(self.seconds)
        self.sold += scope["method"] == "POST"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"hello"})


def test_the_shop_keeps_its_service_level(load_test: LoadTester) -> None:
    """Real requests from another process; a missed threshold fails the test, and says by how much."""
    result = load_test(Shop(0.005), "/items", rate=100, duration=2, thresholds=["errors<1%", "p50<500ms"])

    result.assert_below("p90", 0.8)


def test_customers_look_and_buy(load_test: LoadTester) -> None:
    """Several targets, with weights; the application is there to be asked afterwards."""
    shop = Shop(0.001)
    targets = ["/items weight=9", {"url": "/cart", "body": b"item=1", "tag": "buy"}]

    result = load_test(shop, targets=targets, rate=200, duration=2)

    assert {group.name for group in result.groups} == {"GET /items", "buy"}
    assert shop.sold > 0
