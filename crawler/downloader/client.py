"""The library's client: `Fetcher` for scripts, with redirects, cookies, retries and decoding.

Rules
- A URL given here is named: its own loopback or private address may be dialled. `redirection.py` decides for redirects.
- `get` and the other methods raise, and so does `open`; they share the places of `call_places.py`. `stream` answers
  every URL exactly once, within the bounds of `stream.py`, and puts the error into the answer.
- A Fetcher belongs to one event loop, and is opened once.
- Starts no process. A big body is decoded in steps, and other tasks run in between.
Runs on: the caller's event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self, Unpack

from crawler.core.errors import CrawlerError, FetchError, UrlError, UsageError
from crawler.core.messages import Response
from crawler.core.options import in_keywords, name_keywords
from crawler.core.reasons import Reason
from crawler.downloader.call_places import CallPlaces, CallSender, OpenSender
from crawler.downloader.client_options import KEYWORDS, Options, fetcher_config
from crawler.downloader.cookie_jar import CookieJar
from crawler.downloader.fetched import Fetched, SentRequest, headers_of, masked, sent
from crawler.downloader.fetcher import HttpFetcher
from crawler.downloader.open_answer import OpenAnswer, open_answer
from crawler.downloader.open_body import OpenBody
from crawler.downloader.redirect_chain import RedirectChain
from crawler.downloader.request_options import Ask, ClientRequest, RequestOptions, build_ask
from crawler.downloader.responder import PauseClock, Responder, ResponderTransport
from crawler.downloader.stream import Asked, Stream
from crawler.downloader.stream_turn import QuickHosts, Sender, StreamBounds
from crawler.downloader.transport import Transport, over_session
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, codings, decode_steps
from crawler.http.redirects import is_redirect
from crawler.runtime.clock import SystemClock
from crawler.runtime.loop import open_files
from crawler.runtime.slots import most_slots


class Fetcher:
    """Fetches URLs: `async with Fetcher(concurrency=1000) as fetcher: page = await fetcher.get(url)`.

    Options, all by keyword (times are seconds, sizes bytes):
        base_url: URLs without a scheme are relative to it.
        concurrency=256: fetches in flight of one `stream` to hosts that answer, and of all single calls, at the most;
            lowered to two fifths of the open files that the process may have (`ulimit -n`).
        follow_redirects=True, max_redirects=10.
        retries=3: further tries after a transient error, and after 408 425 429 500 502 503 504; or a RetryPolicy.
        headers, auth=(name, password), bearer: sent to the URLs that are given, not to other origins on the way. `auth`
            may be a DigestAuth, or a function of the SentRequest that returns the value of the Authorization header.
        on_request, on_response, on_retry: functions that are told of each SentRequest, Answer and RetryNotice.
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
        transport: sends the requests in place of the network; `crawler.testing` has some for tests.
        max_body=16 MiB as sent, max_decoded=64 MiB: a longer body is an error.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        """Take the options; nothing is opened yet.

        Raises:
            UsageError: an option is unknown, has a value that it does not take, or names a file that cannot be read.
        """
        with in_keywords(KEYWORDS):
            self._config = config = fetcher_config(options)
            transport = options.get("transport")
            self._clock: PauseClock = transport.clock if isinstance(transport, Responder) else SystemClock()
            cookies = config.client.cookies
            self._jar = cookies if isinstance(cookies, CookieJar) else None if cookies is False else CookieJar()
            self._transport = self._make_transport(options)
        concurrency = config.engine.concurrency
        self._bounds = StreamBounds(
            http=self._transport,
            quick=QuickHosts(),
            now=self._clock.monotonic,
            concurrency=concurrency,
            is_throttled=config.fetch.limit_rate is not None,
        )
        self._places = CallPlaces(min(concurrency, most_slots(open_files())), config.fetch.timeout)
        told = cookies if isinstance(cookies, Mapping) else {}
        self._chain = RedirectChain(told, self._transport.cookies_for, config.client.hooks, self._clock)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<Fetcher concurrency={self._config.engine.concurrency} {self._transport!r}>"

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise UsageError("a Fetcher is opened once: make a new one for another `async with`")
        self._loop = asyncio.get_running_loop()
        with in_keywords(KEYWORDS):
            await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chain.is_closed = True
        await self._transport.__aexit__(kind, error, trace)

    def _make_transport(self, options: Options) -> Transport:
        """Return the way in which requests are sent."""
        config, session, transport = self._config, options.get("session"), options.get("transport")
        if isinstance(transport, Responder):
            return ResponderTransport(transport, config.fetch, self._jar)
        if isinstance(transport, Transport):
            return transport
        if transport is not None:
            raise UsageError(f"transport: expected one, such as FakeTransport({{...}}), got {transport!r:.60}")
        if session is not None:
            return over_session(session, config.fetch, self._clock)
        return HttpFetcher(
            config.fetch,
            clock=self._clock,
            jar=self._jar,
            idle_limit=config.engine.concurrency,
            unix_socket=config.client.unix_socket,
        )

    @property
    def cookies(self) -> CookieJar | None:
        """The jar that keeps the cookies of servers; None = they are not kept."""
        return self._jar

    def _check_open(self) -> None:
        if self._loop is None:
            raise UsageError("a Fetcher has to be open: use `async with crawler.Fetcher() as fetcher`")
        if self._chain.is_closed:
            raise UsageError("the Fetcher is closed: use it within its `async with`")
        if asyncio.get_running_loop() is not self._loop:
            raise UsageError("the Fetcher belongs to another event loop: make one in each loop")

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
            content (bytes, text, a file, a Path, or an iterable of bytes, asynchronous or not), data (the same, or a
                mapping or pairs that are sent as a form), or json: the body; files: with data as a multipart form.
            auth=(name, password), a DigestAuth or a function; or bearer.
            cookies: a mapping, sent besides those of the Fetcher.
            timeout: seconds, its redirects and retries included.
            connect_timeout, first_byte_timeout, idle_timeout: seconds, in place of the Fetcher's.
            follow_redirects, max_redirects, retries, max_body: in place of the Fetcher's.
            extra: anything; the answer carries it.

        Raises:
            UsageError: an option is unknown, or has a value that it does not take.
            UrlError: `url` is not a URL that can be fetched.
            FetchError: there was no usable answer. A status such as 404 is an answer.
        """
        self._check_open()
        try:
            ask = build_ask(method, url, options, self._config)
            return await self._fetched(ask, CallSender(self._transport, self._places))
        except CrawlerError as error:
            _tell(error, url)
            raise

    async def send(self, request: ClientRequest) -> Fetched:
        """Send a request that was made before, and return the answer; see `request`."""
        return await self.request(request.method, request.url, **request.options)

    @asynccontextmanager
    async def open(self, method: str, url: str, **options: Unpack[RequestOptions]) -> AsyncIterator[OpenAnswer]:
        """Send any request; the block has the answer as soon as its head is there, and reads the body as it comes.

        `async with fetcher.open("GET", url) as answer: await answer.save("file")`. Leaving the block before the body is
        complete drops the connection. Options and errors are those of `request`, but that the body has no limits unless
        `timeout` and `max_body` are given here; the Fetcher's `timeout` counts until the head is there.
        """
        self._check_open()
        with _told(url):
            ask = build_ask(method, url, options, self._config)
            body = OpenBody(ask, self._chain, OpenSender(self._transport, self._places), self._config.fetch.max_decoded)
            async with body:
                yield await open_answer(ask, body)

    async def stream(self, urls: Asked, *, ordered: bool = False) -> AsyncIterator[Fetched]:
        """Yield an answer for each URL, in order of arrival or of the URLs; an error is an answer too.

        `urls` is read as places become free, so it may be endless. Leaving the loop cancels the fetches in flight. An
        error of `urls` itself is raised here, unchanged, after the answers to the URLs before it.

        A host that has not answered within two seconds, or not at all yet, holds none of the `concurrency` slots until
        its answer begins; nor does the pause before a further try. Such fetches are bounded by the open files that the
        process may have. A host has at most `concurrency` of them.

        Bodies that come and answers that wait for the reader take 64 MiB together; past that, connections wait. For a
        slow reader at most `concurrency` answers wait, beside those that keep their place. An ordered stream goes on
        behind a late answer: at most 8,192 URLs from the one that it waits for.
        """
        self._check_open()
        async with aclosing(Stream(self._answer_or_error, self._bounds, ordered=ordered).answers(urls)) as answers:
            async for answer in answers:
                yield answer

    async def _answer_or_error(self, asked: str | ClientRequest, sender: Sender) -> Fetched:
        """Return the answer to one request of a stream; its errors are in it."""
        if isinstance(asked, ClientRequest):
            method, url, options = asked.method, asked.url, asked.options
        else:
            method, url, options = "GET", asked, {}
        try:
            return await self._fetched(build_ask(method, url, options, self._config), sender)
        except CrawlerError as error:
            _tell(error, url)
            request = SentRequest(method=str(method).upper(), url=str(url))
            return Fetched(requested=str(url), url=str(url), error=error, extra=options.get("extra"), request=request)

    async def _fetched(self, ask: Ask, sender: Sender) -> Fetched:
        """Return the whole answer."""
        if ask.timeout is None:
            return await self._whole(ask, sender)
        try:
            async with asyncio.timeout(ask.timeout):
                return await self._whole(ask, sender)
        except TimeoutError:
            raise ask.late() from None

    async def _whole(self, ask: Ask, sender: Sender) -> Fetched:
        followed = await self._chain.follow(ask, sender)
        response = followed.response
        if response.cut and not is_redirect(response):
            most = ask.request.most or self._config.fetch.max_body
            raise FetchError(Reason.BODY_LIMIT, f"its body is longer than {most} bytes (max_body)")
        return Fetched(
            requested=ask.requested,
            url=response.request.url.href,
            status=response.status,
            headers=headers_of(response.headers),
            history=followed.history,
            timing=response.timing,
            extra=ask.extra,
            request=sent(response.request),
            content=await self._decoded(response),
        )

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


@contextmanager
def _told(url: object) -> Iterator[None]:
    """Complete the errors that leave the block; see `_tell`."""
    try:
        yield
    except CrawlerError as error:
        _tell(error, url)
        raise


def _tell(error: CrawlerError, url: object) -> None:
    """Let an error name keywords in place of options, and the URL that was asked for."""
    name_keywords(error, KEYWORDS)
    if isinstance(error, FetchError | UrlError):
        error.url = error.url or masked(str(url))
