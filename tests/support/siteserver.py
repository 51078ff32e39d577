"""Hand-made sites: a test says what each path answers, and a real server on loopback answers it.

    async with HandMadeSite() as site:
        site.add_page("/", links=["/a", "/b"])
        site.add_page("/a", status=503, times=1)  # the first answer; then:
        site.add_page("/a", "<title>A</title>")
        site.add_page("/b", location="/a", status=301)

Rules
- A path is the request target as it goes over the wire, query included; what was not added is 404, robots.txt too.
- Answers with `times` are given first, in the order in which they were added; one without is given from then on.
- A request whose client leaves is over at once.
"""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from html import escape
from typing import Self

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived: names and values of its headers in order, and which client port sent it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    port: int

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(slots=True)
class _Place:
    """The answers of one path: first each of `first`, then `always`."""

    first: deque[Handler] = field(default_factory=deque)
    always: Handler | None = None

    def next(self) -> Handler:
        return self.first.popleft() if self.first else self.always or _not_found


class HandMadeSite:
    """A server of a few pages, for one test; `tls` makes it speak https.

    Attributes:
        requests: everything asked so far, in order of arrival.
        peak_concurrency: the most requests that were being answered at one moment.
    """

    def __init__(self, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Asked] = []
        self.peak_concurrency = 0
        self._address = address
        self._tls = tls
        self._active = 0
        self._places: defaultdict[str, _Place] = defaultdict(_Place)
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        protocols = web.Server(self._answer, handler_cancellation=True, access_log=None, max_line_size=65_536)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(protocols, self._address, 0, ssl=self._tls, backlog=4096)
        self._stack.push_async_callback(_hang_up, protocols)
        self._stack.callback(listener.close)
        self.port: int = listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def url(self, path: str = "/") -> str:
        """The URL of a path."""
        address = f"[{self._address}]" if ":" in self._address else self._address
        return f"{'https' if self._tls else 'http'}://{address}:{self.port}{path}"

    def add_page(  # one call is one line of a site's description
        self,
        path: str,
        body: bytes | str = b"",
        *,
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        links: Iterable[str] = (),
        delay: float = 0.0,
        content_type: str = "text/html",
        location: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer a path with these bytes; `links` are appended as HTML, `times` limits it to so many requests."""
        content = (body.encode() if isinstance(body, str) else body) + _html(links)
        given = [("Content-Type", content_type), *([("Location", location)] if location else []), *headers]

        async def answer(_: web.BaseRequest) -> web.Response:
            await asyncio.sleep(delay)
            return web.Response(status=status, headers=given, body=content)

        self.add_handler(path, answer, times=times)

    def add_handler(self, path: str, handler: Handler, *, times: int | None = None) -> None:
        """Answer a path with whatever an asynchronous function returns."""
        if times is None:
            self._places[path].always = handler
        else:
            self._places[path].first.extend([handler] * times)

    def hits(self, path: str) -> int:
        """Return how often exactly this target was asked for."""
        return sum(asked.target == path for asked in self.requests)

    @property
    def targets(self) -> list[str]:
        """The raw request targets, in order of arrival."""
        return [asked.target for asked in self.requests]

    async def asked(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._active == 0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._active += 1
        self.peak_concurrency = max(self.peak_concurrency, self._active)
        try:
            self.requests.append(await _asked(request))
            await self._tell()
            return await self._places[request.raw_path].next()(request)
        finally:
            self._active -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Gate:
    """Answers of these paths, held back until the gate is opened."""

    def __init__(self, site: HandMadeSite, paths: Iterable[str]) -> None:
        self.opened = asyncio.Event()
        for path in paths:
            site.add_handler(path, self._answer)

    async def _answer(self, _: web.BaseRequest) -> web.Response:
        await self.opened.wait()
        return web.Response(text="<title>late</title>", content_type="text/html")


async def _asked(request: web.BaseRequest) -> Asked:
    assert request.transport is not None
    return Asked(
        method=request.method,
        target=request.raw_path,
        headers=tuple(request.headers.items()),
        body=await request.content.read(),
        port=request.transport.get_extra_info("peername")[1],
    )


async def _not_found(_: web.BaseRequest) -> web.Response:
    return web.Response(status=404, text="not found")


async def _hang_up(protocols: web.Server) -> None:
    for connection in protocols.connections:
        connection.force_close()
    await protocols.shutdown(0.05)


def _html(links: Iterable[str]) -> bytes:
    return "".join(f'<a href="{escape(link)}">{escape(link)}</a>\n' for link in links).encode()
