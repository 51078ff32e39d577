"""The fetcher over a session that the user brings: any `aiohttp.ClientSession`, through aiohttp's public API alone.

Rules
- The session decides how it connects: connector, TLS, proxies, cookies, traces, middlewares and default headers are its
  own. The limits of time and size, redirects and retries are ours.
- aiohttp cannot tell the first byte from the next ones: the longer of the two timeouts counts for both.
- Not promised, unlike over our own connections: that an answer belongs to its request (what a server sends unasked is
  aiohttp's to judge), limits on a head before it is parsed, that a body is sent to its end after an early success, and
  the address policy for names. An address in a URL is judged.
- A session that may send credentials of its own is not led to another origin: aiohttp would send them there. They are
  `auth`, headers that a redirect drops (`redirection.py`), and cookies without a domain. Middlewares may add some, too,
  and nothing tells one of these from one that only logs: they are left out there.
- Framing is aiohttp's and ours: no header of the user decides about it.
- An error of the user's own body comes out unchanged, in place of what aiohttp makes of it.
- A session is left open; one that a function made is closed with the fetcher.
Runs on: the event loop of the session.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from crawler.core.addresses import AddressPolicy, parse_nets, written_address
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError, UsageError
from crawler.core.messages import BodySource, HeaderFields, Request, Response, Timing
from crawler.core.protocols import Clock, Room
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.body import PATIENCE
from crawler.downloader.flow import Flow
from crawler.downloader.headers import Headers, check_headers, merged
from crawler.downloader.pieces import unhurried, whole_body
from crawler.downloader.redirection import HARMLESS
from crawler.downloader.session_failures import ERRORS, session_error
from crawler.downloader.timing import timeouts_of
from crawler.http import redirects
from crawler.http.authorization import authorization

_FRAMING = ("Content-Length", "Transfer-Encoding")


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
            Exception: the source of the request's body raised it.
        """
        self._check(request)
        async with _sending(request) as upload:
            with errors_named(request, upload):
                async with asyncio.timeout(self._timeouts.of(request).total) as limit:
                    return await self._exchange(request, upload, room, limit)

    async def open(self, request: Request) -> Flow:
        """Return the answer to one request as soon as its head is there; the time limit counts until then.

        Raises:
            FetchError: there was no usable head; the reason says why.
            Exception: the source of the request's body raised it.
        """
        self._check(request)
        began = self._now()
        async with AsyncExitStack() as held:
            upload = await held.enter_async_context(_sending(request))
            with errors_named(request, upload):
                async with asyncio.timeout(self._timeouts.of(request).total):
                    answer = await self._asked(request, upload)
                    held.callback(answer.close)
            timing = Timing(first_byte=self._now() - began, total=self._now() - began)
            return SessionFlow(_response(request, answer, timing=timing), answer, upload, held.pop_all())
        raise AssertionError  # a stack suppresses nothing

    async def _asked(self, request: Request, upload: "_Upload | None") -> aiohttp.ClientResponse:
        timeouts = self._timeouts.of(request)
        answer = await self._session.request(
            request.method,
            URL(request.url.href, encoded=True),
            headers=self._headers(request),
            data=request.body if upload is None else upload,
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            middlewares=None if request.is_trusted else (),  # None = those of the session
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=timeouts.connect, sock_read=max(timeouts.first_byte, timeouts.idle)
            ),
        )
        if upload is not None:
            upload.end_with(answer)
        return answer

    async def _exchange(
        self, request: Request, upload: "_Upload | None", room: Room | None, limit: asyncio.Timeout
    ) -> Response:
        began = self._now()
        async with await self._asked(request, upload) as answer:
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
        for name in _FRAMING:
            if name in self._session.headers:
                raise UsageError(f"session: its header {name} would break requests: make a session without it")

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
        has_stray = any(not cookie["domain"] for cookie in session.cookie_jar)
        return "the session's cookies without a domain" if has_stray else ""

    def _headers(self, request: Request) -> Headers:
        """Return the headers to send besides the session's own; those of the request replace others.

        Raises:
            UsageError: a header would break the message.
        """
        config = self._config
        ours: Headers = () if "User-Agent" in self._session.headers else (("User-Agent", config.full_user_agent),)
        theirs: Headers = ()
        if request.is_trusted:
            credentials = authorization(config.basic_auth, config.bearer)
            theirs = (*((("Authorization", credentials),) if credentials else ()), *config.headers)
        headers = merged(merged(ours, theirs), request.headers)
        check_headers(headers)
        if request.source is None or request.source.length is None:
            return headers  # aiohttp sends the length of bytes, and all else chunked
        return (*headers, ("Content-Length", str(request.source.length)))


class SessionFlow:
    """Implements `Flow` over an answer of aiohttp's.

    Args:
        upload: the body of the request; None = it is sent.
        held: is closed with the flow; it leaves the answer and ends an upload.
    """

    def __init__(
        self, response: Response, answer: aiohttp.ClientResponse, upload: "_Upload | None", held: AsyncExitStack
    ) -> None:
        self.response = response
        self._answer = answer
        self._upload = upload
        self._held = held

    def __repr__(self) -> str:
        return f"<SessionFlow {self.response.status} from {self.response.request.url.origin}>"

    async def piece(self) -> bytes:
        """Return the next bytes of the body as they were sent; empty = it is complete."""
        with errors_named(self.response.request, self._upload):
            return await self._answer.content.readany()

    async def close(self) -> None:
        """Drop the connection, or give it back if the body was read to its end."""
        await self._held.aclose()


class _Upload:
    """The pieces of a request's body, as aiohttp takes them; `error` is what their source raised."""

    def __init__(self, source: BodySource) -> None:
        self.error: Exception | None = None
        self._answer: aiohttp.ClientResponse | None = None
        self._pieces = source.pieces()
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        async with self._turn:
            try:
                return await anext(self._pieces)
            except StopAsyncIteration:
                raise
            except Exception as error:
                self.error = error
                if self._answer is not None:
                    self._answer.close()
                raise

    def end_with(self, answer: aiohttp.ClientResponse) -> None:
        """Let an error of the source end an answer that came before it: aiohttp would wait for the rest for ever."""
        self._answer = answer
        if self.error is not None:
            answer.close()

    async def close(self) -> None:
        """Close the source, once the task of aiohttp's that reads it has ended: it is cancelled, and not waited for."""
        async with self._turn:
            await self._pieces.aclose()


@asynccontextmanager
async def _sending(request: Request) -> AsyncIterator[_Upload | None]:
    """Give the pieces of the request's body, and close their source at the end; None = it does not come in pieces."""
    if request.source is None:
        yield None
        return
    upload = _Upload(request.source)
    try:
        yield upload
    finally:
        await upload.close()


@contextmanager
def errors_named(request: Request, upload: _Upload | None) -> Iterator[None]:
    """Raise a `FetchError` for what the session raises in the block, or what the body's own source has raised."""
    try:
        yield
    except ERRORS as error:
        if upload is None or upload.error is None:
            cause = None if isinstance(error, aiohttp.ClientError) else error
            raise session_error(error, request.url.host_port) from cause
    if upload is not None and upload.error is not None:
        raise upload.error


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
