"""Fetch many URLs inside a running loop, a thousand at once, and use each answer as it comes."""

import asyncio
import sys

import crawler


async def main(base: str) -> None:
    """Print every fiftieth answer."""
    urls = (f"{base}?page={number}" for number in range(200))
    answers = 0
    async with crawler.Fetcher(concurrency=1000) as fetcher:
        front = await fetcher.get(base)
        print(front.status, front.headers["content-type"], len(front.text))
        async for page in fetcher.stream(urls):
            answers += 1
            if answers % 50 == 0:
                print(answers, page.status, page.url)


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"))
