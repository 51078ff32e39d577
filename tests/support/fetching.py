"""Builders of the downloader's tests: a fetcher and its clock, requests, and servers that answer in literal bytes."""

import asyncio
from typing import Any

import pytest

from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.protocols import Clock
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock
from support.rawserver import Handler
from support.ways import a_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class HandClock:
    """A clock that a test sets by `now`; a look at it takes `tick` seconds, and sleeping none.

    `slept` holds the seconds of each sleep.
    """

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._tick = tick

    def monotonic(self) -> float:
        """Return the moment that is set."""
        self.now += self._tick
        return self.now

    def wall(self) -> float:
        """Return some moment."""
        return 1e9

    async def sleep(self, seconds: float) -> None:
        """Note the seconds."""
        self.slept.append(seconds)


def open_fetcher(*, idle_limit: int = 256, clock: Clock | None = None, **config: Any) -> HttpFetcher:
    """Return a fetcher to be opened with `async with`; keywords are fields of `FetchConfig`."""
    return HttpFetcher(FetchConfig(**config), clock=clock or SystemClock(), idle_limit=idle_limit)


def ask(where: tuple[str, int], path: str = "/", **fields: Any) -> Request:
    """Return a request to a server of this test, which counts as named by the user."""
    return ask_url(f"http://{where[0]}:{where[1]}{path}", **fields)


def ask_url(url: str, **fields: Any) -> Request:
    """Return a request for a URL that counts as named by the user."""
    return a_request(url, **{"named": True, **fields})


async def failure(fetcher: HttpFetcher, request: Request) -> FetchError:
    """Return the error that a fetch ends with."""
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(request)
    return caught.value


def answering(*answers: bytes, heads: list[bytes] | None = None, opened: list[None] | None = None) -> Handler:
    """Return a handler that gives the n-th request of a connection the n-th answer, the last one for ever.

    `heads` receives every request's head, and `opened` an item for every connection.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if opened is not None:
            opened.append(None)
        count = 0
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head)
            writer.write(answers[min(count, len(answers) - 1)])
            count += 1

    return serve


def saying(*parts: bytes) -> Handler:
    """Return a handler that reads one request, writes the parts one after the other, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve
