"""The client for code without an event loop: `fetch` and `iter_fetch`, which block.

Rules
- Each opens a `Fetcher` on a loop in a thread of its own, and closes it at its end (`runtime/loop_thread.py`). So
  signals stay the program's, in flight fetches go on while a reader works, and it works in every thread.
- The URLs are read in the caller's thread.
- Wrong options, and a loop that runs in this thread, are refused by the call itself.
Runs on: any thread without a running loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator
from contextlib import aclosing, suppress
from typing import TypeVar, Unpack, cast

from crawler.core.errors import UsageError
from crawler.downloader.client import Fetcher
from crawler.downloader.client_options import Options
from crawler.downloader.fetched import Fetched
from crawler.downloader.stream import Asked
from crawler.runtime.loop_thread import iterate

T = TypeVar("T")


def fetch(urls: Asked, **options: Unpack[Options]) -> list[Fetched]:
    """Return an answer for each URL, in the order given; errors are in the answers. Blocks until all are there.

    Raises:
        UsageError: an option is unknown or invalid, or an event loop runs in this thread: use `Fetcher` there.
    """
    fetcher = _fetcher("fetch", options)

    async def answers(given: Asked) -> AsyncGenerator[list[Fetched], None]:
        async with fetcher:
            yield [fetched async for fetched in fetcher.stream(given, ordered=True)]

    [found] = _blocking(answers, urls)
    return found


def iter_fetch(urls: Asked, *, ordered: bool = False, **options: Unpack[Options]) -> Generator[Fetched, None, None]:
    """Yield an answer for each URL as it comes, or in the order of the URLs; errors are in the answers.

    Fetching goes on while the loop works on an answer, within the bounds of `Fetcher.stream`. Leaving the loop ends all
    fetches.

    Raises:
        UsageError: an option is unknown or invalid, or an event loop runs in this thread: use `Fetcher.stream` there.
    """
    fetcher = _fetcher("iter_fetch", options)

    async def answers(given: Asked) -> AsyncGenerator[Fetched, None]:
        stream = cast("AsyncGenerator[Fetched, None]", fetcher.stream(given, ordered=ordered))
        async with fetcher, aclosing(stream):
            async for fetched in stream:
                yield fetched

    return _blocking(answers, urls)


def _fetcher(name: str, options: Options) -> Fetcher:
    """Return a fetcher to open, unless a loop runs here: it would stand still while this thread waits."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError(f"an event loop runs here: use `async with crawler.Fetcher() as fetcher`, not crawler.{name}")
    return Fetcher(**options)


def _blocking(answers: Callable[[Asked], AsyncGenerator[T, None]], urls: Asked) -> Generator[T, None, None]:
    if isinstance(urls, str | AsyncIterable):  # read on the loop; a text is refused there

        def over(_: AsyncIterator[str]) -> AsyncGenerator[T, None]:
            return answers(urls)

        return iterate(over, ())
    return iterate(answers, iter(urls))
