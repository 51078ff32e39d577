"""The redirect chain of one request: each hop with its tries, its cookies and its credentials.

Rules
- `RetryPolicy` decides about tries; the pause before one holds no place.
- A redirect loop is one where the same request would be sent again, cookies included. A page that sets a cookie and
  redirects to itself, or a POST that is answered 303 there, is none (Fetch, "HTTP-redirect fetch").
- Credentials that are computed (`auth.py`) go only to requests that may carry the user's.
Runs on: the event loop.
"""

from collections.abc import Callable, Mapping
from logging import DEBUG, getLogger
from random import random

import msgspec
from msgspec.structs import replace

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.downloader.auth import Auth
from crawler.downloader.call_places import NoPlace
from crawler.downloader.fetched import Answer, SentRequest, headers_of, sent
from crawler.downloader.headers import cookie_name
from crawler.downloader.hooks import Hooks, RetryNotice, call
from crawler.downloader.redirection import redirected
from crawler.downloader.request_options import Ask
from crawler.downloader.responder import PauseClock
from crawler.downloader.stream_turn import Sender

_LOG = getLogger("crawler")


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a redirect chain: the last response, and the URLs that redirected on the way."""

    response: Response
    history: tuple[str, ...]


class RedirectChain:
    """Follows requests to their final answers, for one `Fetcher`.

    Args:
        told: cookies for every URL that is given.
        kept: returns the cookies of the jar for a URL.

    Attributes:
        is_closed: the Fetcher was closed, so nothing is tried again.
    """

    def __init__(self, told: Mapping[str, str], kept: Callable[[Url], str], hooks: Hooks, clock: PauseClock) -> None:
        self._told = told
        self._kept = kept
        self.is_closed = False
        self._hooks = hooks
        self._clock = clock

    async def follow(self, ask: Ask, sender: Sender) -> Followed:
        """Return the final response.

        Raises:
            FetchError: there is none, or the chain is too long, a circle, or leads nowhere.
        """
        request = ask.request
        history: list[str] = []
        known: set[tuple[object, ...]] = set()
        while True:
            before = self._identity(self._with_cookies(request, ask.cookies))
            response = await self._tried(request, ask, sender)
            if response.request is not request:  # which was sent with cookies or credentials
                response = replace(response, request=request)
            hop = redirected(response) if ask.follow_redirects else None
            if hop is None:
                return Followed(response=response, history=tuple(history))
            if hop.way.hops > ask.max_redirects:
                raise FetchError(Reason.REDIRECT_LIMIT, f"it redirects more than {ask.max_redirects} times")
            known.add(before)
            if self._identity(self._with_cookies(hop, ask.cookies)) in known:
                raise FetchError(Reason.REDIRECT_LOOP, f"it redirects in a circle, by way of {hop.url.origin}")
            history.append(request.url.href)
            request = hop

    async def _tried(self, request: Request, ask: Ask, sender: Sender) -> Response:
        """Return the response after as many tries as the policy allows."""
        attempt = 0
        while True:
            outcome = await self._exchanged(request, ask, sender, attempt)
            pause = self._pause(ask, request, attempt, outcome)
            if pause is None:
                if isinstance(outcome, FetchError):
                    raise outcome
                return outcome
            await sender.leave()
            await self.tell_retry(sent(request, attempt), pause, outcome)
            await self._clock.sleep(pause)
            attempt += 1

    async def tell_retry(self, request: SentRequest, pause: float, outcome: Response | FetchError) -> None:
        """Tell of a retry."""
        status, error = (outcome.status, None) if isinstance(outcome, Response) else (None, outcome)
        _LOG.info("%r is tried again in %.1f s: %s", request, pause, error or status)
        if self._hooks.on_retry is not None:
            await call(self._hooks.on_retry, RetryNotice(request=request, pause=pause, status=status, error=error))

    def _pause(self, ask: Ask, request: Request, attempt: int, outcome: Response | FetchError) -> float | None:
        """Return the seconds until the next try; None = the outcome is final."""
        if self.is_closed or isinstance(outcome, NoPlace):
            return None
        policy, asked = ask.retry, None
        ended = outcome.status if isinstance(outcome, Response) else outcome
        if isinstance(outcome, Response):
            if outcome.status not in policy.statuses:
                return None
            asked = outcome.header("retry-after")
        if request.source is not None and not request.source.is_repeatable:
            return None
        jitter = random()  # noqa: S311 - spreads load, guards nothing
        return policy.pause(attempt, request.method, ended, asked, now=self._clock.wall(), jitter=jitter)

    async def _exchanged(self, request: Request, ask: Ask, sender: Sender, attempt: int) -> Response | FetchError:
        """Return the response to one try, or why there is none; one that asks for credentials is answered once."""
        request = self._with_cookies(request, ask.cookies)
        if ask.auth is None or not request.is_trusted:
            return await self._sent(request, ask, sender, attempt)
        first = await _authorized(request, ask.auth)
        response = await self._sent(first, ask, sender, attempt)
        if isinstance(response, FetchError):
            return response
        is_challenged = response.status == 401 and ask.auth.is_challenged(first, response)
        if is_challenged and (request.source is None or request.source.is_repeatable):
            await sender.leave()
            response = await self._sent(await _authorized(request, ask.auth), ask, sender, attempt)
        return response

    async def _sent(self, request: Request, ask: Ask, sender: Sender, attempt: int) -> Response | FetchError:
        """Return the response to a request, or why there is none; an error of a hook is raised."""
        hooks = self._hooks
        if hooks.on_request is not None:
            await call(hooks.on_request, sent(request, attempt))
        try:
            response = await sender.fetch(replace(request, attempts=attempt) if attempt else request)
        except FetchError as error:
            return error
        if _LOG.isEnabledFor(DEBUG):
            _LOG.debug("%s %s answered %d", request.method, request.url.href, response.status)
        if hooks.on_response is not None:
            await call(hooks.on_response, answer_head(ask, response, (), attempt))
        return response

    def _with_cookies(self, request: Request, own: Mapping[str, str]) -> Request:
        """Return the request with the cookies told to it and to the Fetcher.

        Its own replace those of the jar in its first request. After a redirect the jar's are newer, as they always are
        than those told to the Fetcher.
        """
        given = self._told
        if not (own or given) or not request.named:
            return request
        written = [value for name, value in request.headers if name.lower() == "cookie"]
        kept = {cookie_name(pair) for pair in self._kept(request.url).split(";")}
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
        # A source by its identity: the chain has one, and a list of pieces cannot be hashed.
        return request.method, request.url, request.headers, request.body, id(request.source), self._kept(request.url)


def answer_head(ask: Ask, response: Response, history: tuple[str, ...], attempt: int = 0) -> Answer:
    """Return the head of a response as users see it."""
    return Answer(
        requested=ask.requested,
        url=response.request.url.href,
        status=response.status,
        headers=headers_of(response.headers),
        history=history,
        timing=response.timing,
        extra=ask.extra,
        request=sent(response.request, attempt),
    )


async def _authorized(request: Request, auth: Auth) -> Request:
    """Return the request with the credentials for it; its own Authorization header stays."""
    if any(name.lower() == "authorization" for name, _ in request.headers):
        return request
    value = await auth.authorization(request)
    return request if value is None else replace(request, headers=(*request.headers, ("Authorization", value)))
