"""One request in, one response out: raw bytes, within limits, over aiohttp's pool and parser.

Rules
- A redirect is a response. Nothing is retried, but for one thing: a kept-alive connection that broke before the first
  byte of an answer, or whose answer may be another's, is replaced by a new one at once (RFC 9112, 9.3.1). Methods that
  must not be sent twice get a new connection to begin with.
- What goes on the wire is `Url.target`, byte for byte.
- One deadline covers everything, name lookup included. It moves by the time that memory, the byte rate or a lookup's
  turn had to be waited for: the server is not to blame for that.
- A body is cut at the limit and its connection dropped; a body that ends too early is an error.
- A redirect is its head (Fetch standard, 4.4), and so is any answer of which nothing else is of use: its body is waited
  for half a second, and then left.
- Leaves no task behind and raises nothing but `FetchError` (and cancellation).
Strategy: aiohttp's session is left out. Redirects, cookies, proxies from the environment, netrc and retries are not
wanted here, and its request and response objects cost more than all the guarding: 133 us of processor time per small
fetch with them, 112 like this (uvloop, one run, two cores).
Runs on: the event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, cast

from crawler.core import redirects
from crawler.core.addresses import AddressPolicy, parse_nets
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Clock, Room
from crawler.core.rate_limits import RateGate
from crawler.core.reasons import Reason
from crawler.downloader.connection import GuardedHandler, IdleConnections
from crawler.downloader.dialing import ConnectionPools
from crawler.downloader.dns_servers import parse_servers
from crawler.downloader.failures import FOREIGN, reach_error
from crawler.downloader.headers import Identity
from crawler.downloader.proxy import proxy_from
from crawler.downloader.timing import Trail
from crawler.http.body_buffer import BodyBuffer
from crawler.http.head import Head

IDLE_CONNECTIONS = 256

_STEP = 256 * 1024
_LONG = 0.5  # seconds for which a server may have waited for us, and given up
_PATIENCE = 0.5  # seconds for a body of no use: most come with the head, and leave the connection in order
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
        self._servers = parse_servers(config.resolver)
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))
        self._throttle = _Throttle(config.limit_rate, self._now) if config.limit_rate else None

    def __repr__(self) -> str:
        return f"<HttpFetcher {self._idle!r}>"

    async def __aenter__(self) -> Self:
        self._dials = ConnectionPools(self._config, self._policy, self._proxy, self._servers, self._idle, self._now)
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
        is_fresh = request.method not in _REPEATABLE
        try:
            return await self._attempt(request, intake, began, self._trail(intake, fresh=is_fresh))
        except _Stale:
            return await self._attempt(request, intake, began, self._trail(intake, fresh=True))

    def _trail(self, intake: "_Intake", *, fresh: bool) -> Trail:
        return Trail(self._now, fresh=fresh, deadline=intake.deadline)

    async def _attempt(self, request: Request, intake: "_Intake", began: float, trail: Trail) -> Response:
        connection = await self._dials.connect(request, trail)
        handler = cast("GuardedHandler", connection.protocol)
        try:
            response = await self._exchange(request, handler, intake, trail, began)
        except BaseException as error:
            handler.abort()
            if trail.reused and handler.first_byte_at is None and _is_lost(error):
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
        head = await handler.head()
        await intake.answered()
        is_brief = _redirects(head) or (request.success_only and not 200 <= head.status < 300)
        body = await (intake.brief if is_brief else intake.body)(head, handler)
        if intake.is_cut:
            handler.abort()
        return Response(
            request=request,
            status=head.status,
            headers=head.headers,
            body=body,
            transfer_codings=head.codings,
            reason_phrase=head.phrase,
            http_version=head.version,
            cut=intake.is_cut,
            peer=None if self._proxy else handler.peer,
            timing=trail.timing(began, handler, sent),
        )


def _is_lost(error: BaseException) -> bool:
    """Return whether a connection just ended, which on one that was kept alive says nothing about the request."""
    return isinstance(error, FOREIGN) or (isinstance(error, FetchError) and error.reason is Reason.CONNECTION_LOST)


def _redirects(head: Head) -> bool:
    return head.status in redirects.STATUSES and any(
        name.lower() == b"location" and value for name, value in head.headers
    )


class _Stale(Exception):
    """A kept-alive connection was no good after all."""


class _Throttle:
    """Bytes per second, over all bodies that are being received."""

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._gate = RateGate(rate)
        self._now = now

    async def grow(self, n: int, _there: int = 0) -> float:
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
        self.limit = limit
        self._room = room
        self._throttle = throttle
        self.deadline = deadline
        self._reserved = 0
        self._has_waited = False
        self._taken = BodyBuffer()

    async def answered(self) -> None:
        """Go on when the room lets us; our own waiting says nothing of the server."""
        if self._room is not None:
            await self._wait(self._room.answered())

    async def body(self, head: Head, handler: GuardedHandler) -> bytes:
        """All of it, or as much as the limit allows.

        Raises:
            FetchError: it ends too early; not counted when we made the server wait.
        """
        self._taken = BodyBuffer()  # without what the attempt before took, if there was one
        self.is_cut = False
        if handler.is_empty:
            return b""
        try:
            await self._reserve(head.length or _STEP, handler)
            await self._read(handler)
        except (FetchError, *FOREIGN) as error:
            if self._has_waited:
                raise FetchError(Reason.TRUNCATED, "it broke while it waited for memory", counted=False) from error
            raise
        return self._taken.whole()

    async def brief(self, head: Head, handler: GuardedHandler) -> bytes:
        """As much of it as comes soon, whole or not: it is of no use."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self.body(head, handler)
        except (TimeoutError, FetchError, *FOREIGN):
            self.is_cut = True
            return self._taken.whole()

    async def _read(self, handler: GuardedHandler) -> None:
        size = 0
        while piece := await handler.piece():
            size += len(piece)
            self._taken.add(piece if size <= self.limit else piece[: self.limit - size])
            if self._throttle is not None:
                await self._wait(self._throttle.grow(len(piece)))
            if size > self.limit:
                self.is_cut = True
                break
            if size >= self._reserved and not handler.is_empty:
                await self._reserve(self._reserved + _STEP, handler)

    async def _reserve(self, wanted: int, handler: GuardedHandler) -> None:
        """Hold room for `wanted` bytes in all; nothing is read meanwhile, and the time is not the server's."""
        more = min(wanted, self.limit) - self._reserved
        if self._room is None or more <= 0:
            return
        handler.pause()
        there = self._taken.size + handler.held - self._reserved
        await self._wait(self._room.grow(more, max(0, min(more, there))))
        self._reserved += more
        handler.read_on()

    async def _wait(self, granted: Awaitable[float]) -> None:
        due = self.deadline.when()
        self.deadline.reschedule(None)
        waited = await granted
        self._has_waited = self._has_waited or waited > _LONG
        self.deadline.reschedule(None if due is None else due + waited)
