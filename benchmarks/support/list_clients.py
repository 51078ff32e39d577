"""A list of URLs by a client that keeps nothing: `python list_clients.py bare|stream LIST CONCURRENCY`.

`bare` is a loop over aiohttp's ClientSession, so many tasks that share one iterator; `stream` is the library's
`Fetcher.stream`. Both run on uvloop. One line of JSON tells seconds and CPU seconds from the first request to the last
answer, and how many answers there were.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import uvloop

import crawler


async def _bare(urls: Iterable[str], concurrency: int) -> int:
    answers = 0

    async def user(session: aiohttp.ClientSession) -> None:
        nonlocal answers
        for url in left:
            async with session.get(url) as answer:
                await answer.read()
                answers += answer.status == 200

    left = iter(urls)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(user(session))
    return answers


async def _stream(urls: Iterable[str], concurrency: int) -> int:
    async with crawler.Fetcher(concurrency=concurrency) as fetcher:
        return sum([answer.status == 200 async for answer in fetcher.stream(urls)])


if __name__ == "__main__":
    client = {"bare": _bare, "stream": _stream}[sys.argv[1]]
    listed = Path(sys.argv[2]).read_text("ascii").split()
    began, cpu = time.monotonic(), time.process_time()
    done = uvloop.run(client(listed, int(sys.argv[3])))
    print(json.dumps({"answers": done, "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}))
