"""One request in, one response out: raw bytes, within limits, over aiohttp's pool and parser.

Rules
- A redirect is a response. Nothing is retried, but for one thing: a kept-alive connection that broke before the first
  byte of an answer, or whose answer may be another's, is replaced by a new one at once (RFC 9112, 9.3.1). Methods that
  must not be sent twice get a new connection to begin with.
- What goes on the wire is `Url.target`, byte for byte.
- One deadline covers everything, name lookup included. It moves by the time that memory or the byte rate had to be
  waited for: while we do not read, the server is not to blame.
- A body is cut at the limit and its connection dropped; a body that ends too early is an error.
- Leaves no task behind and raises nothing but `FetchError` (and cancellation).
Strategy: aiohttp's session is left out. Redirects, cookies, proxies from the environment, netrc and retries are not
wanted here, and its request and response objects cost more than all the guarding: 133 us of processor time per small
fetch with them, 112 like this (uvloop, one run, two cores).
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from aiohttp import HttpVersion10, HttpVersion11
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from crawler.core.addresses import AddressPolicy, parse_nets
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.models import Request, Response
from crawler.core.politeness import RateGate
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.fetch.dial import Dials
from crawler.fetch.gate import FOREIGN, reach_error
from crawler.fetch.handler import GuardedHandler, IdleConnections
from crawler.fetch.identity import Identity
from crawler.fetch.proxy import proxy_from
from crawler.fetch.tracing import Trail

IDLE_CONNECTIONS = 256

_STEP = 256 * 1024
_VERSIONS = {HttpVersion10: "1.0", HttpVersion11: "1.1"}
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class HttpFetcher:
    """Implements `Fetcher`; open between `async with` and its end.

    Args:
        config: limits, identity and trust.
        clock: measures the phases.
        idle_limit: kept-alive connections waiting for a request, at the most; they count towards open files.
    """

    def __init__(self, config: FetchConfig, *, clock: Clock, idle_limit: int = IDLE_CONNECTIONS) -> None:
        self._config = config
        self._now = clock.monotonic
        self._proxy = proxy_from(config.proxy)
        self._identity = Identity(config, self._proxy.headers if self._proxy else None)
        self._idle = IdleConnections(idle_limit)
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))
        self._throttle = _Throttle(config.limit_rate, self._now) if config.limit_rate else None

    def __repr__(self) -> str:
        return f"<HttpFetcher {self._idle!r}>"

    async def __aenter__(self) -> Self:
        self._dials = Dials(self._config, self._policy, self._proxy, self._idle, self._now)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._dials.close()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """The response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
        """
        limit = self._config.timeout
        began = self._now()
        try:
            async with asyncio.timeout(limit) as deadline:
                most = min(self._config.max_body, request.most or self._config.max_body)
                intake = _Intake(most, room, deadline, self._throttle)
                return await self._fetch(request, intake, began)
        except TimeoutError:
            raise FetchError(Reason.TOTAL_TIMEOUT, f"it was not done within {limit:g} s") from None
        except FOREIGN as error:
            raise reach_error(error, request.url.host_port) from error

    async def _fetch(self, request: Request, intake: "_Intake", began: float) -> Response:
        try:
            return await self._attempt(
                request, intake, began, Trail(self._now, fresh=request.method not in _REPEATABLE)
            )
        except _Stale:
            return await self._attempt(request, intake, began, Trail(self._now, fresh=True))

    async def _attempt(self, request: Request, intake: "_Intake", began: float, trail: Trail) -> Response:
        connection = await self._dials.connect(request, trail)
        handler = cast("GuardedHandler", connection.protocol)
        try:
            response = await self._exchange(request, handler, intake, trail, began)
        except BaseException as error:
            handler.abort()
            if trail.reused and handler.first_byte_at is None and isinstance(error, FOREIGN):
                raise _Stale from error
            raise
        finally:
            connection.release()
        if trail.reused and handler.unasked:
            raise _Stale
        return response

    async def _exchange(
        self, request: Request, handler: GuardedHandler, intake: "_Intake", trail: Trail, began: float
    ) -> Response:
        sent = self._now()
        handler.ask(self._identity.message(request), without_body=request.method == "HEAD")
        message, payload = await handler.read()
        version = _version(message)
        body = await intake.body(message, payload)
        if intake.is_cut:
            handler.abort()
        return Response(
            request=request,
            status=message.code,
            headers=message.raw_headers,
            body=body,
            reason_phrase=message.reason,
            http_version=version,
            cut=intake.is_cut,
            peer=None if self._proxy else handler.peer,
            timing=trail.timing(began, handler, sent),
        )


class _Stale(Exception):
    """A kept-alive connection was no good after all."""


class _Throttle:
    """Bytes per second, over all bodies that are being received."""

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._gate = RateGate(rate)
        self._now = now

    async def grow(self, n: int) -> float:
        """Wait until `n` bytes more may have come; gives back the seconds waited."""
        now = self._now()
        self._gate.pass_through(now, n)
        pause = max(0.0, self._gate.due(now) - now)
        await asyncio.sleep(pause)
        return pause


class _Intake:
    """Takes in the body of one fetch, as far as limit, memory, rate and time allow."""

    def __init__(self, limit: int, room: Room | None, deadline: asyncio.Timeout, throttle: _Throttle | None) -> None:
        self.is_cut = False
        self._limit = limit
        self._room = room
        self._throttle = throttle
        self._deadline = deadline
        self._reserved = 0
        self._has_waited = False

    async def body(self, message: RawResponseMessage, payload: StreamReader) -> bytes:
        """All of it, or as much as the limit allows.

        Raises:
            FetchError: it ends too early; not counted when we made the server wait.
        """
        if payload.at_eof():
            return b""
        try:
            await self._reserve(_length(message) or _STEP)
            return await self._read(payload)
        except FOREIGN as error:
            if self._has_waited:
                raise FetchError(Reason.TRUNCATED, "it broke while it waited for memory", counted=False) from error
            raise

    async def _read(self, payload: StreamReader) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await payload.readany():
            pieces.append(piece)
            size += len(piece)
            if self._throttle is not None:
                await self._wait(self._throttle, len(piece))
            if size > self._limit:
                self.is_cut = True
                pieces[-1] = piece[: self._limit - size]
                break
            if payload.at_eof():
                break
            if size >= self._reserved:
                await self._reserve(self._reserved + _STEP)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _reserve(self, wanted: int) -> None:
        """Hold room for `wanted` bytes in all; the time that this takes is not the server's."""
        more = min(wanted, self._limit) - self._reserved
        if self._room is None or more <= 0:
            return
        await self._wait(self._room, more)
        self._reserved += more

    async def _wait(self, room: Room, more: int) -> None:
        due = self._deadline.when()
        self._deadline.reschedule(None)
        waited = await room.grow(more)
        self._has_waited = self._has_waited or waited > 0
        self._deadline.reschedule(None if due is None else due + waited)


def _version(message: RawResponseMessage) -> str:
    version = message.version
    if version not in _VERSIONS:
        raise FetchError(
            Reason.PROTOCOL_ERROR, f"the answer is in HTTP/{version.major}.{version.minor}, not 1.0 or 1.1"
        )
    return _VERSIONS[version]


def _length(message: RawResponseMessage) -> int | None:
    """The body's length if the server tells it; the parser has refused what is no number."""
    value = message.headers.get("Content-Length")
    return int(value) if value is not None and len(value) < 20 else None
