"""Serves a built-in site on loopback, and notes everything that it is asked.

Rules
- Each virtual host has an address of its own, the next after the one before it, all with one port. Where the machine
  has no such address (macOS), it has a port of its own at the first address instead.
- A request that its client gives up is over at once, and noted with status 0. What is no HTTP, a target that is not
  ASCII for example, is answered 400 and not noted.
- A page in trouble counts its requests here: that is the only state beside the log.
- What a client does not accept as `Accept-Encoding` is sent without its coding.
Runs on: loop.
"""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from aiohttp import web

from crawler.site.answers import PageTruth
from crawler.site.log import Hit, RequestLog
from crawler.site.truth import Site

_BACKLOG = 4096  # connections that may wait to be accepted: a load test opens thousands at once
_PAGES_KEPT = 512
_LONGEST_TARGET = 65_536
_GRACE = 0.05  # seconds until an answer that nobody reads is given up, when the server closes


class SiteServer:
    """A running site: `async with SiteServer(Site(plan)) as server: ...`.

    Attributes:
        site: the truth of what is served, at the base URLs of this server.
        base_urls: one per virtual host, without a slash at the end.
        peak_concurrency: the most requests that were being answered at one moment.
    """

    def __init__(self, site: Site, *, address: str = "127.0.0.1", port: int = 0, log_path: Path | None = None) -> None:
        self.site = site
        self.peak_concurrency = 0
        self._address = address
        self._port = port
        self._log_path = log_path
        self._active = 0
        self._turned_away: Counter[tuple[int, str]] = Counter()
        self._stack = AsyncExitStack()

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Where each virtual host is served."""
        return self.site.base_urls

    @property
    def log(self) -> list[Hit]:
        """Every request so far, in the order in which they ended; with a log file, only what waits to be written."""
        return self._log.hits

    @property
    def hits(self) -> Counter[tuple[int, str]]:
        """How often each (host, target) was asked for, by the log in memory."""
        return Counter((hit.host, hit.target) for hit in self.log)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._log = RequestLog(self._log_path)
            stack.callback(self._log.close)
            addresses = [await self._listen(stack, host) for host in range(self.site.plan.hosts)]
            self.site = self.site.at([_base_url(*address) for address in addresses])
            self._page = lru_cache(_PAGES_KEPT)(self.site.page)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _listen(self, stack: AsyncExitStack, host: int) -> tuple[str, int]:
        protocols = web.Server(
            partial(self._answer, host), handler_cancellation=True, access_log=None, max_line_size=_LONGEST_TARGET
        )
        listener = await self._bind(protocols, host)
        stack.push_async_callback(_hang_up, protocols)
        stack.callback(listener.close)
        address, port = listener.sockets[0].getsockname()[:2]
        self._port = self._port or port
        return address, port

    async def _bind(self, protocols: web.Server, host: int) -> asyncio.Server:
        listen = partial(asyncio.get_running_loop().create_server, protocols, backlog=_BACKLOG)
        try:
            return await listen(str(ip_address(self._address) + host), self._port)
        except OSError:
            if host == 0:
                raise
            return await listen(self._address, 0)

    async def _answer(self, host: int, request: web.BaseRequest) -> web.Response:
        started, status = time.monotonic(), 0
        self._active += 1
        self.peak_concurrency = max(self.peak_concurrency, self._active)
        try:
            response = await self._respond(host, request)
            status = response.status
            return response
        finally:
            self._active -= 1
            ended, target = time.monotonic(), request.raw_path
            self._log.add(
                Hit(host=host, method=request.method, target=target, status=status, started=started, ended=ended)
            )

    async def _respond(self, host: int, request: web.BaseRequest) -> web.Response:
        truth = self._page(host, request.raw_path)
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if truth is None:
            return web.Response(status=404, text="There is no such page.\n")
        if truth.delay:
            await asyncio.sleep(truth.delay)
        return self._turn_away(host, truth) or _response(truth, request)

    def _turn_away(self, host: int, truth: PageTruth) -> web.Response | None:
        trouble = truth.trouble
        if trouble is None or self._turned_away[host, truth.path] >= trouble.times:
            return None
        self._turned_away[host, truth.path] += 1
        headers = {} if trouble.retry_after is None else {"Retry-After": str(trouble.retry_after)}
        return web.Response(status=trouble.status, headers=headers, text="Not now.\n")


async def _hang_up(protocols: web.Server) -> None:
    for connection in protocols.connections:
        connection.force_close()
    await protocols.shutdown(_GRACE)


def _response(truth: PageTruth, request: web.BaseRequest) -> web.Response:
    if truth.coding and truth.coding not in request.headers.get("Accept-Encoding", ""):
        headers = [(name, value) for name, value in truth.headers if name != "Content-Encoding"]
        return web.Response(status=truth.status, headers=headers, body=truth.decoded)
    return web.Response(status=truth.status, headers=truth.headers, body=truth.body)


def _base_url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
