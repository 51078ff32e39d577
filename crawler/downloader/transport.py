"""The way in which a `Fetcher` sends requests: its own connections, a session of aiohttp, or a responder.

Rules
- A transport sends one request at a time for each call, and knows neither redirects nor retries.
- It is open between `async with` and its end.
Runs on: the event loop.
"""

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from crawler.core import protocols
from crawler.core.config import FetchConfig
from crawler.core.messages import Request
from crawler.core.urls import Url
from crawler.downloader.flow import Flow


@runtime_checkable
class Transport(protocols.Fetcher, Protocol):
    """A fetcher of single requests, whole or as they come."""

    async def open(self, request: Request) -> Flow:
        """Return the answer to one request as soon as its head is there.

        Raises:
            FetchError: there was no usable head; the reason says why.
        """
        ...

    def cookies_for(self, url: Url) -> str:
        """Return the cookies that go with a request for `url`, as a Cookie header holds them."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def over_session(session: object, config: FetchConfig, clock: protocols.Clock) -> Transport:
    """Return the transport over a session of aiohttp, which is loaded only for those who bring one.

    Raises:
        UsageError: it is no session, and no function that makes one.
    """
    from crawler.downloader.session import SessionFetcher  # noqa: PLC0415

    return SessionFetcher(session, config, clock=clock)
