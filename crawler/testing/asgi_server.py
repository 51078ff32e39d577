"""A server for an ASGI application on a free port of loopback, over real sockets, for load tests (ASGI 3.0, HTTP).

Rules
- The application runs on the loop that serves it, after its startup and until its shutdown (lifespan).
- An answer in one piece is sent with its length, as soon as the application gives it; background work may follow.
- An error of the application is a 500, or the end of an answer that has begun; the first one is logged with its trace.
- A client that leaves cancels the application's work for it.
Runs on: any event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from logging import getLogger
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict

from crawler.downloader.asgi_lifespan import AsgiApp, Message, lifespan

_BACKLOG = 4096  # connections waiting for accept(): a load test opens thousands at once
_LONGEST_TARGET = 65_536
_GRACE = 0.05  # seconds until a closing server gives up an answer that its client does not read
_LOG = getLogger("crawler.testing")


@asynccontextmanager
async def served_app(app: AsgiApp) -> AsyncIterator[str]:
    """Serve an application for the length of the block, and give its URL, without a slash at the end.

    Raises:
        RuntimeError: the application reports that it could not start, or not shut down.
    """
    async with lifespan(app) as state:
        server = _AppServer(app, state)
        protocols = web.Server(server.answer, handler_cancellation=True, access_log=None, max_line_size=_LONGEST_TARGET)
        listener = await asyncio.get_running_loop().create_server(protocols, "127.0.0.1", 0, backlog=_BACKLOG)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        finally:
            listener.close()
            await protocols.shutdown(_GRACE)


class _AppServer:
    def __init__(self, app: AsgiApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._has_failed = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Let the application answer one request."""
        exchange = _Exchange(request)
        try:
            await self._app(_scope(request, self._state), exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - an application may raise anything
            self._log(request, error)
        else:
            if not exchange.is_over:
                self._log(request, RuntimeError("it returned within its answer, or without one"))
        if exchange.response is None:
            return web.Response(status=500, text="Internal Server Error")
        if request.transport is not None and not exchange.is_over:
            request.transport.abort()
        return exchange.response

    def _log(self, request: web.BaseRequest, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            told = "the ASGI application failed to answer %s %s; more of its errors are not logged"
            _LOG.error(told, request.method, request.raw_path, exc_info=error)


class _Exchange:
    """One request to the application, and its answer.

    Attributes:
        response: None = the answer has not begun.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self.response: web.StreamResponse | None = None
        self._over = asyncio.Event()
        self._request = request
        self._head: tuple[int, CIMultiDict[str]] | None = None
        self._is_read = False

    @property
    def is_over(self) -> bool:
        """Return whether the answer is complete."""
        return self._over.is_set()

    async def receive(self) -> Message:
        if self._is_read:
            await self._over.wait()
            return {"type": "http.disconnect"}
        piece = await self._request.content.readany()
        self._is_read = self._request.content.at_eof()
        return {"type": "http.request", "body": piece, "more_body": not self._is_read}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            self._head = int(message["status"]), _fields(message.get("headers", ()))
        elif kind == "http.response.body" and self._head is not None and not self.is_over:
            await self._write(bytes(message.get("body", b"")), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"the ASGI application sent {kind!r} where it cannot stand")

    async def _write(self, piece: bytes, *, is_last: bool) -> None:
        assert self._head is not None  # noqa: S101 - `send` lets no body go first
        status, headers = self._head
        has_no_body = self._request.method == "HEAD" or status in {204, 304}
        if self.response is None:
            is_whole = is_last and not has_no_body and "Content-Length" not in headers
            self.response = web.Response(status=status, headers=headers, body=piece) if is_whole else None
            self.response = self.response or web.StreamResponse(status=status, headers=headers)
            await self.response.prepare(self._request)
            piece = b"" if is_whole else piece
        if piece and not has_no_body:
            await self.response.write(piece)
        if is_last:
            await self.response.write_eof()
            self._over.set()


def _scope(request: web.BaseRequest, state: dict[str, Any]) -> Message:
    raw_path, _, query = request.raw_path.partition("?")
    ends = {}
    for name, info in (("client", "peername"), ("server", "sockname")):
        ends[name] = request.transport.get_extra_info(info) if request.transport is not None else None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "state": dict(state),
        **ends,
    }


def _fields(pairs: Iterable[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    return CIMultiDict((bytes(name).decode("latin-1"), _text(bytes(value))) for name, value in pairs)


def _text(value: bytes) -> str:
    """Return the value of a header as text, which the server sends in UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
