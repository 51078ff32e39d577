"""The fetcher: one request in, one response out, as raw bytes and within limits, over connections that are kept alive.

Rules
- A redirect is a response. The fetcher retries one thing only: a kept-alive connection that broke before the first
  byte of an answer, or whose answer may be another's, is replaced by a new one at once (RFC 9112, 9.3.1). Methods that
  must not be sent twice get a new connection to begin with.
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

from types import TracebackType
from typing import Self

from crawler.core.addresses import AddressPolicy, parse_nets
from crawler.core.config import FetchConfig
from crawler.core.messages import Request, Response
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.body import BodyReader, ByteRate
from crawler.downloader.connection import HttpConnection
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.cookies_file import load_cookies
from crawler.downloader.dns_servers import parse_servers
from crawler.downloader.failures import FOREIGN, reach_error
from crawler.downloader.headers import RequestHeaders
from crawler.downloader.keep_alive import IdleConnections
from crawler.downloader.pool import ConnectionPools
from crawler.downloader.routes import routes_from
from crawler.downloader.timing import AttemptTrace, Deadline
from crawler.http import redirects

IDLE_CONNECTIONS = 256

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
    """

    def __init__(
        self,
        config: FetchConfig,
        *,
        clock: Clock,
        jar: CookieJar | None = None,
        idle_limit: int = IDLE_CONNECTIONS,
        unix_socket: str | None = None,
    ) -> None:
        self._config = config
        self._now = clock.monotonic
        self._wall = clock.wall
        self._jar = jar
        self._routes = routes_from(config, unix_socket)
        self._headers = RequestHeaders(config, _with_file(jar, config), clock.wall)
        self._idle = IdleConnections(idle_limit)
        self._servers = parse_servers(config.resolver)
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))
        self._rate = ByteRate(config.limit_rate, self._now) if config.limit_rate else None

    def __repr__(self) -> str:
        return f"<HttpFetcher {self._idle!r}>"

    async def __aenter__(self) -> Self:
        self._pools = ConnectionPools(self._config, self._policy, self._routes, self._servers, self._idle, self._now)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pools.close()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
        """
        most, began = self._config.max_body if request.most is None else request.most, self._now()
        body = BodyReader(most, room, Deadline(began, self._config.timeout), self._rate)
        try:
            try:
                return await self._attempt(request, body, began, fresh=request.method not in _REPEATABLE)
            except _StaleConnection:
                return await self._attempt(request, body, began, fresh=True)
        except FOREIGN as error:
            raise reach_error(error, request.url.host_port) from error

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the jar for a URL, as a Cookie header holds them."""
        return self._headers.cookies_for(url)

    async def _attempt(self, request: Request, body: BodyReader, began: float, *, fresh: bool) -> Response:
        """Return the response that comes over one connection; a `fresh` one is new.

        Raises:
            _StaleConnection: a kept-alive connection gave no answer, or one that may be another request's.
        """
        trace = AttemptTrace(self._now, fresh=fresh, deadline=body.deadline)
        connection = await self._pools.connect(request, trace)
        try:
            response = await self._exchange(request, connection, body, trace, began)
        except BaseException as error:
            connection.abort()
            # On a connection that was kept alive, its end says nothing about the request.
            is_lost = isinstance(error, FOREIGN) or getattr(error, "reason", None) is Reason.CONNECTION_LOST
            if trace.reused and connection.first_byte_at is None and is_lost:
                raise _StaleConnection from error
            raise
        finally:
            self._pools.give_back(request, connection)
        if trace.reused and connection.unasked:
            raise _StaleConnection
        if self._jar is not None:
            self._jar.take(request.url, response.raw_values(b"set-cookie"), self._wall())
        return response

    async def _exchange(
        self, request: Request, connection: HttpConnection, body: BodyReader, trace: AttemptTrace, began: float
    ) -> Response:
        """Send the request and read its answer."""
        sent = self._now()
        connection.ask(
            self._headers.message(request, connection.proxy), body.deadline, without_body=request.method == "HEAD"
        )
        head = await connection.head()
        await body.answered(connection)
        if redirects.is_head_enough(request, head.status, head.headers):
            content = await body.brief(head.length, connection)
        else:
            content = await body.whole(head.length, connection)
        if body.is_cut:
            connection.abort()
        return Response(
            request=request,
            status=head.status,
            headers=head.headers,
            body=content,
            transfer_codings=head.codings,
            reason_phrase=head.phrase,
            http_version=head.version,
            cut=body.is_cut,
            peer=None if connection.proxy else connection.peer,
            timing=trace.timing(began, connection, sent),
        )


def _with_file(jar: CookieJar | None, config: FetchConfig) -> CookieJar | None:
    """Return the jar with the cookies of the user's file in it."""
    cookies = load_cookies(config)
    if jar is None:
        return CookieJar(cookies) if cookies else None
    jar.add(cookies)
    return jar


class _StaleConnection(Exception):
    """A kept-alive connection could not carry another request."""
