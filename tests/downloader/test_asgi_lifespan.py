"""downloader.asgi_lifespan: the startup and shutdown of an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request

from crawler.downloader.asgi import AsgiTransport
from crawler.downloader.asgi_lifespan import lifespan
from crawler.downloader.client import Fetcher


@pytest.mark.both_loops
async def test_fastapi_is_started_and_shut_down() -> None:
    """The startup is over before the first request, which sees its state; the shutdown follows the block."""
    told: list[str] = []

    @asynccontextmanager
    async def span(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        told.append("up")
        yield {"pool": "open"}
        told.append("down")

    app = FastAPI(lifespan=span)

    @app.get("/")
    async def pool(request: Request) -> str:
        told.append("asked")
        return str(request.state.pool)

    async with AsgiTransport(app) as transport, Fetcher(transport=transport) as fetcher:
        page = await fetcher.get("http://app.example/")

    assert page.json() == "open"
    assert told == ["up", "asked", "down"]


async def unaware(scope: Any, _receive: Any, _send: Any) -> None:
    """Know HTTP alone."""
    assert scope["type"] == "http"


async def ending(_scope: Any, _receive: Any, _send: Any) -> None:
    """Return at once."""


@pytest.mark.parametrize("app", [unaware, ending])
async def test_an_application_without_a_lifespan_is_left_alone(app: Any) -> None:
    """An application that refuses the scope, or returns from it, is used all the same."""
    async with lifespan(app) as state:
        assert state == {}


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
async def test_a_failed_phase_is_an_error(phase: str) -> None:
    """An application that cannot start, or not shut down, is told with its message."""
    entered = []

    async def failing(_scope: Any, receive: Any, send: Any) -> None:
        while True:
            kind = (await receive())["type"]
            outcome = "failed" if kind.endswith(phase) else "complete"
            await send({"type": f"{kind}.{outcome}", "message": "no database"})

    with pytest.raises(RuntimeError, match=f"reports a failed {phase}: no database"):
        async with lifespan(failing):
            entered.append(phase)

    assert entered == ([] if phase == "startup" else ["shutdown"])


async def test_an_error_after_the_startup_is_raised() -> None:
    """An application that breaks at its shutdown is not taken for one without a lifespan."""

    async def breaking(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise LookupError

    with pytest.raises(LookupError):
        async with lifespan(breaking):
            pass


async def test_an_error_of_the_block_is_its_own() -> None:
    """The error of a test is raised as it is, and the application is ended."""
    ended = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            ended.append("app")

    with pytest.raises(ZeroDivisionError):
        async with lifespan(app):
            raise ZeroDivisionError

    assert ended == ["app"]
