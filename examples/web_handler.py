"""A handler of a web application (FastAPI) that asks another server: one Fetcher for all requests, bodies passed on.

Start it with `uvicorn web_handler:app`; run as a script it asks itself once. It needs `pip install fastapi`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse

import crawler
from crawler.testing import AsgiTransport

UPSTREAM = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the Fetcher open as long as the application runs."""
    async with crawler.Fetcher(base_url=UPSTREAM, timeout=5, retries=1) as app.state.fetcher:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/status")
async def status() -> dict[str, object]:
    """Tell how the other server does."""
    try:
        page = await app.state.fetcher.get("/")
    except crawler.FetchError as error:
        return {"up": False, "reason": error.reason}
    return {"up": page.ok, "seconds": page.timing.total}


@app.get("/front")
async def front() -> Response:
    """Pass the front page on, status and all, piece by piece."""
    stack = AsyncExitStack()
    try:
        answer = await stack.enter_async_context(app.state.fetcher.open("GET", "/"))
    except crawler.FetchError as error:
        return Response(f"{error.reason}: {error}", 502)

    async def pieces() -> AsyncIterator[bytes]:
        async with stack:  # also if the reader leaves early
            async for piece in answer.iter_bytes():
                yield piece

    return StreamingResponse(pieces(), answer.status, media_type=answer.headers.get("Content-Type"))


async def main() -> None:
    """Ask the application without a server."""
    async with lifespan(app), crawler.Fetcher(base_url="http://app/", transport=AsgiTransport(app)) as client:
        print((await client.get("status")).json())
        print(len((await client.get("front")).content), "bytes")


if __name__ == "__main__":
    asyncio.run(main())
