"""The library's client: `Fetcher` for scripts, with redirects, cookies, retries and decoding.

Rules
- A URL given here is named: its own loopback or private address may be dialled. `redirection.py` decides for redirects.
- Only methods that may be sent twice are retried, on transient errors and on 408 425 429 500 502 503 504.
- A redirect loop is one where the same request would be sent again, cookies included. A page that sets a cookie and
  redirects to itself, or a POST that is answered 303 there, is none (Fetch, "HTTP-redirect fetch").
- `get` and the other methods raise, and wait for no place; `stream` answers every URL exactly once, within the bounds
  of `stream.py`, and puts the error into the answer.
- Starts no process. A big body is decoded in steps, and other tasks run in between.
Runs on: the caller's event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from random import random
from types import TracebackType
from typing import Protocol, Self, Unpack

from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.core import protocols
from crawler.core.config import FetchConfig
from crawler.core.errors import CrawlerError, FetchError, UsageError
from crawler.core.messages import Request, Response
from crawler.core.options import in_keywords
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.client_options import KEYWORDS, Options, fetcher_config
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import Fetched
from crawler.downloader.fetcher import HttpFetcher
from crawler.downloader.headers import cookie_name
from crawler.downloader.redirection import redirected
from crawler.downloader.request_options import Ask, RequestOptions, build_ask
from crawler.downloader.stream import Stream, Urls
from crawler.downloader.stream_turn import QuickHosts, Sender, StreamBounds, UnboundedSender
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, codings, decode_steps
from crawler.http.redirects import is_redirect
from crawler.http.retry import RETRY_STATUSES, delay, retry_after
from crawler.runtime.clock import SystemClock

MAX_WAIT = 60.0
"""Seconds; after a longer Retry-After there is no further try, and the answer is the result."""

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Fetcher:
    """Fetches URLs: `async with Fetcher(concurrency=1000) as fetcher: page = await fetcher.get(url)`.

    Options, all by keyword (times are seconds, sizes bytes):
        concurrency=256: fetches in flight of one `stream` to hosts that answer, at the most; lowered to two fifths of
            the open files that the process may have (`ulimit -n`).
        follow_redirects=True, max_redirects=10.
        retries=3: further tries after a transient error, and after 408 425 429 500 502 503 504.
        headers, auth=(name, password), bearer: sent to the URLs that are given, not to other origins on the way.
        cookies=False: True keeps the cookies that servers set; a mapping is also sent to the URLs given.
            A CookieJar brings its own and keeps them; several Fetchers may share one.
        cookies_file: a cookies.txt; its cookies go to their own domains.
        user_agent, contact: the name that is sent, and an e-mail address or page beside it.
        proxy="http://host:port": for every request; https://, socks5:// (names are looked up here) and socks5h:// too,
            as in "socks5h://user:password@host:1080".
        trust_env=False: True takes http_proxy, https_proxy, all_proxy and no_proxy of the environment, without `proxy`.
        unix_socket="/run/app.sock": takes every request, redirects to other origins included.
        resolver="127.0.0.1:5353": the name server to ask, in place of the system's; more are separated by commas.
        ca_file, client_cert: PEM files. insecure_hosts=("host", "host:port"): their certificates are not verified.
        allow_nets=("10.0.0.0/8",): private networks into which redirects may lead.
        timeout=60, connect_timeout=10, first_byte_timeout=20, idle_timeout=20: of one try.
        limit_rate: body bytes per second, over all that is being received.
        session: an `aiohttp.ClientSession` that sends the requests, or a function that makes one. How it connects, its
            proxies, TLS and cookies are its own; `docs/library.md` says what is not promised then.
        max_body=16 MiB as sent, max_decoded=64 MiB: a longer body is an error.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        """Take the options; nothing is opened yet.

        Raises:
            UsageError: an option is unknown, has a value that it does not take, or names a file that cannot be read.
        """
        with in_keywords(KEYWORDS):
            session = options.get("session")
            self._config = fetcher_config(options)
            concurrency = self._config.engine.concurrency
            self._clock = SystemClock()
            cookies = self._config.client.cookies
            self._jar = cookies if isinstance(cookies, CookieJar) else None if cookies is False else CookieJar()
            self._http: _Http
            if session is None:
                self._http = HttpFetcher(
                    self._config.fetch,
                    clock=self._clock,
                    jar=self._jar,
                    idle_limit=concurrency,
                    unix_socket=self._config.client.unix_socket,
                )
            else:
                self._http = _over(session, self._config.fetch, self._clock)
            self._bounds = StreamBounds(
                http=self._http,
                quick=QuickHosts(),
                now=self._clock.monotonic,
                concurrency=concurrency,
                is_throttled=self._config.fetch.limit_rate is not None,
            )
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Fetcher concurrency={self._config.engine.concurrency} {self._http!r}>"

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await self._http.__aexit__(kind, error, trace)

    @property
    def cookies(self) -> CookieJar | None:
        """The jar that keeps the cookies of servers; None = they are not kept."""
        return self._jar

    def _check_open(self) -> None:
        if not self._is_open:
            raise UsageError("a Fetcher has to be open: use `async with crawler.Fetcher() as fetcher`")

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Return the page at `url`; see `request`."""
        return await self.request("GET", url, **options)

    async def head(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Return the headers of the page at `url`; see `request`."""
        return await self.request("HEAD", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Send a body to `url` and return the answer; see `request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Store a body at `url` and return the answer; see `request`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Change the resource at `url` and return the answer; see `request`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Remove the resource at `url` and return the answer; see `request`."""
        return await self.request("DELETE", url, **options)

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Fetched:
        """Send any request and return the answer, with redirects followed and content decoded.

        Options of the request, by keyword; None = not given:
            headers, params: mappings or pairs; a list of values repeats its name.
            content (bytes or text), data (the same, or a mapping or pairs that are sent as a form), or json: the body.
            auth=(name, password), or bearer.
            cookies: a mapping, sent besides those of the Fetcher.
            timeout: seconds, its redirects and retries included.
            follow_redirects, max_redirects, retries, max_body: in place of the Fetcher's.
            extra: anything; the answer carries it.

        Raises:
            UsageError: an option is unknown, or has a value that it does not take.
            UrlError: `url` is not a URL that can be fetched.
            FetchError: there was no usable answer. A status such as 404 is an answer.
        """
        self._check_open()
        with in_keywords(KEYWORDS):
            ask = build_ask(method, url, options, self._config)
            try:
                async with asyncio.timeout(ask.timeout):
                    return await self._answer(url, ask, UnboundedSender(self._http))
            except TimeoutError:
                raise FetchError(Reason.TOTAL_TIMEOUT, f"the request took longer than {ask.timeout:g} s") from None

    async def stream(self, urls: Urls, *, ordered: bool = False) -> AsyncIterator[Fetched]:
        """Yield an answer for each URL, in order of arrival or of the URLs; an error is an answer too.

        `urls` is read as places become free, so it may be endless. Leaving the loop cancels the fetches in flight. An
        error of `urls` itself is raised here, unchanged, after the answers to the URLs before it.

        A host that has not answered within two seconds, or not at all yet, holds none of the `concurrency` slots until
        its answer begins; nor does the pause before a further try. Such fetches are bounded by the open files that the
        process may have. A host has at most `concurrency` of them.

        For a slow reader at most `concurrency` answers wait, beside those that keep their place. An ordered stream
        goes on behind a late answer: at most 8,192 URLs from the one that it waits for, and while their answers take
        less than 256 MiB.
        """
        self._check_open()
        async with aclosing(Stream(self._answer_or_error, self._bounds, ordered=ordered).answers(urls)) as answers:
            async for answer in answers:
                yield answer

    async def _answer_or_error(self, url: str, sender: Sender) -> Fetched:
        """Return the answer for one URL of a stream; its errors are in it."""
        try:
            with in_keywords(KEYWORDS):
                return await self._answer(url, build_ask("GET", url, {}, self._config), sender)
        except CrawlerError as error:
            return Fetched(requested=str(url), url=str(url), error=error)

    async def _answer(self, requested: str, ask: Ask, sender: Sender) -> Fetched:
        request = ask.request
        history: list[str] = []
        sent: set[tuple[object, ...]] = set()
        while True:
            before = self._identity(self._with_cookies(request, ask.cookies))
            response = await self._with_retries(request, ask, sender)
            response = replace(response, request=request)
            hop = redirected(response) if ask.follow_redirects else None
            if hop is None:
                break
            if hop.way.hops > ask.max_redirects:
                raise FetchError(Reason.REDIRECT_LIMIT, f"it redirects more than {ask.max_redirects} times")
            sent.add(before)
            if self._identity(self._with_cookies(hop, ask.cookies)) in sent:
                raise FetchError(Reason.REDIRECT_LOOP, f"it redirects in a circle, by way of {hop.url.origin}")
            history.append(request.url.href)
            request = hop
        if response.cut and not is_redirect(response):
            most = request.most or self._config.fetch.max_body
            raise FetchError(Reason.BODY_LIMIT, f"its body is longer than {most} bytes (max_body)")
        headers = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
        return Fetched(
            requested=requested,
            url=request.url.href,
            status=response.status,
            headers=CIMultiDictProxy(headers),
            content=await self._decoded(response),
            history=tuple(history),
            timing=response.timing,
            extra=ask.extra,
        )

    async def _with_retries(self, request: Request, ask: Ask, sender: Sender) -> Response:
        """Return the response after as many tries as are allowed and useful."""
        tries = ask.retries if request.method in _REPEATABLE else 0
        for attempt in range(tries):
            asked = None
            try:
                response = await self._exchange(request, ask, sender)
                if response.status not in RETRY_STATUSES:
                    return response
                asked = retry_after(response.header("retry-after"), self._clock.wall())
                if asked is not None and asked > MAX_WAIT:
                    return response
            except FetchError as error:
                if not error.reason.is_transient:
                    raise
            sender.leave()
            await self._clock.sleep(delay(attempt, random(), asked))  # noqa: S311 - spreads load, guards nothing
        return await self._exchange(request, ask, sender)

    async def _exchange(self, request: Request, ask: Ask, sender: Sender) -> Response:
        return await sender.fetch(self._with_cookies(request, ask.cookies))

    def _with_cookies(self, request: Request, own: Mapping[str, str]) -> Request:
        """Return the request with the cookies told to it and to the Fetcher.

        Its own replace those of the jar in its first request. After a redirect the jar's are newer, as they always are
        than those told to the Fetcher.
        """
        told = self._config.client.cookies
        given = told if isinstance(told, Mapping) else {}
        if not (own or given) or not request.named:
            return request
        written = [value for name, value in request.headers if name.lower() == "cookie"]
        kept = {cookie_name(pair) for pair in self._http.cookies_for(request.url).split(";")}
        pairs = {name: value for name, value in given.items() if name not in kept}
        pairs |= {name: value for name, value in own.items() if request.way.hops == 0 or name not in kept}
        for pair in ";".join(written).split(";"):
            pairs.pop(cookie_name(pair), None)
        if not pairs:
            return request
        line = "; ".join([*written, *(f"{name}={value}" for name, value in pairs.items())])
        others = tuple((name, value) for name, value in request.headers if name.lower() != "cookie")
        return replace(request, headers=(*others, ("Cookie", line)))

    def _identity(self, request: Request) -> tuple[object, ...]:
        """Return all parts of a request that a server sees: for the same parts it gives the same answer."""
        return request.method, request.url, request.headers, request.body, self._http.cookies_for(request.url)

    async def _decoded(self, response: Response) -> bytes:
        """Return the decoded content; that of a redirect as it came, since it is of no use and may be a bomb."""
        layers = codings(response.codings)
        if not layers or is_redirect(response):
            return response.body
        content = BodyBuffer()
        try:
            for step in decode_steps(response.body, layers, self._config.fetch.max_decoded):
                if content.size:
                    await asyncio.sleep(0)
                content.add(step)
        except DecodeProblem as problem:
            raise FetchError(problem.reason, str(problem)) from problem
        return content.whole()


class _Http(protocols.Fetcher, Protocol):
    """A fetcher of single requests, to be opened."""

    def cookies_for(self, url: Url) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def _over(session: object, config: FetchConfig, clock: protocols.Clock) -> _Http:
    """Return a fetcher over a session; aiohttp is loaded only for those who bring one."""
    from crawler.downloader.session import SessionFetcher  # noqa: PLC0415

    return SessionFetcher(session, config, clock=clock)
