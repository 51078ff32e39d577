"""The fetcher over a session that the user brings: any `aiohttp.ClientSession`, through aiohttp's public API alone.

Rules
- The session decides how it connects: connector, TLS, proxies, cookies, traces, middlewares and default headers are its
  own. The limits of time and size, redirects and retries are ours.
- aiohttp cannot tell the first byte from the next ones: the longer of the two timeouts counts for both.
- Not promised, unlike over our own connections: that an answer belongs to its request (what a server sends unasked is
  aiohttp's to judge), limits on a head before it is parsed, and the address policy for names. An address in a URL is
  judged.
- A session that may send credentials of its own is not led to another origin: aiohttp would send them there. They are
  `auth`, headers that a redirect drops (`redirection.py`), cookies without a domain, and all that a middleware adds:
  credentials are what most are made for, and nothing tells one of these from one that only logs. (Whether there is a
  middleware is the one thing that is not public.)
- A session is left open; one that a function made is closed with the fetcher.
Runs on: the event loop of the session.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from crawler.core.addresses import AddressPolicy, parse_nets, written_address
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError, UsageError
from crawler.core.messages import HeaderFields, Request, Response, Timing
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.body import PATIENCE
from crawler.downloader.flow import Flow
from crawler.downloader.pieces import unhurried, whole_body
from crawler.downloader.redirection import HARMLESS
from crawler.downloader.session_failures import ERRORS, session_error
from crawler.downloader.timing import timeouts_of
from crawler.http import redirects
from crawler.http.authorization import authorization


class SessionFetcher:
    """Implements `Fetcher` over a session; open between `async with` and its end.

    Args:
        session: one that is open, or a function that makes one.
        config: limits, and headers for the hosts that the user names.
        clock: measures the phases.
    """

    def __init__(self, session: object, config: FetchConfig, *, clock: Clock) -> None:
        if not isinstance(session, aiohttp.ClientSession) and not callable(session):
            raise UsageError("session: expected an aiohttp.ClientSession, or a function that makes one")
        self._given = session
        self._config = config
        self._now = clock.monotonic
        self._policy = AddressPolicy(allow_nets=parse_nets(config.allow_nets))
        self._timeouts = timeouts_of(config, clock)

    def __repr__(self) -> str:
        return f"<SessionFetcher {self._given!r}>"

    async def __aenter__(self) -> Self:
        given = self._given
        self._session = given if isinstance(given, aiohttp.ClientSession) else given()
        if not isinstance(self._session, aiohttp.ClientSession):
            raise UsageError(f"session: the function gave no aiohttp.ClientSession, but {type(self._session).__name__}")
        if self._session.closed:
            raise UsageError("session: it is closed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not self._given:
            await self._session.close()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
        """
        self._check(request)
        with errors_named(request):
            async with asyncio.timeout(self._timeouts.of(request).total) as limit:
                return await self._exchange(request, room, limit)

    async def open(self, request: Request) -> Flow:
        """Return the answer to one request as soon as its head is there; the time limit counts until then.

        Raises:
            FetchError: there was no usable head; the reason says why.
        """
        self._check(request)
        began = self._now()
        with errors_named(request):
            async with asyncio.timeout(self._timeouts.of(request).total):
                answer = await self._asked(request)
        timing = Timing(first_byte=self._now() - began, total=self._now() - began)
        return SessionFlow(_response(request, answer, timing=timing), answer)

    def _asked(self, request: Request) -> Awaitable[aiohttp.ClientResponse]:
        timeouts = self._timeouts.of(request)
        headers, body = self._headers(request), request.body
        if request.source is not None:
            headers += [("Content-Length", str(request.source.length))] if request.source.length is not None else []
        return self._session.request(
            request.method,
            URL(request.url.href, encoded=True),
            headers=headers,
            data=body if request.source is None else request.source.pieces(),
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=timeouts.connect, sock_read=max(timeouts.first_byte, timeouts.idle)
            ),
        )

    async def _exchange(self, request: Request, room: Room | None, limit: asyncio.Timeout) -> Response:
        began = self._now()
        async with await self._asked(request) as answer:
            first = self._now()
            if room is not None:
                await unhurried(room.answered(), limit)
            headers = HeaderFields(answer.raw_headers)
            if redirects.is_head_enough(request, answer.status, headers):
                body, is_cut = await self._brief(answer, request, room, limit)
            else:
                body, is_cut = await self._body(answer, request, room, limit)
            done = self._now()
            timing = Timing(first_byte=first - began, body=done - first, total=done - began)
            return _response(request, answer, timing=timing, body=body, cut=is_cut)

    async def _body(
        self, answer: aiohttp.ClientResponse, request: Request, room: Room | None, limit: asyncio.Timeout
    ) -> tuple[bytes, bool]:
        """Return the body as it was sent, and whether it was cut at the limit."""
        most = self._config.max_body if request.most is None else request.most
        body, is_cut = await whole_body(answer.content.iter_any(), most, room, limit)
        if is_cut:
            answer.close()
        return body, is_cut

    async def _brief(
        self, answer: aiohttp.ClientResponse, request: Request, room: Room | None, limit: asyncio.Timeout
    ) -> tuple[bytes, bool]:
        """Return a body of no use if it comes within half a second, and whether it was left; no error ends it."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._body(answer, request, room, limit)
        except ERRORS:
            answer.close()
            return b"", True

    def _check(self, request: Request) -> None:
        address = written_address(request.url.host)
        if address and (refusal := self._policy.refusal(address, named=request.named)):
            raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
        if not request.is_trusted and (secret := self._secret()):
            message = f"{request.url.origin} would get {secret}: give credentials to the Fetcher, not to the session"
            raise FetchError(Reason.BAD_REDIRECT, message)

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the session's jar for a URL, as a Cookie header holds them."""
        cookies = self._session.cookie_jar.filter_cookies(URL(url.href, encoded=True))
        return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())

    def _secret(self) -> str:
        """Return what the session may send with every request, whatever its origin, that others must not see."""
        session = self._session
        if session.auth is not None:
            return "the session's auth"
        for name in session.headers:
            if name.lower() not in HARMLESS:
                return f"the session's header {name}"
        if any(not cookie["domain"] for cookie in session.cookie_jar):
            return "the session's cookies without a domain"
        is_public = not session._middlewares  # noqa: SLF001 - aiohttp tells of them nowhere else
        return "" if is_public else "what the session's middlewares add"

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        """Return the headers to send besides the session's own; those of the request come last, and replace others."""
        config, given = self._config, []
        if request.is_trusted:
            if credentials := authorization(config.basic_auth, config.bearer):
                given.append(("Authorization", credentials))
            given += config.headers
        if "User-Agent" not in self._session.headers:
            given.insert(0, ("User-Agent", config.full_user_agent))
        replaced = {name.lower() for name, _ in request.headers}
        return [*(pair for pair in given if pair[0].lower() not in replaced), *request.headers]


class SessionFlow:
    """Implements `Flow` over an answer of aiohttp's."""

    def __init__(self, response: Response, answer: aiohttp.ClientResponse) -> None:
        self.response = response
        self._answer = answer

    def __repr__(self) -> str:
        return f"<SessionFlow {self.response.status} from {self.response.request.url.origin}>"

    async def piece(self) -> bytes:
        """Return the next bytes of the body as they were sent; empty = it is complete."""
        with errors_named(self.response.request):
            return await self._answer.content.readany()

    async def close(self) -> None:
        """Drop the connection, or give it back if the body was read to its end."""
        self._answer.close()


@contextmanager
def errors_named(request: Request) -> Iterator[None]:
    """Raise a `FetchError` for what the session raises in the block."""
    try:
        yield
    except FetchError:
        raise
    except ERRORS as error:
        cause = None if isinstance(error, aiohttp.ClientError) else error
        raise session_error(error, request.url.host_port) from cause


def _response(
    request: Request, answer: aiohttp.ClientResponse, *, timing: Timing, body: bytes = b"", cut: bool = False
) -> Response:
    version = answer.version
    return Response(
        request=request,
        status=answer.status,
        headers=HeaderFields(answer.raw_headers),
        body=body,
        reason_phrase=answer.reason or "",
        http_version=f"{version.major}.{version.minor}" if version else "1.1",
        cut=cut,
        timing=timing,
    )
