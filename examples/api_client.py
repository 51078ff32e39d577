"""An API client: a token, pages of a list, retries as the server asks for them, errors that say what happened.

The API is the application at the end of this file; without `transport`, it would be the server at `base_url`.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import crawler
from crawler.testing import AsgiTransport


async def all_items(api: crawler.Fetcher) -> AsyncIterator[dict[str, object]]:
    """Yield the items of all pages."""
    page = "items"
    while page:
        answer = (await api.get(page)).raise_for_status().json()
        for item in answer["items"]:
            yield item
        page = answer["next"]


async def main() -> None:
    """List the items, add one, and ask for one that is not there."""
    retries = crawler.RetryPolicy(tries=5, statuses={429, 503}, backoff=0.1)
    async with crawler.Fetcher(
        base_url="http://api.example/v1/",
        bearer="secret",
        retries=retries,
        on_retry=print,
        transport=AsgiTransport(toy_api),
    ) as api:
        async for item in all_items(api):
            print(item)
        added = await api.post("items", json={"name": "cup"})
        print(added.status, added.headers["location"])
        try:
            (await api.get("items/9")).raise_for_status()
        except crawler.StatusError as error:
            print(error.status, error.answer.text, error)


moods = iter(["ready", "busy"])


async def toy_api(scope, receive, send) -> None:
    """Answer as an API would: two pages, of which the second one is busy at first."""
    await receive()
    where = f"{scope['method']} {scope['raw_path'].decode()}?{scope['query_string'].decode()}"
    pages = {
        "GET /v1/items?": (200, {"items": [{"id": 1}, {"id": 2}], "next": "items?page=2"}, []),
        "GET /v1/items?page=2": (200, {"items": [{"id": 3}], "next": None}, []),
        "POST /v1/items?": (201, {"id": 4}, [(b"location", b"/v1/items/4")]),
    }
    status, body, headers = pages.get(where, (404, "there is no such item", []))
    if next(moods, "ready") == "busy":
        status, headers = 429, [(b"retry-after", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


asyncio.run(main())
