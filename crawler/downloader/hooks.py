"""Hooks: functions of the user's that are told of requests, answers and retries.

Rules
- A hook may be a coroutine function; the request waits for it. One that raises ends the request with its error.
- A hook is told of every request that is sent: each try, each redirect.
Runs on: the event loop.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from crawler.core.errors import FetchError
from crawler.downloader.fetched import SentRequest

Hook = Callable[[Any], Awaitable[object] | object]


class RetryNotice(msgspec.Struct, frozen=True, kw_only=True):
    """The news that a request will be tried again.

    Attributes:
        request: the try that failed.
        pause: seconds until the next try.
        status: of the answer; None = there was none.
        error: the reason why there was no answer; None = there was one.
    """

    request: SentRequest
    pause: float
    status: int | None = None
    error: FetchError | None = None


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """The hooks of a `Fetcher`; None = there is none.

    Attributes:
        on_request: gets a `SentRequest`, before it is sent.
        on_response: gets an `Answer`, also one that redirects or is tried again.
        on_retry: gets a `RetryNotice`, before the pause.
    """

    on_request: Hook | None = None
    on_response: Hook | None = None
    on_retry: Hook | None = None


async def call(hook: Hook, fact: object) -> None:
    """Call a hook, and wait for it if it is asynchronous."""
    result = hook(fact)
    if inspect.isawaitable(result):
        await result
