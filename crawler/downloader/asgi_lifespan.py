"""The lifespan of an ASGI application: its startup before the first request, its shutdown after the last.

Rules
- An application that ends or raises before it has started knows no lifespan, and is asked without one (ASGI lifespan
  protocol 2.0, "Scope"). One that reports a failed startup or shutdown, or raises after it has started, is an error.
- What the application puts into `state` at its startup stands in the scope of each request.
Runs on: the event loop; the application's lifespan is a task of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from crawler.runtime.tasks import background

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def lifespan(app: AsgiApp) -> AsyncIterator[dict[str, Any]]:
    """Start an application and give its state; shut it down at the end of the block.

    Raises:
        RuntimeError: the application reports that it could not start, or not shut down.
        Exception: the application raised it after it had started.
    """
    span = _Lifespan()
    async with background(span.run, app):
        await span.phase("startup")
        yield span.state
        await span.phase("shutdown")


class _Lifespan:
    """The conversation with an application about its lifespan."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self._orders: asyncio.Queue[Message] = asyncio.Queue(1)
        self._told: asyncio.Queue[Message] = asyncio.Queue(2)  # the answer to an order, and the end
        self._is_started = self._has_ended = False

    async def run(self, app: AsgiApp) -> None:
        """Run the application to its end; its error is raised if it had started."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await app(scope, self._orders.get, self._told.put)
        except Exception:
            if self._is_started:
                raise
        await self._told.put({"type": "ended"})

    async def phase(self, name: str) -> None:
        """Order a phase, and wait until the application has done it, or has ended."""
        if self._has_ended:
            return
        await self._orders.put({"type": f"lifespan.{name}"})
        told = await self._told.get()
        if told["type"] == f"lifespan.{name}.failed":
            raise RuntimeError(f"the ASGI application reports a failed {name}: {told.get('message', '')}")
        self._is_started = told["type"] == "lifespan.startup.complete"
        self._has_ended = told["type"] == "ended"
