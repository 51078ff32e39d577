"""Serves a built-in site on loopback, and logs every request.

Rules
- Each virtual host has its own address, consecutive, all with one port. On a machine without such addresses (macOS) it
  has its own port at the first address instead.
- A request that its client cancels ends at once, and is logged with status 0. An invalid request, such as one with a
  target outside of ASCII, is answered 400 and not logged.
- The server counts the requests of pages in trouble: its only state beside the log.
- A client whose `Accept-Encoding` lacks the coding of a page gets the page without it.
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

from crawler.site.log import Hit, RequestLog
from crawler.site.truth import Site

_BACKLOG = 4096  # connections waiting for accept(): a load test opens thousands at once
_PAGES_KEPT = 512
_LONGEST_TARGET = 65_536
_GRACE = 0.05  # seconds until a closing server gives up an answer that its client does not read


class SiteServer:
    """A running site: `async with SiteServer(Site(plan)) as server: ...`.

    Attributes:
        site: the served site, at the base URLs of this server.
        base_urls: one per virtual host, without a slash at the end.
        peak_concurrency: the peak number of requests that were being answered at the same time.
    """

    def __init__(self, site: Site, *, address: str = "127.0.0.1", port: int = 0, log_path: Path | None = None) -> None:
        self.site = site
        self.peak_concurrency = 0
        self._address = address
        self._port = port
        self._log_path = log_path
        self._active = 0
        self._refused: Counter[tuple[int, str]] = Counter()
        self._stack = AsyncExitStack()

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Return the base URL of each virtual host."""
        return self.site.base_urls

    @property
    def log(self) -> list[Hit]:
        """Return every request so far, in the order of their ends; with a log file, only those not yet written."""
        return self._log.hits

    @property
    def hits(self) -> Counter[tuple[int, str]]:
        """Return the number of requests per (host, target), from the log in memory."""
        return Counter((hit.host, hit.target) for hit in self.log)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._log = RequestLog(self._log_path)
            stack.callback(self._log.close)
            self.site = self.site.at([await self._listen(stack, host) for host in range(self.site.plan.hosts)])
            self._page = lru_cache(_PAGES_KEPT)(self.site.page)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _listen(self, stack: AsyncExitStack, host: int) -> str:
        """Open the socket of a virtual host, and return its base URL."""
        protocols = web.Server(
            partial(self._answer, host), handler_cancellation=True, access_log=None, max_line_size=_LONGEST_TARGET
        )
        listen = partial(asyncio.get_running_loop().create_server, protocols, backlog=_BACKLOG)
        try:
            listener = await listen(str(ip_address(self._address) + host), self._port)
        except OSError:
            if host == 0:
                raise
            listener = await listen(self._address, 0)
        stack.push_async_callback(_close_connections, protocols)
        stack.callback(listener.close)
        address, port = listener.sockets[0].getsockname()[:2]
        self._port = self._port or port
        return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"

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
        trouble = truth.trouble
        if trouble is not None and self._refused[host, truth.path] < trouble.times:
            self._refused[host, truth.path] += 1
            later = {} if trouble.retry_after is None else {"Retry-After": str(trouble.retry_after)}
            return web.Response(status=trouble.status, headers=later, text="Not now.\n")
        if truth.coding and truth.coding not in request.headers.get("Accept-Encoding", ""):
            headers = [(name, value) for name, value in truth.headers if name != "Content-Encoding"]
            return web.Response(status=truth.status, headers=headers, body=truth.decoded)
        return web.Response(status=truth.status, headers=truth.headers, body=truth.body)


async def _close_connections(protocols: web.Server) -> None:
    for connection in protocols.connections:
        connection.force_close()
    await protocols.shutdown(_GRACE)
