"""The fetcher over a session that the user brings: any `aiohttp.ClientSession`, through aiohttp's public API alone.

Rules
- The session decides how it connects: connector, TLS, proxies, cookies, traces, middlewares and default headers are its
  own. The limits of time and size, redirects and retries are ours.
- aiohttp cannot tell the first byte from the next ones: the longer of the two timeouts counts for both.
- Not promised, unlike over our own connections: that an answer belongs to its request (what a server sends unasked is
  aiohttp's to judge), limits on a head before it is parsed, and the address policy for names. An address in a URL is
  judged.
- A session with credentials of its own is not led to another origin: aiohttp would send them there.
- A session is left open; one that a function made is closed with the fetcher.
Runs on: the event loop of the session.
"""

import asyncio
from collections.abc import Awaitable
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
from crawler.downloader.session_failures import ERRORS, session_error
from crawler.http import redirects
from crawler.http.authorization import authorization
from crawler.http.body_buffer import BodyBuffer

_SECRET = ("Authorization", "Cookie", "Proxy-Authorization")
_STEP = 256 * 1024  # bytes of a body for which room is taken at once


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
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=config.connect_timeout,
            sock_read=max(config.first_byte_timeout, config.idle_timeout),
        )

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
        address = written_address(request.url.host)
        if address and (refusal := self._policy.refusal(address, named=request.named)):
            raise FetchError(Reason.BLOCKED_ADDRESS, refusal)
        if not request.is_trusted and self._has_secrets():
            message = f"the session would send its own credentials to {request.url.origin}: give them to the Fetcher"
            raise FetchError(Reason.BAD_REDIRECT, message)
        try:
            async with asyncio.timeout(self._config.timeout) as limit:
                return await self._exchange(request, room, limit)
        except FetchError:
            raise
        except ERRORS as error:
            raise session_error(error, request.url.host_port) from error

    async def _exchange(self, request: Request, room: Room | None, limit: asyncio.Timeout) -> Response:
        began = self._now()
        asked = self._session.request(
            request.method,
            URL(request.url.href, encoded=True),
            headers=self._headers(request),
            data=request.body,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=self._timeout,
        )
        async with asked as answer:
            first = self._now()
            if room is not None:
                await _unhurried(room.answered(), limit)
            headers = HeaderFields(answer.raw_headers)
            if redirects.is_head_enough(request, answer.status, headers):
                body, is_cut = await self._brief(answer, request, room, limit)
            else:
                body, is_cut = await self._body(answer, request, room, limit)
            done = self._now()
            version = answer.version
            return Response(
                request=request,
                status=answer.status,
                headers=headers,
                body=body,
                reason_phrase=answer.reason or "",
                http_version=f"{version.major}.{version.minor}" if version else "1.1",
                cut=is_cut,
                timing=Timing(first_byte=first - began, body=done - first, total=done - began),
            )

    async def _body(
        self, answer: aiohttp.ClientResponse, request: Request, room: Room | None, limit: asyncio.Timeout
    ) -> tuple[bytes, bool]:
        """Return the body as it was sent, and whether it was cut at the limit."""
        most = self._config.max_body if request.most is None else request.most
        taken, reserved = BodyBuffer(), 0
        async for piece in answer.content.iter_any():
            if room is not None and taken.size + len(piece) > reserved:
                step = max(_STEP, len(piece))
                await _unhurried(room.grow(step, len(piece)), limit)
                reserved += step
            left = most - taken.size
            taken.add(piece[:left])
            if len(piece) > left:
                answer.close()
                return taken.whole(), True
        return taken.whole(), False

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

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the session's jar for a URL, as a Cookie header holds them."""
        cookies = self._session.cookie_jar.filter_cookies(URL(url.href, encoded=True))
        return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())

    def _has_secrets(self) -> bool:
        """Return whether the session has credentials that it sends with every request, whatever its origin."""
        return self._session.auth is not None or any(name in self._session.headers for name in _SECRET)

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


async def _unhurried(granted: Awaitable[float], limit: asyncio.Timeout) -> None:
    """Wait for room without a deadline, then move the deadline by the seconds waited."""
    due = limit.when()
    limit.reschedule(None)
    waited = await granted
    limit.reschedule(due + waited if due is not None else None)
