"""The client that waits: Python's http.client, with the reasons of the other one."""

import asyncio

from aiohttp import web

from crawler.core.config import FetchConfig
from crawler.core.messages import Request
from crawler.core.urls import parse
from crawler.models.http_client import BlockingClient
from support.siteserver import HandMadeSite


async def test_a_kept_alive_connection_that_broke_is_replaced_once() -> None:
    """One connection serves several pages; when it breaks before an answer, the request goes out again on another."""

    async def hang_up(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with HandMadeSite() as site:
        site.add_page("/a", b"a")
        site.add_page("/b", b"b")
        site.add_handler("/c", hang_up, times=1)
        site.add_page("/c", b"c", headers=[("X-Odd", "1")])
        with BlockingClient(FetchConfig()) as client:
            answers = [
                await asyncio.to_thread(client.fetch, Request(url=parse(site.url(path)))) for path in ("/a", "/b", "/c")
            ]

    ports = [asked.port for asked in site.requests]
    assert [answer.body for answer in answers] == [b"a", b"b", b"c"]
    assert answers[2].header("x-odd") == "1"
    assert ports[0] == ports[1] == ports[2] != ports[3]
