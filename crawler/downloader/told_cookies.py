"""Cookies that a user tells a crawl by name and value alone, without the jar's domain, path and expiry.

Rules
- They go where the user's headers go: to the hosts that the user named, and not after a redirect from elsewhere.
- The jar's are newer: a cookie that the server has set since replaces the told one of its name.
Strategy: a Fetcher around a Fetcher.
Runs on: the event loop.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from crawler.core import protocols
from crawler.core.errors import UsageError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Room
from crawler.core.urls import Url
from crawler.downloader.headers import cookie_name


class WithJar(protocols.Fetcher, Protocol):
    """A fetcher that has a jar."""

    def cookies_for(self, url: Url) -> str:
        """Return the cookies of the jar for a URL, as a Cookie header holds them."""
        ...


class ToldCookies:
    """Implements `Fetcher` over `inner`, with these cookies of the user.

    Raises:
        UsageError: one of them would break a request.
    """

    def __init__(self, inner: WithJar, cookies: Mapping[str, str]) -> None:
        self._inner = inner
        self._pairs = {name: f"{name}={value}" for name, value in cookies.items()}
        for name, pair in self._pairs.items():
            if not pair.isprintable():
                raise UsageError(f"cookies: {name[:40]!a} holds a control character: remove it")

    def __repr__(self) -> str:
        return f"<ToldCookies {len(self._pairs)} over {self._inner!r}>"

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response to one request; see `core.protocols.Fetcher`.

        Raises:
            FetchError: there was no usable response; the reason says why.
        """
        if not request.is_trusted:
            return await self._inner.fetch(request, room)
        kept = {cookie_name(pair) for pair in self._inner.cookies_for(request.url).split(";")}
        line = "; ".join([pair for name, pair in self._pairs.items() if name not in kept])
        asked = replace(request, headers=(*request.headers, ("Cookie", line))) if line else request
        return replace(await self._inner.fetch(asked, room), request=request)
