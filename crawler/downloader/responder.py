"""Responders: stand-ins for the network, which answer requests in this process.

Rules
- A request to a responder has the headers that our own connections would send. Its answer is kept to the same limits of
  size and time, its cookies go into the same jar, and a redirect to a private address is refused. Names are not looked
  up, so only an address in a URL is judged.
- A responder serves any number of Fetchers, at once or one after the other.
- Proxies, TLS, name servers and `limit_rate` are of connections, and have no effect here.
Runs on: the event loop.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from msgspec.structs import replace

from crawler.core.addresses import AddressPolicy, parse_nets, written_address
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import HeaderFields, Request, Response, Timing
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.body import PATIENCE
from crawler.downloader.cookie_jar import CookieJar, with_file
from crawler.downloader.flow import Flow
from crawler.downloader.headers import Headers, RequestHeaders
from crawler.downloader.pieces import unhurried, whole_body
from crawler.downloader.timing import Timeouts, timeouts_of
from crawler.http import redirects


class PauseClock(Clock, Protocol):
    """A clock by which pauses are made, too."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for this long, by this clock."""
        ...


@runtime_checkable
class Responder(Protocol):
    """A stand-in for all servers; it may have a clock on which a pause takes no time."""

    @property
    def clock(self) -> PauseClock:
        """Return the clock of the Fetchers that use it."""
        ...

    async def respond(self, request: Request, fields: Headers, timeouts: Timeouts) -> Flow:
        """Return the answer to one request, whose headers are `fields`, as soon as its head is there.

        Raises:
            FetchError: there is none; the reason says why.
        """
        ...


class ResponderTransport:
    """Implements `Transport` over a responder, for one Fetcher.

    Args:
        responder: answers the requests.
        config: limits, identity and trust.
        jar: its cookies are sent, and those that answers set are kept in it; None = none is kept.
    """

    def __init__(self, responder: Responder, config: FetchConfig, jar: CookieJar | None) -> None:
        self._responder = responder
        self._config = config
        self._jar = jar
        self._clock = responder.clock
        self._timeouts = timeouts_of(config, self._clock)
        self._headers = RequestHeaders(config, with_file(jar, config), self._clock.wall)
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))

    def __repr__(self) -> str:
        return repr(self._responder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the jar for a URL, as a Cookie header holds them."""
        return self._headers.cookies_for(url)

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
            Exception: the responder, or the source of the request's body, raised it.
        """
        timeouts, began = self._timeouts.of(request), self._clock.monotonic()
        limit = time_limit(timeouts.total)
        try:
            async with limit:
                flow = await self._opened(request, timeouts)
                try:
                    if room is not None:
                        await unhurried(room.answered(), limit)
                    body, is_cut = await self._body(flow, request, room, limit)
                finally:
                    await flow.close()
        except TimeoutError:
            if limit.expired():
                raise _late(timeouts) from None
            raise  # it is the responder's own
        response, done = flow.response, self._clock.monotonic() - began
        first = response.timing.first_byte or 0.0
        timing = Timing(first_byte=first, body=done - first, total=done)
        return replace(response, body=body, cut=is_cut, timing=timing)

    async def open(self, request: Request) -> Flow:
        """Return the answer to one request as soon as its head is there; the time limit counts until then.

        Raises:
            FetchError: there was no usable head; the reason says why.
            Exception: the responder, or the source of the request's body, raised it.
        """
        timeouts = self._timeouts.of(request)
        limit = time_limit(timeouts.total)
        try:
            async with limit:
                return await self._opened(request, timeouts)
        except TimeoutError:
            if limit.expired():
                raise _late(timeouts) from None
            raise  # it is the responder's own

    async def _opened(self, request: Request, timeouts: Timeouts) -> Flow:
        address, began = written_address(request.url.host), self._clock.monotonic()
        if address and (refusal := self._policy.refusal(address, named=request.named)):
            raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
        flow = await self._responder.respond(request, self._headers.fields(request), timeouts)
        waited = self._clock.monotonic() - began
        flow.response = replace(flow.response, timing=Timing(first_byte=waited, total=waited))
        if self._jar is not None:
            self._jar.take(request.url, flow.response.raw_values(b"set-cookie"), self._clock.wall())
        return flow

    async def _body(
        self, flow: Flow, request: Request, room: Room | None, limit: asyncio.Timeout
    ) -> tuple[bytes, bool]:
        """Return the body, and whether it was cut; one of no use is waited for half a second, and no error ends it."""
        most = self._config.max_body if request.most is None else request.most
        if not redirects.is_head_enough(request, flow.response.status, HeaderFields(flow.response.headers)):
            return await whole_body(_pieces(flow), most, room, limit)
        try:
            async with asyncio.timeout(PATIENCE):
                return await whole_body(_pieces(flow), most, room, limit)
        except (TimeoutError, FetchError):
            return b"", True


def has_body(method: str, status: int) -> bool:
    """Return whether an answer has a body at all (RFC 9112, 6.3)."""
    return method != "HEAD" and status not in {204, 205, 304}


def time_limit(seconds: float) -> asyncio.Timeout:
    """Return a timeout to be entered; math.inf = it never ends the block."""
    return asyncio.timeout(None if math.isinf(seconds) else seconds)


async def _pieces(flow: Flow) -> AsyncIterator[bytes]:
    while piece := await flow.piece():
        yield piece


def _late(timeouts: Timeouts) -> FetchError:
    return FetchError(Reason.TOTAL_TIMEOUT, f"the fetch took longer than {timeouts.total:g} s")
