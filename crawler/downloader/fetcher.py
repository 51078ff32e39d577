"""The fetcher: one request in, one response out, as raw bytes and within limits, over connections that are kept alive.

Rules
- A redirect is a response. The fetcher retries one thing only: a kept-alive connection that broke before the first
  byte of an answer, or whose answer may be another's, is replaced by a new one at once (RFC 9112, 9.3.1). A request
  that must not be sent twice gets a connection that was alive within the last second, or a new one.
- The request line carries `Url.target`, byte for byte.
- One deadline covers everything, name lookup included. It moves by the time that memory, the byte rate or a lookup's
  turn had to be waited for: the server is not to blame for that. The connect timeout is in `dialing.py`, the
  first-byte and idle timeouts are in `connection.py`.
- A body is cut at the limit (`body.py`) and its connection dropped.
- A redirect is its head (Fetch standard, 4.4), and so is any answer of which nothing else is of use: its body is waited
  for half a second, and then left.
- Leaves no task behind and raises nothing but `FetchError` (and cancellation).
Strategy: aiohttp's session is left out. Redirects, cookies, proxies from the environment, netrc and retries are not
wanted here, and its request and response objects cost more than all the guarding: 133 us of processor time per small
fetch with them, 112 like this (uvloop, one run, two cores).
Runs on: the event loop.
"""

import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from crawler.core.addresses import AddressPolicy, parse_nets
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response, Timing
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.body import BodyReader, ByteRate
from crawler.downloader.connection import HttpConnection, SourceFailed
from crawler.downloader.cookie_jar import CookieJar, with_file
from crawler.downloader.dns_servers import parse_servers
from crawler.downloader.failures import FOREIGN, reach_error
from crawler.downloader.flow import Flow, HttpFlow, unasked_error
from crawler.downloader.headers import RequestHeaders
from crawler.downloader.keep_alive import IdleConnections
from crawler.downloader.pool import ConnectionPools
from crawler.downloader.routes import routes_from
from crawler.downloader.timing import AttemptTrace, Deadline, Reuse, Timeouts, timeouts_of
from crawler.http import redirects
from crawler.http.head import Head
from crawler.runtime.tasks import background

IDLE_CONNECTIONS = 256

_PROXY_AUTHENTICATION = 407
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class HttpFetcher:
    """Implements `Fetcher`; open between `async with` and its end.

    Args:
        config: limits, identity and trust.
        clock: measures the phases and the silence of connections.
        jar: its cookies are sent, and those that servers set are kept in it; None = only those of the user's file are
            sent, and none is kept.
        idle_limit: kept-alive connections waiting for a request, at the most; they count towards open files.
        unix_socket: the path of the one that takes every request; None = none.
        check: is called just before each request is written, and may refuse that by a FetchError; None = any may be.
    """

    def __init__(
        self,
        config: FetchConfig,
        *,
        clock: Clock,
        jar: CookieJar | None = None,
        idle_limit: int = IDLE_CONNECTIONS,
        unix_socket: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._config = config
        self._timeouts = timeouts_of(config, clock)
        self._now = clock.monotonic
        self._wall = clock.wall
        self._jar = jar
        self._routes = routes_from(config, unix_socket)
        self._headers = RequestHeaders(config, with_file(jar, config), clock.wall)
        self._idle = IdleConnections(idle_limit)
        self._servers = parse_servers(config.resolver)
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))
        self._check = check
        self._rate = ByteRate(config.limit_rate, self._now) if config.limit_rate else None

    def __repr__(self) -> str:
        return f"<HttpFetcher {self._idle!r}>"

    async def __aenter__(self) -> Self:
        self._pools = ConnectionPools(
            self._config, self._policy, self._routes, self._servers, self._idle, self._timeouts
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pools.close()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
            Exception: the source of the request's body raised it.
        """
        most, timeouts = self._config.max_body if request.most is None else request.most, self._timeouts.of(request)
        body = BodyReader(most, room, Deadline(self._now(), timeouts.total), self._rate)
        try:
            try:
                return await self._attempt(request, body, timeouts, reuse=_reuse_of(request))
            except _StaleConnection:
                return await self._attempt(request, body, timeouts, reuse=Reuse.NONE)
        except FOREIGN as error:
            raise reach_error(error, request.url.host_port) from error
        except SourceFailed as failed:
            raise failed.error from None

    async def open(self, request: Request) -> Flow:
        """Return the answer to one request as soon as its head is there; the time limit counts until then.

        Raises:
            FetchError: there was no usable head; the reason says why.
            Exception: the source of the request's body raised it.
        """
        timeouts = self._timeouts.of(request)
        deadline = Deadline(self._now(), timeouts.total)
        try:
            try:
                return await self._opened(request, deadline, timeouts, reuse=_reuse_of(request))
            except _StaleConnection:
                return await self._opened(request, deadline, timeouts, reuse=Reuse.NONE)
        except FOREIGN as error:
            raise reach_error(error, request.url.host_port) from error
        except SourceFailed as failed:
            raise failed.error from None

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the jar for a URL, as a Cookie header holds them."""
        return self._headers.cookies_for(url)

    async def _attempt(self, request: Request, body: BodyReader, timeouts: Timeouts, *, reuse: Reuse) -> Response:
        """Return the response that comes over one connection.

        Raises:
            _StaleConnection: a kept-alive connection gave no answer, or one that may be another request's.
        """
        trace = AttemptTrace(timeouts, reuse=reuse, deadline=body.deadline)
        connection = await self._pools.connect(request, trace)
        try:
            sent = self._ask(request, connection, trace)
            if request.source is None:
                response = await self._answer(request, connection, body, trace, sent)
            else:
                async with background(connection.send, request.source):
                    response = await self._answer(request, connection, body, trace, sent)
        except BaseException as error:
            connection.abort()
            if _is_stale(error, trace, connection):
                raise _StaleConnection from error
            raise
        finally:
            self._pools.give_back(request, connection)
        _check_asked(trace, connection)
        self._take_cookies(response)
        return response

    async def _opened(self, request: Request, deadline: Deadline, timeouts: Timeouts, *, reuse: Reuse) -> Flow:
        """Return the answer that begins to come over one connection; raise as `_attempt` does."""
        trace = AttemptTrace(timeouts, reuse=reuse, deadline=deadline)
        connection = await self._pools.connect(request, trace)
        async with AsyncExitStack() as stack:
            stack.callback(self._pools.give_back, request, connection)
            try:
                sent = self._ask(request, connection, trace)
                if request.source is not None:
                    await stack.enter_async_context(background(connection.send, request.source))
                head = await connection.head()
            except BaseException as error:
                connection.abort()
                if _is_stale(error, trace, connection):
                    raise _StaleConnection from error
                raise
            _check_asked(trace, connection)
            _check_proxy(request, head, connection)
            deadline.due = math.inf
            response = self._response(request, head, connection, timing=trace.timing(connection, sent))
            self._take_cookies(response)
            return HttpFlow(response, connection, stack.pop_all(), self._rate, is_reused=trace.reused)
        raise AssertionError  # a stack suppresses nothing

    def _ask(self, request: Request, connection: HttpConnection, trace: AttemptTrace) -> float:
        """Send the request, but for a body that comes in pieces; return when."""
        message, sent = self._headers.message(request, connection.proxy), trace.now()
        if self._check is not None:
            self._check()
        connection.ask(message, trace.deadline, without_body=request.method == "HEAD", timeouts=trace.timeouts)
        return sent

    async def _answer(
        self, request: Request, connection: HttpConnection, body: BodyReader, trace: AttemptTrace, sent: float
    ) -> Response:
        """Read the whole answer."""
        head = await connection.head()
        _check_proxy(request, head, connection)
        await body.answered(connection)
        if redirects.is_head_enough(request, head.status, head.headers):
            content = await body.brief(head.length, connection)
        else:
            content = await body.whole(head.length, connection)
        if body.is_cut:
            connection.abort()
        timing = trace.timing(connection, sent)
        return self._response(request, head, connection, timing=timing, body=content, cut=body.is_cut)

    def _response(
        self,
        request: Request,
        head: Head,
        connection: HttpConnection,
        *,
        timing: Timing,
        body: bytes = b"",
        cut: bool = False,
    ) -> Response:
        return Response(
            request=request,
            status=head.status,
            headers=head.headers,
            body=body,
            transfer_codings=head.codings,
            reason_phrase=head.phrase,
            http_version=head.version,
            cut=cut,
            peer=None if connection.proxy else connection.peer,
            timing=timing,
        )

    def _take_cookies(self, response: Response) -> None:
        if self._jar is not None:
            self._jar.take(response.request.url, response.raw_values(b"set-cookie"), self._wall())


def _reuse_of(request: Request) -> Reuse:
    """Return which kept connections will do: one that breaks loses a request that cannot be repeated."""
    return Reuse.ANY if request.method in _REPEATABLE and request.source is None else Reuse.FRESH


def _is_stale(error: BaseException, trace: AttemptTrace, connection: HttpConnection) -> bool:
    """Return whether an attempt ended since its connection did, which says nothing about the request."""
    is_lost = isinstance(error, FOREIGN) or getattr(error, "reason", None) is Reason.CONNECTION_LOST
    return trace.reused and trace.reuse is Reuse.ANY and connection.first_byte_at is None and is_lost


def _check_proxy(request: Request, head: Head, connection: HttpConnection) -> None:
    """Raise an error if the answer is the proxy's own, which wants credentials."""
    if head.status == _PROXY_AUTHENTICATION and connection.proxy and connection.proxy.forwards(request.url):
        message = "the proxy wants a name and password: write them in its URL, http://name:password@host:port"
        raise FetchError(Reason.PROXY_FAILED, message)


def _check_asked(trace: AttemptTrace, connection: HttpConnection) -> None:
    """Raise an error if the answer may be another request's."""
    if trace.reused and connection.unasked:
        raise _StaleConnection if trace.reuse is Reuse.ANY else unasked_error()


class _StaleConnection(Exception):
    """A kept-alive connection could not carry another request."""
