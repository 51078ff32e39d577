"""The responder over an ASGI application, which answers in this process (ASGI 3.0, HTTP connection scope).

Rules
- The application runs as a task of its own for each request. Both bodies come in pieces, and one piece waits at a time:
  a slow reader slows the application.
- An answer is complete when the application has returned, background work included.
- Leaving an answer early tells the application `http.disconnect`, and a tenth of a second later cancels it.
- `async with` starts the application and shuts it down (`asgi_lifespan.py`); without it no lifespan is run.
Runs on: the event loop of the Fetcher.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import unquote

import msgspec

from crawler.core.errors import FetchError
from crawler.core.messages import HeaderFields, Request, Response
from crawler.core.reasons import Reason
from crawler.downloader.asgi_lifespan import AsgiApp, Message, lifespan
from crawler.downloader.headers import Headers
from crawler.downloader.request_body import BytesBody
from crawler.downloader.responder import has_body, time_limit
from crawler.downloader.timing import Timeouts
from crawler.runtime.clock import SystemClock
from crawler.runtime.tasks import background

_GRACE = 0.1  # seconds for an application that was told of the disconnect
_CLIENT = ("127.0.0.1", 50000)


class AsgiTransport:
    """Sends requests to an ASGI 3 application: `Fetcher(transport=AsgiTransport(app))`.

    `async with AsgiTransport(app) as transport` runs the application's startup before the block and its shutdown after
    it; a Fetcher is opened within.

    Args:
        app: the application.
        raise_app_exceptions: raise its errors in the caller, unchanged. False = as a server does: 500 if the answer
            has not begun, else a body that ends too early.
    """

    def __init__(self, app: AsgiApp, raise_app_exceptions: bool = True) -> None:  # noqa: FBT001, FBT002 - as in httpx
        self.clock = SystemClock()
        self._app = app
        self._raises = raise_app_exceptions
        self._state: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<AsgiTransport {self._app!r}>"

    async def __aenter__(self) -> Self:
        self._lifespan = lifespan(self._app)
        self._state = await self._lifespan.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lifespan.__aexit__(kind, error, trace)

    async def respond(self, request: Request, fields: Headers, timeouts: Timeouts) -> "AsgiFlow":
        """Start the application, and return its answer as soon as that begins.

        Raises:
            FetchError: it does not begin in time.
            Exception: the application raised it, or the source of the request's body.
        """
        exchange = _Exchange(request, timeouts.first_byte)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background(exchange.run, self._app, _scope(request, fields, self._state)))
            stack.push_async_callback(exchange.leave)
            head = await exchange.head(is_500=not self._raises)
            response = Response(request=request, status=head.status, headers=head.headers)
            return AsgiFlow(response, exchange, stack.pop_all(), timeouts.idle, raises=self._raises)
        raise AssertionError  # a stack suppresses nothing


class AsgiFlow:
    """Implements `Flow` over an application that answers."""

    def __init__(
        self, response: Response, exchange: "_Exchange", held: AsyncExitStack, idle: float, *, raises: bool
    ) -> None:
        self.response = response
        self._exchange = exchange
        self._held = held
        self._idle = idle
        self._raises = raises

    def __repr__(self) -> str:
        return f"<AsgiFlow {self.response.status} from {self.response.request.url.origin}>"

    async def piece(self) -> bytes:
        """Return the next bytes of the body as they were sent; empty = it is complete."""
        limit = time_limit(self._idle)
        try:
            async with limit:
                return await self._exchange.piece(raises=self._raises)
        except TimeoutError:
            if limit.expired():
                raise FetchError(Reason.IDLE_TIMEOUT, f"the application was silent for {self._idle:g} s") from None
            raise

    async def close(self) -> None:
        """Leave the answer; an application that still runs is ended."""
        await self._held.aclose()


class _Head(msgspec.Struct, frozen=True):
    """The beginning of an answer."""

    status: int
    headers: HeaderFields


class _End(msgspec.Struct, frozen=True):
    """The end of an application: the error that it raised, None = it returned."""

    error: Exception | None


_FAILED = _Head(500, HeaderFields(((b"content-type", b"text/plain; charset=utf-8"),)))


class _Exchange:
    """One request to an application, and its answer on the way back.

    Args:
        first_byte: seconds from the end of the request to the head of its answer.
    """

    def __init__(self, request: Request, first_byte: float) -> None:
        self._method = request.method
        self._first_byte = first_byte
        self._body: AsyncGenerator[bytes, None] | None = (request.source or BytesBody(request.body or b"")).pieces()
        self._source_error: Exception | None = None
        self._answer: asyncio.Queue[_Head | bytes | _End] = asyncio.Queue(1)
        self._end: _End | None = None
        self._has_begun = self._has_body = False
        self._is_left = False
        self._over = asyncio.Event()  # the answer is complete, or was left
        self._ended = asyncio.Event()  # the application has ended
        self._limit = time_limit(first_byte)

    async def run(self, app: AsgiApp, scope: Message) -> None:
        """Run the application to its end; its error becomes the end of the answer."""
        error: Exception | None = None
        try:
            await app(scope, self._receive, self._send)
        except Exception as raised:  # noqa: BLE001 - raised again in the reader
            error = raised
        except asyncio.CancelledError as raised:
            if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                raise
            error = RuntimeError("the ASGI application has cancelled itself")  # which must not cancel its caller
            error.__cause__ = raised
        finally:
            self._ended.set()
            if self._body is not None:
                with suppress(RuntimeError):  # a task that the application left behind waits for a piece
                    await self._body.aclose()
        if not self._is_left:
            await self._answer.put(_End(error))

    async def head(self, *, is_500: bool) -> _Head:
        """Wait for the beginning of the answer; an application that fails before it is raised, or answers 500."""
        try:
            async with self._limit:
                item = await self._answer.get()
        except TimeoutError:
            if self._limit.expired():
                message = f"the application did not answer within {self._first_byte:g} s"
                raise FetchError(Reason.FIRST_BYTE_TIMEOUT, message) from None
            raise
        if isinstance(item, _Head):
            return item
        assert isinstance(item, _End)  # noqa: S101 - `_send` lets no body go first
        self._end = _End(None)
        if self._source_error is not None:
            raise self._source_error
        if is_500:
            self._over.set()
            if has_body(self._method, _FAILED.status):
                self._answer.put_nowait(b"Internal Server Error")
            return _FAILED
        raise item.error or RuntimeError("the ASGI application returned without an answer")

    async def piece(self, *, raises: bool) -> bytes:
        """Return the next piece of the body; empty = it is complete."""
        if self._end is None or not self._answer.empty():
            item = await self._answer.get()
            if isinstance(item, bytes):
                return item
            assert isinstance(item, _End)  # noqa: S101 - there is one head
            self._end = item
        error = self._source_error or (self._end.error if raises else None)
        if error is not None:
            raise error
        if not self._over.is_set():
            raise FetchError(Reason.TRUNCATED, "the ASGI application ended within its answer")
        return b""

    async def leave(self) -> None:
        """Tell the application that the client is gone, and give it a moment to end."""
        self._is_left = True
        self._over.set()
        with suppress(asyncio.QueueEmpty):
            self._answer.get_nowait()  # wakes an application that waits for the reader
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._ended.wait()

    async def _receive(self) -> Message:
        if self._body is None or self._over.is_set():
            await self._over.wait()
            return {"type": "http.disconnect"}
        try:
            piece = await anext(self._body, b"")
        except Exception as error:  # noqa: BLE001 - the sender's error, not the application's
            self._source_error, self._body = error, None
            self._over.set()
            return {"type": "http.disconnect"}
        if not piece:
            self._body = None
        if self._limit.when() is not None and not self._limit.expired() and not self._has_begun:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._first_byte)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def _send(self, message: Message) -> None:
        if self._is_left:
            raise OSError("the client has left the answer")  # as ASGI 2.4 wants it
        kind = message["type"]
        if kind == "http.response.start" and not self._has_begun:
            self._has_begun, status = True, int(message["status"])
            self._has_body = has_body(self._method, status)
            await self._answer.put(_Head(status, _fields(message.get("headers", ()))))
        elif kind == "http.response.body" and self._has_begun and not self._over.is_set():
            if (piece := bytes(message.get("body", b""))) and self._has_body:
                await self._answer.put(piece)
            if not message.get("more_body", False):
                self._over.set()
        else:
            raise RuntimeError(f"the ASGI application sent {kind!r} where it cannot stand")


def _scope(request: Request, fields: Headers, state: Message) -> Message:
    url = request.url
    raw_path, _, query = url.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields],
        "client": _CLIENT,
        "state": dict(state),  # as servers do: the objects in it are shared, its names are not
        "server": (url.host.strip("[]"), url.port),
    }


def _fields(pairs: Iterable[tuple[bytes, bytes]]) -> HeaderFields:
    return HeaderFields((bytes(name), bytes(value)) for name, value in pairs)
