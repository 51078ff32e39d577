"""One HTTP client at one kind of work: `python library_clients.py CLIENT WORK URL COUNT CONCURRENCY`.

The clients are `crawler`, `aiohttp` (a ClientSession), `httpx` and `niquests`, as their users would write them; all run
on uvloop, with so many tasks that share one iterator. The kinds of work:
- get, post: requests of 1 KB answers; post sends a small JSON.
- stream: `Fetcher.stream`; for the others the same as get.
- downloads: so many files of 64 KB, each written to a file here. download: one file, of any size, likewise.
- upload: one file here, called `upload`.
One line of JSON tells seconds and CPU seconds from the first request to the last answer, the answers, and the peak of
the resident memory in MiB, which includes the imports.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

BODY = {"name": "value", "number": 1}
_BLOCK = 1024 * 1024

Work = Callable[[str], Awaitable[int]]


async def _shared(urls: Iterable[str], concurrency: int, work: Work) -> int:
    """Return how many answers had the status 200; so many tasks take the URLs in turn."""
    good = 0

    async def task() -> None:
        nonlocal good
        for url in left:
            status = await work(url)  # in a line of its own: others count meanwhile
            good += status == 200

    left = iter(urls)
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(task())
    return good


async def _crawler(concurrency: int, stack: AsyncExitStack) -> dict[str, Any]:
    import crawler

    fetcher = await stack.enter_async_context(crawler.Fetcher(concurrency=concurrency, timeout=600))

    async def get(url: str) -> int:
        return (await fetcher.get(url)).status

    async def post(url: str) -> int:
        return (await fetcher.post(url, json=BODY)).status

    async def download(url: str) -> int:
        async with fetcher.open("GET", url) as answer:
            await answer.save(url.rpartition("/")[2])
            return answer.status

    async def upload(url: str) -> int:
        return (await fetcher.put(url, content=Path("upload"), timeout=600)).status

    async def stream(urls: Iterable[str]) -> int:
        return sum([answer.status == 200 async for answer in fetcher.stream(urls)])

    return {"get": get, "post": post, "download": download, "upload": upload, "stream": stream}


async def _aiohttp(concurrency: int, stack: AsyncExitStack) -> dict[str, Any]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=concurrency)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def get(url: str) -> int:
        async with session.get(url) as answer:
            await answer.read()
            return answer.status

    async def post(url: str) -> int:
        async with session.post(url, json=BODY) as answer:
            await answer.read()
            return answer.status

    async def download(url: str) -> int:
        async with session.get(url) as answer:
            with Path(url.rpartition("/")[2]).open("wb") as file:
                async for piece in answer.content.iter_chunked(_BLOCK):
                    file.write(piece)
            return answer.status

    async def upload(url: str) -> int:
        with Path("upload").open("rb") as file:
            async with session.put(url, data=file) as answer:
                return answer.status

    return {"get": get, "post": post, "download": download, "upload": upload}


async def _httpx(concurrency: int, stack: AsyncExitStack) -> dict[str, Any]:
    import httpx

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=600))

    async def get(url: str) -> int:
        return (await client.get(url)).status_code

    async def post(url: str) -> int:
        return (await client.post(url, json=BODY)).status_code

    async def download(url: str) -> int:
        async with client.stream("GET", url) as answer:
            with Path(url.rpartition("/")[2]).open("wb") as file:
                async for piece in answer.aiter_bytes(_BLOCK):
                    file.write(piece)
            return answer.status_code

    async def upload(url: str) -> int:
        async def pieces():
            with Path("upload").open("rb") as file:
                while piece := file.read(_BLOCK):
                    yield piece

        return (await client.put(url, content=pieces())).status_code

    return {"get": get, "post": post, "download": download, "upload": upload}


async def _niquests(concurrency: int, stack: AsyncExitStack) -> dict[str, Any]:
    import niquests

    session = await stack.enter_async_context(niquests.AsyncSession(pool_maxsize=concurrency))

    async def get(url: str) -> int:
        return (await session.get(url)).status_code

    async def post(url: str) -> int:
        return (await session.post(url, json=BODY)).status_code

    async def download(url: str) -> int:
        answer = await session.get(url, stream=True)
        with Path(url.rpartition("/")[2]).open("wb") as file:
            async for piece in await answer.iter_content(_BLOCK):
                file.write(piece)
        return answer.status_code

    async def upload(url: str) -> int:
        with Path("upload").open("rb") as file:
            return (await session.put(url, data=file)).status_code

    return {"get": get, "post": post, "download": download, "upload": upload}


_CLIENTS = {"crawler": _crawler, "aiohttp": _aiohttp, "httpx": _httpx, "niquests": _niquests}


async def _main(client: str, work: str, base: str, count: int, concurrency: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        works = await _CLIENTS[client](concurrency, stack)
        urls = [f"{base}{number}" for number in range(count)]
        began, cpu = time.monotonic(), time.process_time()
        if work == "stream" and "stream" in works:
            good = await works["stream"](urls)
        else:
            one = {"downloads": "download", "stream": "get"}.get(work, work)
            good = await _shared(urls, min(concurrency, count), works[one])
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"answers": good, "seconds": seconds, "cpu": cpu, "peak": peak}


if __name__ == "__main__":
    told = sys.argv[1:]
    print(json.dumps(uvloop.run(_main(told[0], told[1], told[2], int(told[3]), int(told[4])))))
